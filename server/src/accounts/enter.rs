//! Signing somebody in, whichever way they came.

use std::time::Duration;

use app::{
    AppError,
    form::{Done, local},
};
use dash_db::store::{self, users::User};
use dash_mail::Letter;
use dash_model::OrganizationId;
use serde::{Serialize, de::DeserializeOwned};
use tower_sessions::Expiry;

use super::post;
use crate::{
    access::{
        caller::{Caller, seat_of},
        session::{SIGNED_IN, SignedIn, WAITING, Waiting},
    },
    failure::Failure,
    state::State,
    web::cookies,
};

/// How long a code is waited for after the password.
const CODE_PATIENCE: Duration = Duration::from_secs(600);
/// What nobody has signed in with yet is not kept for long.
const SHORT: time::Duration = time::Duration::minutes(15);
/// Somebody who does not come for so long has to sign in again.
pub const LONG: time::Duration = time::Duration::days(30);

/// Signs in, or asks for the second factor first.
pub async fn enter_or_ask(state: &State, caller: &Caller, user: &User, to: Option<&str>) -> Result<Done, AppError> {
    let asks = store::second_factors::is_on(&mut *state.db.diesel().await.map_err(Failure::from)?, user.id).await;
    if !asks.map_err(Failure::from)? {
        return enter(state, caller, user, to, None).await;
    }
    let waiting = Waiting {
        user: user.id,
        until: crate::clock::now().plus(CODE_PATIENCE),
        to: local(to).map(str::to_owned),
    };
    begin(caller, WAITING, waiting, true).await?;
    Ok(Done::go("/sign-in/code"))
}

/// Keeps what the second half of a way in needs, in the session and for a short time. `alone`: what was there before goes, and the id with it.
pub async fn begin(caller: &Caller, key: &str, value: impl Serialize, alone: bool) -> Result<(), Failure> {
    let session = caller.session()?;
    if alone {
        session.clear().await;
        session.cycle_id().await?;
    }
    if caller.user.is_none() {
        session.set_expiry(Some(Expiry::OnInactivity(SHORT)));
    }
    Ok(session.insert(key, value).await?)
}

/// Takes what [`begin`] has kept: it is used once.
pub async fn take<T: DeserializeOwned>(caller: &Caller, key: &str) -> Result<Option<T>, Failure> {
    Ok(caller.session()?.remove(key).await?)
}

/// Signs in: under a new id of the session, so that nobody knows it from before. Answers where to go.
pub async fn enter(
    state: &State,
    caller: &Caller,
    user: &User,
    to: Option<&str>,
    organization: Option<OrganizationId>,
) -> Result<Done, AppError> {
    let now = crate::clock::now();
    let mut connection = state.db.diesel().await.map_err(Failure::from)?;
    let belongs = store::users::organizations(&mut connection, user.id, now)
        .await
        .map_err(Failure::from)?;
    let seat = seat_of(&belongs, organization).map(|b| b.organization);
    let elsewhere = store::sessions::devices(&mut connection, user.id, now)
        .await
        .map_err(Failure::from)?;
    if let Some(organization) = seat {
        let target = format!("person {}", user.email);
        let of = (organization, user);
        caller
            .record_as(&mut connection, of, "session.begin", target, (None, None))
            .await?;
    }
    // Of the first sign-in there is nothing to tell, and of a device that is known neither.
    if caller.known != Some(user.id) && !elsewhere.is_empty() {
        let letter = Letter::NewDevice {
            when: post::when(now),
            agent: caller.agent.clone(),
            address: caller.address.map(|ip| ip.to_string()).unwrap_or_default(),
        };
        post::write(&mut connection, state, &user.email, &letter).await?;
    }
    drop(connection);
    let session = caller.session()?;
    let signed_in = SignedIn {
        user: user.id,
        organization: seat,
        since: now,
        seen: now,
        agent: caller.agent.clone(),
        address: caller.address.map(|ip| ip.to_string()),
    };
    // What was there before sign-in, such as of somebody else, does not come along. Not `flush`: it would keep the id for what comes next.
    session.clear().await;
    session.cycle_id().await.map_err(Failure::from)?;
    session.set_expiry(Some(Expiry::OnInactivity(LONG)));
    session.insert(SIGNED_IN, signed_in).await.map_err(Failure::from)?;
    let cookie = cookies::set_known_device(&state.vault, user.id, state.config.accounts.is_secure());
    caller.cookies.lock().push(cookie);
    Ok(Done::go(local(to).unwrap_or("/")))
}
