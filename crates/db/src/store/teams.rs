//! Teams of an organization, and who is in them.

use std::collections::BTreeMap;

use dash_model::{OrganizationId, TeamId, UserId, account::TeamRole};
use diesel::{
    prelude::*,
    result::{DatabaseErrorKind, Error as DieselError},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::word;
use crate::{
    DbError,
    error::AccountError,
    schema::{team_members, teams, users},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub id: TeamId,
    pub slug: String,
    pub name: String,
}

/// # Errors
/// [`AccountError::TeamTaken`] when the organization has the slug.
pub async fn create(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    slug: &str,
    name: &str,
) -> Result<Team, DbError> {
    let id = Uuid::now_v7();
    diesel::insert_into(teams::table)
        .values((
            teams::id.eq(id),
            teams::organization_id.eq(organization.0),
            teams::slug.eq(slug),
            teams::name.eq(name),
        ))
        .execute(conn)
        .await
        .map_err(|e| DbError::of_unique(e, AccountError::TeamTaken))?;
    Ok(Team {
        id: TeamId(id),
        slug: slug.to_owned(),
        name: name.to_owned(),
    })
}

/// By name.
pub async fn list(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<Vec<Team>, DbError> {
    let rows: Vec<(Uuid, String, String)> = teams::table
        .filter(teams::organization_id.eq(organization.0))
        .order((teams::name, teams::id))
        .select((teams::id, teams::slug, teams::name))
        .load(conn)
        .await?;
    let teams = rows.into_iter().map(|(id, slug, name)| Team {
        id: TeamId(id),
        slug,
        name,
    });
    Ok(teams.collect())
}

/// Deletes a team; its members stay in the organization.
///
/// # Errors
/// [`AccountError::NoTeam`], also for a team of another organization; [`AccountError::TeamHasThings`].
pub async fn delete(conn: &mut AsyncPgConnection, organization: OrganizationId, team: TeamId) -> Result<(), DbError> {
    let own = teams::table
        .find(team.0)
        .filter(teams::organization_id.eq(organization.0));
    match diesel::delete(own).execute(conn).await {
        Ok(0) => Err(AccountError::NoTeam.into()),
        Ok(_) => Ok(()),
        Err(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
            Err(AccountError::TeamHasThings.into())
        }
        Err(other) => Err(other.into()),
    }
}

/// Puts somebody into a team, or gives them another role there.
///
/// # Errors
/// [`AccountError::NoTeam`] and [`AccountError::NotMember`], also for what is another organization's.
pub async fn set_member(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    team: TeamId,
    user: UserId,
    role: TeamRole,
) -> Result<(), DbError> {
    // A row of this pair that is another organization's is not ours to change.
    let own = teams::table
        .find(team.0)
        .filter(teams::organization_id.eq(organization.0));
    if !diesel::select(diesel::dsl::exists(own)).get_result(conn).await? {
        return Err(AccountError::NoTeam.into());
    }
    let written = diesel::insert_into(team_members::table)
        .values((
            team_members::organization_id.eq(organization.0),
            team_members::team_id.eq(team.0),
            team_members::user_id.eq(user.0),
            team_members::role.eq(role.word()),
        ))
        .on_conflict((team_members::team_id, team_members::user_id))
        .do_update()
        .set(team_members::role.eq(role.word()))
        .execute(conn)
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, info)) => {
            let person = info.constraint_name().is_some_and(|name| name.contains("user_id"));
            Err(match person {
                true => AccountError::NotMember,
                false => AccountError::NoTeam,
            }
            .into())
        }
        Err(other) => Err(other.into()),
    }
}

/// # Errors
/// [`AccountError::NotMember`]
pub async fn remove_member(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    team: TeamId,
    user: UserId,
) -> Result<(), DbError> {
    let row = team_members::table
        .find((team.0, user.0))
        .filter(team_members::organization_id.eq(organization.0));
    match diesel::delete(row).execute(conn).await? {
        0 => Err(AccountError::NotMember.into()),
        _ => Ok(()),
    }
}

/// Somebody in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamMember {
    pub team: TeamId,
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub role: TeamRole,
}

/// Everybody in every team of an organization, by name.
pub async fn members(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<Vec<TeamMember>, DbError> {
    let rows: Vec<(Uuid, Uuid, String, String, String)> = team_members::table
        .inner_join(users::table.on(users::id.eq(team_members::user_id)))
        .filter(team_members::organization_id.eq(organization.0))
        .order((users::name, users::id))
        .select((
            team_members::team_id,
            users::id,
            users::email,
            users::name,
            team_members::role,
        ))
        .load(conn)
        .await?;
    let members = rows.into_iter().map(|(team, user, email, name, role)| {
        Ok(TeamMember {
            team: TeamId(team),
            user: UserId(user),
            email,
            name,
            role: word("the role in a team", &role)?,
        })
    });
    members.collect()
}

/// The teams that somebody is in.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: UserId,
) -> Result<BTreeMap<TeamId, TeamRole>, DbError> {
    let rows: Vec<(Uuid, String)> = team_members::table
        .filter(team_members::organization_id.eq(organization.0))
        .filter(team_members::user_id.eq(user.0))
        .select((team_members::team_id, team_members::role))
        .load(conn)
        .await?;
    let teams = rows
        .into_iter()
        .map(|(team, role)| Ok((TeamId(team), word("the role in a team", &role)?)));
    teams.collect()
}
