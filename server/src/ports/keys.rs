//! Keys of programs.

use app::{
    AppError,
    form::{Done, KeyForm},
    ports::{Keys, Viewer},
};
use async_trait::async_trait;
use dash_accounts::{
    api_key,
    policy::{Action, Who},
};
use dash_db::{AsyncConnection as _, RowConnection, store, store::api_keys::NewApiKey};
use dash_model::{
    Micros, TeamId, UserId,
    account::{OrganizationRole, Scope},
    people::KeyInfo,
};
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use super::Asked;
use crate::{
    access::allow,
    accounts::{self, invalid},
    failure::Failure,
};

/// Days until a key expires, at most.
const LONGEST: i64 = 3_650;
const DAY: i64 = 86_400 * 1_000_000;

#[async_trait]
impl Keys for Asked {
    async fn list(&self, viewer: &Viewer, service: bool) -> Result<Vec<KeyInfo>, AppError> {
        let owner = self.owner(viewer, service)?;
        let mut connection = self.connection().await?;
        let teams = store::teams::list(&mut connection, viewer.organization).await;
        let teams = teams.map_err(Failure::from)?;
        let keys = store::api_keys::list(&mut connection, viewer.organization, owner).await;
        let now = crate::clock::now();
        let shown = keys.map_err(Failure::from)?.into_iter().map(|key| KeyInfo {
            id: key.id,
            name: match key.expires_at.is_some_and(|at| at <= now) {
                true => format!("{} (expired)", key.name),
                false => key.name,
            },
            public: format!("dash_{}", key.public),
            scope: key.scope,
            team: key
                .team
                .and_then(|id| teams.iter().find(|team| team.id == id))
                .map(|team| team.name.clone()),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
        });
        Ok(shown.collect())
    }

    async fn make(&self, viewer: &Viewer, form: KeyForm) -> Result<Done, AppError> {
        let owner = self.owner(viewer, form.service)?;
        let name = accounts::name(&form.name)?;
        let team = team(viewer, &form)?;
        if let Some(team) = team {
            // Of this organization, also where the viewer may act for all of its teams.
            self.team_name(viewer, team).await?;
        }
        let now = crate::clock::now();
        let expires_at = match form.days.trim() {
            "" => None,
            text => {
                let days = text.parse::<i64>().ok().filter(|days| (1..=LONGEST).contains(days));
                let days = days.ok_or_else(|| invalid("days", "write a whole number of days, from 1 to 3650"))?;
                Some(Micros(now.0 + days * DAY))
            }
        };
        let key = api_key::new();
        let new = NewApiKey {
            team,
            user: owner,
            name: &name,
            public: &key.kept.public,
            hash: &key.kept.hash,
            scope: form.scope,
            now,
            expires_at,
        };
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            let made = store::api_keys::create(conn, viewer.organization, &new).await?;
            let after = json!({"key": format!("dash_{}", made.public), "scope": made.scope, "team": made.team, "service": form.service, "expires_at": made.expires_at});
            self.caller
                .record(conn, "key.create", format!("key {name}"), (None, Some(after)))
                .await
        };
        connection.transaction(write).await?;
        Ok(Done::say(format!("The key {name} is made.")).once(vec![key.whole.expose_secret().to_owned()]))
    }

    async fn revoke(&self, viewer: &Viewer, id: Uuid, service: bool) -> Result<Done, AppError> {
        let owner = self.owner(viewer, service)?;
        let mut connection = self.connection().await?;
        let keys = store::api_keys::list(&mut connection, viewer.organization, owner).await;
        let key = keys.map_err(Failure::from)?.into_iter().find(|key| key.id == id);
        let key = key.ok_or_else(|| AppError::NotFound {
            what: "key".into(),
            name: id.to_string(),
        })?;
        let write = async |conn: &mut RowConnection| {
            store::api_keys::revoke(conn, viewer.organization, id, crate::clock::now()).await?;
            let before = json!({"key": format!("dash_{}", key.public), "scope": key.scope});
            self.caller
                .record(conn, "key.revoke", format!("key {}", key.name), (Some(before), None))
                .await
        };
        connection.transaction(write).await?;
        self.state.keys.forget();
        Ok(Done::say(format!("The key {} is revoked.", key.name)))
    }
}

impl Asked {
    /// Whose keys these are: a service's are an admin's to manage, one's own everybody's who belongs here.
    fn owner(&self, viewer: &Viewer, service: bool) -> Result<Option<UserId>, AppError> {
        if service {
            allow(viewer, Action::ManageKeys, None, ("key", "of services"))?;
            return Ok(None);
        }
        let user = self.caller.user()?;
        allow(viewer, Action::SeePeople, None, ("key", "of yours"))?;
        Ok(Some(user.id))
    }
}

/// The team that a key is bound to. A key can do no more than whoever makes it.
fn team(viewer: &Viewer, form: &KeyForm) -> Result<Option<TeamId>, AppError> {
    let team = match form.team.trim() {
        "" => None,
        text => Some(TeamId(
            text.parse().map_err(|_| invalid("team", "there is no such team"))?,
        )),
    };
    let Who::Person(person) = &viewer.who else {
        return Err(AppError::SignIn);
    };
    if person.role >= OrganizationRole::Admin {
        return Ok(team);
    }
    // A key for all teams would see and change what its maker does not.
    if team.is_none() {
        return Err(invalid(
            "team",
            "choose one of your teams; only admins make keys for all of them",
        ));
    }
    let action = match form.scope {
        Scope::Read => Action::See,
        Scope::Ingest | Scope::Write => Action::Change,
        Scope::Admin => Action::ManageKeys,
    };
    allow(viewer, action, team, ("team", &form.team))?;
    Ok(team)
}
