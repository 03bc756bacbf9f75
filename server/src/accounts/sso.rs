//! Signing in with an account elsewhere, and linking one to one's own.
//!
//! Who somebody is there is the subject, never the address. An account that is here already is linked to it by whoever is signed in, or when the
//! provider says that the address is verified: whoever has the address could have had a link sent to it.

use std::sync::Arc;

use app::{AppError, form::local};
use async_trait::async_trait;
use dash_db::store::{self, users::User};
use dash_egress::{Client, Guard, read};
use dash_model::UserId;
use dash_sso::{Callback, Http, HttpError, Identity, Pending, Providers, SsoError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::{begin as keep, enter_or_ask, invalid, post, take};
use crate::{access::caller::Caller, config, failure::Failure, ports, state::State};

/// Under which [`Gone`] is kept.
const GONE: &str = "sso";
/// Most that a provider may answer.
const ANSWER_BYTES: usize = 1 << 20;

/// Somebody who is at a provider's now.
#[derive(Serialize, Deserialize)]
struct Gone {
    pending: Pending,
    to: Option<String>,
    /// Who asked on their account's page for it to be linked. Whoever asks to sign in is not linked to somebody who happens to be signed in.
    link: Option<UserId>,
}

/// Where somebody comes back to.
pub struct Back {
    pub to: String,
    pub say: Option<String>,
    pub failed: bool,
}

impl Back {
    pub fn refused(error: &AppError, to: &str) -> Self {
        let words = match error {
            AppError::Invalid { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        Self {
            to: to.into(),
            say: Some(words),
            failed: true,
        }
    }
}

/// The configured providers, asked through the guard for addresses that somebody may have written.
pub fn providers(config: &config::Accounts) -> Result<Option<Arc<Providers>>, Failure> {
    if config.providers.is_empty() {
        return Ok(None);
    }
    let client = Guard::new(config.egress.clone()).http();
    let client = client.map_err(|e| Failure::internal(e.to_string()))?;
    let providers = Providers::new(config.providers.clone(), Arc::new(Guarded(client)));
    Ok(Some(Arc::new(providers)))
}

struct Guarded(Client);

#[async_trait]
impl Http for Guarded {
    async fn execute(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, HttpError> {
        let request = reqwest::Request::try_from(request).map_err(|e| HttpError::new(e.to_string()))?;
        let answer = self
            .0
            .execute(request)
            .await
            .map_err(|e| HttpError::new(e.to_string()))?;
        let mut response = http::Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            headers.extend(answer.headers().clone());
        }
        let body = read(answer, ANSWER_BYTES)
            .await
            .map_err(|e| HttpError::new(e.to_string()))?;
        response.body(body).map_err(|e| HttpError::new(e.to_string()))
    }
}

/// Sends somebody to a provider.
///
/// `link` is the id of this session, which its owner's page alone says: another site cannot make somebody link an account that is not theirs.
pub async fn begin(
    state: &State,
    caller: &Caller,
    provider: &str,
    to: Option<&str>,
    link: Option<Uuid>,
) -> Result<Url, AppError> {
    state.rates.way_in(caller.address)?;
    let link = match link {
        Some(session) => Some(links(state, caller, session).await?),
        None => None,
    };
    let providers = of(state)?;
    let begun = providers
        .begin(provider, &callback_url(state))
        .await
        .map_err(|e| refused(&e))?;
    let gone = Gone {
        pending: begun.pending,
        to: local(to).map(str::to_owned),
        link,
    };
    keep(caller, GONE, gone, false).await?;
    Ok(begun.url)
}

/// Somebody comes back from a provider.
pub async fn finish(state: &State, caller: &Caller, callback: &Callback) -> Result<Back, AppError> {
    state.rates.way_in(caller.address)?;
    let gone: Option<Gone> = take(caller, GONE).await?;
    let gone = gone.ok_or_else(|| invalid("provider", "that took too long, or was begun elsewhere; try again"))?;
    let identity = of(state)?
        .finish(gone.pending, callback)
        .await
        .map_err(|e| refused(&e))?;
    if let Some(asked) = gone.link {
        let user = caller.user()?;
        return match user.id == asked {
            true => link(state, caller, user, &identity).await,
            false => Err(AppError::SignIn),
        };
    }
    let user = person(state, caller, &identity).await?;
    let done = enter_or_ask(state, caller, &user, gone.to.as_deref()).await?;
    Ok(Back {
        to: done.to.unwrap_or_else(|| "/".into()),
        say: done.say,
        failed: false,
    })
}

/// Whoever may link an account in this session.
async fn links(state: &State, caller: &Caller, session: Uuid) -> Result<UserId, AppError> {
    let user = caller.user()?;
    caller.signed_in_recently("provider")?;
    let mut connection = state.db.diesel().await.map_err(Failure::from)?;
    let devices = store::sessions::devices(&mut connection, user.id, crate::clock::now()).await;
    let devices = devices.map_err(Failure::from)?;
    let this = devices
        .iter()
        .any(|device| device.id == session && Some(device.hash) == caller.hash);
    match this {
        true => Ok(user.id),
        false => Err(invalid("provider", "begin on your account's page, and try again there")),
    }
}

fn of(state: &State) -> Result<&Providers, AppError> {
    state.accounts.providers.as_deref().ok_or_else(|| AppError::NotFound {
        what: "provider".into(),
        name: "sso".into(),
    })
}

fn callback_url(state: &State) -> Url {
    let base = &state.config.accounts.url;
    // A path is always joined.
    base.join("/sso/callback").unwrap_or_else(|_| base.clone())
}

async fn link(state: &State, caller: &Caller, user: &User, identity: &Identity) -> Result<Back, AppError> {
    let mut connection = state.db.diesel().await.map_err(Failure::from)?;
    let linked = store::identities::link(
        &mut connection,
        user.id,
        &identity.issuer,
        &identity.subject,
        identity.email.as_deref(),
    );
    linked.await.map_err(Failure::from)?;
    let what = format!("an account at {}", identity.issuer);
    post::write(&mut connection, state, &user.email, &post::new_way_in(caller, what)).await?;
    drop(connection);
    told(state, caller, "identity.link", user, identity).await?;
    Ok(Back {
        to: "/account".into(),
        say: Some("The account is linked: it signs you in from now on.".into()),
        failed: false,
    })
}

/// Whose account it is; where there is none and the address is verified, a new one for who may have one.
async fn person(state: &State, caller: &Caller, identity: &Identity) -> Result<User, AppError> {
    let now = crate::clock::now();
    let mut connection = state.db.diesel().await.map_err(Failure::from)?;
    let known = store::identities::used(&mut connection, &identity.issuer, &identity.subject, now).await;
    if let Some(user) = known.map_err(Failure::from)? {
        let found = store::users::get(&mut connection, user).await.map_err(Failure::from)?;
        return found.ok_or(AppError::SignIn);
    }
    let email = identity.email.as_deref().filter(|_| identity.email_verified);
    let email = email.ok_or_else(|| invalid("provider", "your address is not verified there; sign in here another way, and link that account on your account's page"))?;
    let email = super::email(email)?;
    let here = store::users::by_email(&mut connection, &email.key())
        .await
        .map_err(Failure::from)?;
    let user = match here {
        // Where no letters are sent, nobody proved that the address of an account here is theirs: who invites sees the link.
        Some(_) if matches!(state.config.accounts.mail, config::Mail::None) => {
            return Err(invalid(
                "provider",
                "somebody has an account of this address here; sign in another way, and link that account on your account's page",
            ));
        }
        Some(user) => user,
        None if state.config.accounts.sign_up => {
            let name = identity.name.as_deref().and_then(|name| super::name(name).ok());
            let name = name.unwrap_or_else(|| email.as_str().split('@').next().unwrap_or("Somebody").to_owned());
            let made = store::users::create(&mut connection, email.as_str(), &email.key(), &name, None).await;
            made.map_err(Failure::from)?
        }
        None => {
            return Err(invalid(
                "provider",
                "nobody has an account of this address here; ask for an invitation",
            ));
        }
    };
    store::users::confirm_email(&mut connection, user.id, now)
        .await
        .map_err(Failure::from)?;
    let linked = store::identities::link(
        &mut connection,
        user.id,
        &identity.issuer,
        &identity.subject,
        Some(email.as_str()),
    );
    linked.await.map_err(Failure::from)?;
    let belongs = store::users::organizations(&mut connection, user.id, now)
        .await
        .map_err(Failure::from)?;
    drop(connection);
    if belongs.is_empty() && state.config.accounts.sign_up {
        ports::make_organization(state, caller, &user, &user.name).await?;
    }
    told(state, caller, "identity.link", &user, identity).await?;
    Ok(user)
}

/// Organizations see how their members get in.
async fn told(state: &State, caller: &Caller, action: &str, user: &User, identity: &Identity) -> Result<(), Failure> {
    let now = crate::clock::now();
    let mut connection = state.db.diesel().await?;
    for seat in store::users::organizations(&mut connection, user.id, now).await? {
        let (of, target) = ((seat.organization, user), format!("person {}", user.email));
        let linked = Some(json!({"issuer": identity.issuer, "subject": identity.subject}));
        caller
            .record_as(&mut connection, of, action, target, (None, linked))
            .await?;
    }
    Ok(())
}

fn refused(error: &SsoError) -> AppError {
    if let Some(detail) = error.detail() {
        tracing::warn!(detail, "a sign-in with an account elsewhere failed");
    }
    invalid("provider", &error.to_string())
}
