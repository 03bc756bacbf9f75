//! Who belongs to the organization, and to its teams.

use app::{
    AppError,
    form::Done,
    ports::{People, Viewer},
};
use async_trait::async_trait;
use dash_accounts::{
    policy::{Action, Who},
    token::{self, Purpose},
};
use dash_db::{
    AccountError, AsyncConnection as _, DbError, RowConnection, store,
    store::{invitations::NewInvitation, members::Member as Row},
};
use dash_mail::Letter;
use dash_model::{
    OrganizationId, TeamId, UserId,
    account::{OrganizationRole, TeamRole},
    people::{Invitation, Limited, Member, People as List, Team, TeamMember},
    pipeline::slugify,
};
use serde_json::json;
use uuid::Uuid;

use super::Asked;
use crate::{
    access::allow,
    accounts::{self, invalid, post, set_up::expiry},
    config::Mail,
    failure::Failure,
};

#[async_trait]
impl People for Asked {
    async fn list(&self, viewer: &Viewer) -> Result<List, AppError> {
        allow(viewer, Action::SeePeople, None, ("organization", ""))?;
        let manages = allow(viewer, Action::ManagePeople, None, ("organization", "")).is_ok();
        Ok(self.everybody(viewer.organization, manages).await?)
    }

    async fn invite(&self, viewer: &Viewer, email: String, role: OrganizationRole) -> Result<Done, AppError> {
        self.manages(viewer, role)?;
        let email = accounts::email(&email)?;
        let user = self.caller.user()?;
        self.state.rates.invitation(user.id)?;
        self.state.rates.letter(Purpose::Invitation, &email.key())?;
        let (secret, hash) = token::new(Purpose::Invitation);
        let (purpose, now) = (Purpose::Invitation, crate::clock::now());
        let link = self.state.config.accounts.link_with("/invitation", &secret);
        let new = NewInvitation {
            email: email.as_str(),
            email_key: &email.key(),
            role,
            invited_by: Some(user.id),
            hash: &hash.0,
            now,
            expires_at: expiry(purpose, now),
        };
        let mut connection = self.connection().await?;
        let members = store::members::list(&mut connection, viewer.organization).await;
        if members
            .map_err(Failure::from)?
            .iter()
            .any(|m| m.email.to_lowercase() == email.key())
        {
            return Err(invalid("email", "they belong to this organization already"));
        }
        let write = async |conn: &mut RowConnection| {
            self.state
                .quotas
                .one_more(conn, viewer.organization, Limited::Members)
                .await?;
            store::invitations::create(conn, viewer.organization, &new).await?;
            let organization = store::organizations::get(conn, viewer.organization).await?;
            let letter = Letter::Invitation {
                link: link.clone(),
                organization: organization.map(|o| o.name).unwrap_or_default(),
                by: user.name.clone(),
                role: role.to_string(),
                days: u32::try_from(purpose.lifetime().as_secs() / 86_400).unwrap_or(u32::MAX),
            };
            post::write(conn, &self.state, email.as_str(), &letter).await?;
            let after = json!({"role": role});
            self.caller
                .record(conn, "member.invite", format!("person {email}"), (None, Some(after)))
                .await
        };
        connection.transaction(write).await?;
        // Where nobody sends a letter, whoever invites hands the link over.
        Ok(match self.state.config.accounts.mail {
            Mail::None => Done::say(format!(
                "{email} is invited. This server sends no mail; give them this link:"
            ))
            .once(vec![link]),
            _ => Done::say(format!("{email} is invited: a letter is on its way.")),
        })
    }

    async fn revoke_invitation(&self, viewer: &Viewer, id: Uuid) -> Result<Done, AppError> {
        allow(viewer, Action::ManagePeople, None, ("invitation", ""))?;
        let now = crate::clock::now();
        let mut connection = self.connection().await?;
        let open = store::invitations::list(&mut connection, viewer.organization, now).await;
        let invitation = open.map_err(Failure::from)?.into_iter().find(|i| i.id == id);
        let invitation = invitation.ok_or_else(|| AppError::NotFound {
            what: "invitation".into(),
            name: id.to_string(),
        })?;
        self.may_give(viewer, invitation.role)?;
        let write = async |conn: &mut RowConnection| {
            store::invitations::revoke(conn, viewer.organization, id, now).await?;
            let before = json!({"role": invitation.role});
            let target = format!("person {}", invitation.email);
            self.caller
                .record(conn, "member.uninvite", target, (Some(before), None))
                .await
        };
        connection.transaction(write).await?;
        Ok(Done::say(format!("The invitation of {} is revoked.", invitation.email)))
    }

    async fn set_role(&self, viewer: &Viewer, user: UserId, role: OrganizationRole) -> Result<Done, AppError> {
        self.manages(viewer, role)?;
        let member = self.member(viewer, user).await?;
        self.may_give(viewer, member.role)?;
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            let before = store::members::set_role(conn, viewer.organization, user, role).await?;
            // Nobody comes in by the word of somebody who could not invite them any more.
            store::invitations::revoke_all_by(conn, viewer.organization, user, crate::clock::now()).await?;
            store::sessions::end_all(conn, user, None).await?;
            let change = (Some(json!({"role": before})), Some(json!({"role": role})));
            self.caller
                .record(conn, "member.role", format!("person {}", member.email), change)
                .await
        };
        connection.transaction(write).await?;
        drop(connection);
        self.sessions_changed().await;
        Ok(Done::say(format!(
            "{} is {role} now, and has to sign in again.",
            member.name
        )))
    }

    async fn remove(&self, viewer: &Viewer, user: UserId) -> Result<Done, AppError> {
        allow(viewer, Action::ManagePeople, None, ("person", ""))?;
        let member = self.member(viewer, user).await?;
        self.may_give(viewer, member.role)?;
        self.take_out(viewer.organization, &member, "member.remove").await?;
        Ok(Done::say(format!("{} no longer belongs to it.", member.name)))
    }

    async fn leave(&self, viewer: &Viewer) -> Result<Done, AppError> {
        let user = self.caller.user()?.id;
        let member = self.member(viewer, user).await?;
        self.take_out(viewer.organization, &member, "member.leave").await?;
        Ok(Done::go("/sign-in").and_say("You have left it."))
    }

    async fn hand_on(&self, viewer: &Viewer, user: UserId) -> Result<Done, AppError> {
        allow(viewer, Action::HandOnOwnership, None, ("organization", ""))?;
        let from = self.caller.user()?.id;
        let member = self.member(viewer, user).await?;
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::members::hand_on(conn, viewer.organization, from, user).await?;
            store::invitations::revoke_all_by(conn, viewer.organization, from, crate::clock::now()).await?;
            store::sessions::end_all(conn, user, None).await?;
            store::sessions::end_all(conn, from, None).await?;
            let after = json!({"owner": member.email});
            self.caller
                .record(
                    conn,
                    "organization.hand_on",
                    format!("person {}", member.email),
                    (None, Some(after)),
                )
                .await
        };
        connection.transaction(write).await?;
        drop(connection);
        self.sessions_changed().await;
        Ok(Done::go("/sign-in").and_say(format!(
            "{} owns it now, and you are an admin. Sign in again.",
            member.name
        )))
    }

    async fn make_team(&self, viewer: &Viewer, name: String) -> Result<Done, AppError> {
        allow(viewer, Action::ManagePeople, None, ("team", ""))?;
        let name = accounts::name(&name)?;
        let slug = slugify(&name);
        if slug.is_empty() {
            return Err(invalid("name", "write at least one letter or digit"));
        }
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::teams::create(conn, viewer.organization, &slug, &name).await?;
            self.caller
                .record(conn, "team.create", format!("team {name}"), (None, None))
                .await
        };
        connection.transaction(write).await?;
        Ok(Done::say(format!("The team {name} is made.")))
    }

    async fn delete_team(&self, viewer: &Viewer, team: TeamId) -> Result<Done, AppError> {
        allow(viewer, Action::ManagePeople, Some(team), ("team", ""))?;
        let name = self.team_name(viewer, team).await?;
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::teams::delete(conn, viewer.organization, team).await?;
            self.caller
                .record(conn, "team.delete", format!("team {name}"), (None, None))
                .await
        };
        connection.transaction(write).await?;
        Ok(Done::say(format!("The team {name} is gone.")))
    }

    async fn set_team_member(
        &self,
        viewer: &Viewer,
        team: TeamId,
        user: UserId,
        role: TeamRole,
    ) -> Result<Done, AppError> {
        allow(viewer, Action::ManagePeople, Some(team), ("team", ""))?;
        let (name, member) = (self.team_name(viewer, team).await?, self.member(viewer, user).await?);
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::teams::set_member(conn, viewer.organization, team, user, role).await?;
            store::sessions::end_all(conn, user, self.own_session(user)).await?;
            let after = json!({"person": member.email, "role": role});
            self.caller
                .record(conn, "team.member", format!("team {name}"), (None, Some(after)))
                .await
        };
        connection.transaction(write).await?;
        drop(connection);
        self.sessions_changed().await;
        Ok(Done::say(format!("{} is {role} in {name}.", member.name)))
    }

    async fn remove_team_member(&self, viewer: &Viewer, team: TeamId, user: UserId) -> Result<Done, AppError> {
        allow(viewer, Action::ManagePeople, Some(team), ("team", ""))?;
        let (name, member) = (self.team_name(viewer, team).await?, self.member(viewer, user).await?);
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::teams::remove_member(conn, viewer.organization, team, user).await?;
            store::sessions::end_all(conn, user, self.own_session(user)).await?;
            let before = json!({"person": member.email});
            self.caller
                .record(conn, "team.remove_member", format!("team {name}"), (Some(before), None))
                .await
        };
        connection.transaction(write).await?;
        drop(connection);
        self.sessions_changed().await;
        Ok(Done::say(format!("{} is no longer in {name}.", member.name)))
    }
}

impl Asked {
    async fn everybody(&self, organization: OrganizationId, manages: bool) -> Result<List, Failure> {
        let mut connection = self.connection().await?;
        let members = store::members::list(&mut connection, organization).await?;
        let within = store::teams::members(&mut connection, organization).await?;
        let teams = store::teams::list(&mut connection, organization).await?;
        let invitations = match manages {
            true => Some(store::invitations::list(&mut connection, organization, crate::clock::now()).await?),
            false => None,
        };
        let team = |team: store::teams::Team| Team {
            id: team.id,
            name: team.name,
            members: within
                .iter()
                .filter(|m| m.team == team.id)
                .map(|m| TeamMember {
                    user: m.user,
                    name: m.name.clone(),
                    email: m.email.clone(),
                    role: m.role,
                })
                .collect(),
        };
        let member = |m: Row| Member {
            user: m.user,
            name: m.name,
            email: m.email,
            role: m.role,
            joined_at: m.joined_at,
        };
        let invitation = |i: store::invitations::Invitation| Invitation {
            id: i.id,
            email: i.email,
            role: i.role,
            expires_at: i.expires_at,
        };
        Ok(List {
            members: members.into_iter().map(member).collect(),
            invitations: invitations.map(|all| all.into_iter().map(invitation).collect()),
            teams: teams.into_iter().map(team).collect(),
        })
    }

    /// Whether the viewer manages people and may give this role.
    fn manages(&self, viewer: &Viewer, role: OrganizationRole) -> Result<(), AppError> {
        allow(viewer, Action::ManagePeople, None, ("organization", ""))?;
        self.may_give(viewer, role)
    }

    /// Nobody gives or takes a role that is above their own.
    fn may_give(&self, viewer: &Viewer, role: OrganizationRole) -> Result<(), AppError> {
        match &viewer.who {
            Who::Person(person) if person.role >= role => Ok(()),
            _ => Err(AppError::Forbidden {
                needs: "the role of an owner in this organization".into(),
            }),
        }
    }

    async fn member(&self, viewer: &Viewer, user: UserId) -> Result<Row, AppError> {
        let all = store::members::list(&mut *self.connection().await?, viewer.organization).await;
        let found = all.map_err(Failure::from)?.into_iter().find(|m| m.user == user);
        found.ok_or_else(|| AppError::NotFound {
            what: "person".into(),
            name: user.to_string(),
        })
    }

    pub(super) async fn team_name(&self, viewer: &Viewer, team: TeamId) -> Result<String, AppError> {
        let all = store::teams::list(&mut *self.connection().await?, viewer.organization).await;
        let found = all.map_err(Failure::from)?.into_iter().find(|t| t.id == team);
        found.map(|t| t.name).ok_or_else(|| AppError::NotFound {
            what: "team".into(),
            name: team.to_string(),
        })
    }

    /// The one that asks stays, when it is about themselves.
    fn own_session(&self, user: UserId) -> Option<&store::sessions::SessionHash> {
        self.caller
            .hash
            .as_ref()
            .filter(|_| self.caller.viewer.user == Some(user))
    }

    async fn take_out(&self, organization: OrganizationId, member: &Row, action: &str) -> Result<(), AppError> {
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            let before = store::members::remove(conn, organization, member.user).await?;
            store::invitations::revoke_all_by(conn, organization, member.user, crate::clock::now()).await?;
            store::sessions::end_all(conn, member.user, None).await?;
            let target = format!("person {}", member.email);
            self.caller
                .record(conn, action, target, (Some(json!({"role": before})), None))
                .await
        };
        let done = connection.transaction(write).await;
        drop(connection);
        self.sessions_changed().await;
        match done {
            Err(Failure::Database(DbError::Account(AccountError::NotMember))) => Err(AppError::NotFound {
                what: "person".into(),
                name: member.email.clone(),
            }),
            other => Ok(other?),
        }
    }
}
