//! The link that makes the first owner: printed on the console and nowhere else.

use dash_accounts::token::{self, Purpose};
use dash_db::{AsyncPgConnection, DbError, store};
use dash_model::{Micros, UserId};
use secrecy::{ExposeSecret, SecretString};

use crate::{failure::Failure, state::State};

/// A new link, while nobody has an account; the one before stops working.
pub async fn link(state: &State) -> Result<Option<String>, Failure> {
    if !state.accounts.needs_set_up(&state.db).await? {
        return Ok(None);
    }
    let secret = issue(&mut *state.db.diesel().await?, Purpose::SetUp, None).await?;
    Ok(Some(format!("/set-up?token={}", secret.expose_secret())))
}

/// The secret of a new link, which works once; of somebody's of the same purpose the one before stops working.
pub async fn issue(
    connection: &mut AsyncPgConnection,
    purpose: Purpose,
    user: Option<UserId>,
) -> Result<SecretString, DbError> {
    let (secret, hash) = token::new(purpose);
    let now = crate::clock::now();
    store::tokens::issue(connection, &hash.0, purpose.word(), user, now, expiry(purpose, now)).await?;
    Ok(secret)
}

/// When a link that is made now stops working.
pub fn expiry(purpose: Purpose, now: Micros) -> Micros {
    now.plus(purpose.lifetime())
}
