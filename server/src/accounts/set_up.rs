//! The link that makes the first owner: printed on the console and nowhere else.

use dash_accounts::token::{self, Purpose};
use dash_db::store;
use dash_model::Micros;
use secrecy::ExposeSecret;

use crate::{failure::Failure, state::State};

/// A new link, while nobody has an account; the one before stops working.
pub async fn link(state: &State) -> Result<Option<String>, Failure> {
    if !state.accounts.needs_set_up(&state.db).await? {
        return Ok(None);
    }
    let (secret, hash) = token::new(Purpose::SetUp);
    let now = crate::clock::now();
    let mut connection = state.db.diesel().await?;
    store::tokens::issue(
        &mut connection,
        &hash.0,
        Purpose::SetUp.word(),
        None,
        now,
        expiry(Purpose::SetUp, now),
    )
    .await?;
    Ok(Some(format!("/set-up?token={}", secret.expose_secret())))
}

/// When a link that is made now stops working.
pub fn expiry(purpose: Purpose, now: Micros) -> Micros {
    Micros(now.0.saturating_add(purpose.lifetime().as_micros() as i64))
}
