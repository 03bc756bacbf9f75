//! Signing somebody in, whichever way they came.

use app::{
    AppError,
    form::{Done, local},
};
use dash_db::store::{self, audit::NewEntry, users::User};
use dash_mail::Letter;
use dash_model::OrganizationId;

use super::post;
use crate::{
    access::{
        caller::{Caller, seat_of},
        session::{SIGNED_IN, SignedIn},
    },
    failure::Failure,
    state::State,
    web::cookies,
};

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
        let entry = NewEntry {
            actor: caller.acting(user),
            action: "session.begin".into(),
            target: format!("person {}", user.email),
            before: None,
            after: None,
        };
        store::audit::append(&mut connection, organization, now, entry)
            .await
            .map_err(Failure::from)?;
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
    session.insert(SIGNED_IN, signed_in).await.map_err(Failure::from)?;
    let cookie = cookies::set_known_device(&state.vault, user.id, state.config.accounts.is_secure());
    caller.cookies.lock().push(cookie);
    Ok(Done::go(local(to).unwrap_or("/")))
}
