//! Who asks by a browser.

use std::{net::IpAddr, time::Duration};

use app::{AppError, here::Here, ports::Viewer};
use axum::http::HeaderMap;
use dash_accounts::policy::{Person, Who};
use dash_db::{
    AsyncPgConnection,
    store::{
        self,
        audit::{Actor, ActorKind, By},
        sessions::SessionHash,
        users::{Belongs, User},
    },
};
use dash_model::{DEFAULT_ORGANIZATION, Micros, OrganizationId, UserId};
use parking_lot::Mutex;
use tower_sessions::Session;
use uuid::Uuid;

use super::{
    record::{Change, recorded},
    session::SignedIn,
};
use crate::failure::Failure;

/// How long after a sign-in another way in can be added.
const RECENTLY: Duration = Duration::from_secs(15 * 60);

/// One request's, made by `web::identify`.
pub struct Caller {
    pub viewer: Viewer,
    pub here: Here,
    /// Who is signed in.
    pub user: Option<User>,
    pub session: Option<Session>,
    /// By which the session is kept.
    pub hash: Option<SessionHash>,
    /// When they signed in.
    pub since: Option<Micros>,
    /// The API key that they came with, instead of a session.
    pub key: Option<Uuid>,
    pub address: Option<IpAddr>,
    /// In words.
    pub agent: String,
    /// Who has signed in on this device before.
    pub known: Option<UserId>,
    /// To be set with the answer.
    pub cookies: Mutex<Vec<String>>,
}

impl Caller {
    /// Somebody of whom nothing is known but where they are.
    pub fn nobody(address: Option<IpAddr>, headers: &HeaderMap) -> Self {
        Self {
            viewer: Viewer::nobody(DEFAULT_ORGANIZATION),
            here: Here::default(),
            user: None,
            session: None,
            hash: None,
            since: None,
            key: None,
            address,
            agent: agent(headers),
            known: None,
            cookies: Mutex::default(),
        }
    }

    /// Who is signed in.
    ///
    /// # Errors
    /// [`AppError::SignIn`] when nobody is.
    pub fn user(&self) -> Result<&User, AppError> {
        self.user.as_ref().ok_or(AppError::SignIn)
    }

    /// The session, which every request of a page has.
    pub fn session(&self) -> Result<&Session, Failure> {
        self.session
            .as_ref()
            .ok_or_else(|| Failure::internal("a request without a session"))
    }

    /// The session goes on under another id. One that was ended since this request began stays ended, whatever the request was about to do.
    ///
    /// # Errors
    /// [`AppError::SignIn`] when it was ended.
    pub async fn renew(&self, connection: &mut AsyncPgConnection) -> Result<(), AppError> {
        self.give_up(connection).await?;
        self.session()?.cycle_id().await.map_err(Failure::from)?;
        Ok(())
    }

    /// The first half of [`Caller::renew`], for a transaction: the session's row goes. The second waits until that is committed.
    pub async fn give_up(&self, connection: &mut AsyncPgConnection) -> Result<(), AppError> {
        match &self.hash {
            Some(hash) if !store::sessions::delete(connection, hash).await.map_err(Failure::from)? => {
                Err(AppError::SignIn)
            }
            _ => Ok(()),
        }
    }

    /// Refuses what would outlive this session, such as another way in, to whoever only found it open.
    ///
    /// # Errors
    /// [`AppError::Invalid`] of `field` when the sign-in is longer ago than [`RECENTLY`].
    pub fn signed_in_recently(&self, field: &str) -> Result<(), AppError> {
        let recently = crate::clock::now().minus(RECENTLY);
        match self.since.is_some_and(|since| since > recently) {
            true => Ok(()),
            false => Err(AppError::Invalid {
                field: field.into(),
                reason: "sign out and in again first: another way in is only added within 15 minutes of a sign-in"
                    .into(),
            }),
        }
    }

    /// As whom something is done.
    pub fn actor(&self) -> Actor {
        match &self.user {
            Some(user) => self.acting(user),
            None => Actor {
                kind: ActorKind::Person,
                id: None,
                name: "nobody".into(),
                address: self.address.map(|ip| ip.to_string()),
            },
        }
    }

    /// As somebody who is about to be signed in.
    pub fn acting(&self, user: &User) -> Actor {
        Actor {
            kind: ActorKind::Person,
            id: Some(user.id.0),
            name: format!("{} <{}>", user.name, user.email),
            address: self.address.map(|ip| ip.to_string()),
        }
    }

    pub fn by(&self) -> By {
        By {
            actor: self.actor(),
            at: crate::clock::now(),
        }
    }

    /// Writes into the audit log of the organization that is looked at.
    pub async fn record(
        &self,
        connection: &mut AsyncPgConnection,
        action: &str,
        target: String,
        change: Change,
    ) -> Result<(), Failure> {
        let of = (self.viewer.organization, self.actor());
        recorded(connection, of, action, target, change).await
    }

    /// As [`Caller::record`], of somebody who is about to be signed in, or in another organization.
    pub async fn record_as(
        &self,
        connection: &mut AsyncPgConnection,
        (organization, user): (OrganizationId, &User),
        action: &str,
        target: String,
        change: Change,
    ) -> Result<(), Failure> {
        let of = (organization, self.acting(user));
        recorded(connection, of, action, target, change).await
    }
}

/// Who somebody is in the organization that they look at: the one of their session, or the first that they belong to.
pub async fn viewer_of(
    connection: &mut AsyncPgConnection,
    signed_in: &SignedIn,
    belongs: &[Belongs],
) -> Result<Viewer, Failure> {
    let seat = seat_of(belongs, signed_in.organization);
    let Some(seat) = seat else {
        return Ok(Viewer {
            user: Some(signed_in.user),
            ..Viewer::nobody(DEFAULT_ORGANIZATION)
        });
    };
    let teams = store::teams::of_user(connection, seat.organization, signed_in.user).await?;
    Ok(Viewer {
        user: Some(signed_in.user),
        organization: seat.organization,
        who: Who::Person(Person {
            user: signed_in.user,
            organization: seat.organization,
            role: seat.role,
            teams,
        }),
    })
}

/// Where somebody sits.
pub fn seat_of(belongs: &[Belongs], wanted: Option<OrganizationId>) -> Option<&Belongs> {
    let chosen = belongs.iter().find(|b| Some(b.organization) == wanted);
    chosen.or_else(|| belongs.first())
}

/// A browser in words that people know it by.
pub fn agent(headers: &HeaderMap) -> String {
    let text = headers
        .get("user-agent")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let first = |names: &[(&str, &'static str)]| {
        names
            .iter()
            .find(|(mark, _)| text.contains(mark))
            .map(|(_, name)| *name)
    };
    let browser = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("iPhone", "an iPhone"),
        ("iPad", "an iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "a Mac"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("A browser on {system}"),
        (None, None) => "Something without a name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_called_as_people_know_them() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("user-agent", text.parse().expect("a value"));
            agent(&headers)
        };
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
        assert_eq!(of(firefox), "Firefox on Linux");
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36 Edg/141.0";
        assert_eq!(of(edge), "Edge on Windows");
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile/15E148 Safari/604.1";
        assert_eq!(of(phone), "Safari on an iPhone");
        assert_eq!(of("curl/8.5.0"), "curl");
        // Nothing that a sender writes is shown.
        assert_eq!(of("<script>alert(1)</script>"), "Something without a name");
    }
}
