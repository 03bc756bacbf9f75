//! The organization, its people and its teams.

use leptos::{prelude::*, server_fn::codec::GetUrl};
use uuid::Uuid;

use crate::{
    AppError,
    form::Done,
    model::{
        TeamId, UserId,
        account::{OrganizationRole, TeamRole},
        people::{AuditEntry, AuditFilter, Letter, Limit, People},
    },
};

#[server(endpoint = "people", input = GetUrl)]
pub async fn list_people() -> Result<People, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.list(&ports.viewer).await
}

#[server(endpoint = "people/invite")]
pub async fn invite(email: String, role: OrganizationRole) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.invite(&ports.viewer, email, role).await
}

#[server(endpoint = "people/revoke-invitation")]
pub async fn revoke_invitation(id: Uuid) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.revoke_invitation(&ports.viewer, id).await
}

#[server(endpoint = "people/role")]
pub async fn set_role(user: UserId, role: OrganizationRole) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.set_role(&ports.viewer, user, role).await
}

#[server(endpoint = "people/remove")]
pub async fn remove_member(user: UserId) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.remove(&ports.viewer, user).await
}

#[server(endpoint = "people/leave")]
pub async fn leave_organization() -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.leave(&ports.viewer).await
}

#[server(endpoint = "people/hand-on")]
pub async fn hand_on(user: UserId) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.hand_on(&ports.viewer, user).await
}

#[server(endpoint = "teams/make")]
pub async fn make_team(name: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.make_team(&ports.viewer, name).await
}

#[server(endpoint = "teams/delete")]
pub async fn delete_team(team: TeamId) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.delete_team(&ports.viewer, team).await
}

#[server(endpoint = "teams/member")]
pub async fn set_team_member(team: TeamId, user: UserId, role: TeamRole) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.set_team_member(&ports.viewer, team, user, role).await
}

#[server(endpoint = "teams/remove-member")]
pub async fn remove_team_member(team: TeamId, user: UserId) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.people.remove_team_member(&ports.viewer, team, user).await
}

#[server(endpoint = "usage", input = GetUrl)]
pub async fn get_usage() -> Result<Vec<Limit>, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.usage(&ports.viewer).await
}

#[server(endpoint = "audit", input = GetUrl)]
pub async fn list_audit(filter: AuditFilter) -> Result<Vec<AuditEntry>, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.audit(&ports.viewer, filter).await
}

#[server(endpoint = "organizations/make")]
pub async fn make_organization(name: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.make(&ports.viewer, name).await
}

#[server(endpoint = "organization/name")]
pub async fn rename_organization(name: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.rename(&ports.viewer, name).await
}

#[server(endpoint = "organization/delete")]
pub async fn delete_organization(name: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.delete(&ports.viewer, name).await
}

#[server(endpoint = "organization/keep")]
pub async fn keep_organization() -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.keep(&ports.viewer).await
}

/// Letters of a server that sends none.
#[server(endpoint = "letters", input = GetUrl)]
pub async fn list_letters() -> Result<Vec<Letter>, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.letters(&ports.viewer).await
}

/// Gives a pipeline to a team; an empty one is the whole organization.
#[server(endpoint = "pipeline/team")]
pub async fn give_pipeline(pipeline: String, team: Option<String>) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    let team = team_of(team)?;
    ports.organizations.give_pipeline(&ports.viewer, pipeline, team).await
}

/// Gives a dashboard to a team; an empty one is the whole organization.
#[server(endpoint = "dashboard/team")]
pub async fn give_dashboard(slug: String, team: Option<String>) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    let team = team_of(team)?;
    ports.organizations.give_dashboard(&ports.viewer, slug, team).await
}

#[cfg(feature = "ssr")]
fn team_of(text: Option<String>) -> Result<Option<TeamId>, AppError> {
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| text.parse())
        .transpose()
        .map_err(|_| AppError::Invalid {
            field: "team".into(),
            reason: "there is no such team".into(),
        })
}
