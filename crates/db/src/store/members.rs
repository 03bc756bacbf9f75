//! Who belongs to an organization. Changes to its owners come one after the other, so that it always has one.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, UserId, account::OrganizationRole};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{micros, time, word};
use crate::{
    DbError,
    error::AccountError,
    schema::{memberships, organizations, users},
};

/// Somebody in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub role: OrganizationRole,
    pub joined_at: Micros,
}

/// Owners first, then by name.
pub async fn list(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<Vec<Member>, DbError> {
    let rows: Vec<(Uuid, String, String, String, DateTime<Utc>)> = memberships::table
        .inner_join(users::table)
        .filter(memberships::organization_id.eq(organization.0))
        .order((users::name, users::id))
        .select((
            users::id,
            users::email,
            users::name,
            memberships::role,
            memberships::joined_at,
        ))
        .load(conn)
        .await?;
    let mut members = rows
        .into_iter()
        .map(|(id, email, name, role, joined_at)| {
            Ok(Member {
                user: UserId(id),
                email,
                name,
                role: word("the role of a membership", &role)?,
                joined_at: micros(joined_at),
            })
        })
        .collect::<Result<Vec<_>, DbError>>()?;
    members.sort_by_key(|m| std::cmp::Reverse(m.role));
    Ok(members)
}

/// Whether an organization has an owner: each has, from its beginning on, but the first before it is set up.
pub async fn has_owner(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<bool, DbError> {
    let owners = memberships::table
        .filter(memberships::organization_id.eq(organization.0))
        .filter(memberships::role.eq(OrganizationRole::Owner.word()));
    let any = diesel::select(diesel::dsl::exists(owners));
    Ok(any.get_result(conn).await?)
}

pub async fn role(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: UserId,
) -> Result<Option<OrganizationRole>, DbError> {
    let role: Option<String> = memberships::table
        .find((organization.0, user.0))
        .select(memberships::role)
        .first(conn)
        .await
        .optional()?;
    role.map(|role| word("the role of a membership", &role)).transpose()
}

/// How many organizations somebody owns, those included that wait for their end. Until the transaction ends nobody else counts the same
/// person's: two that are made at the same moment would each not see the other.
pub async fn owned(conn: &mut AsyncPgConnection, user: UserId, now: Micros) -> Result<i64, DbError> {
    let _: Option<Uuid> = users::table
        .find(user.0)
        .select(users::id)
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    let kept = organizations::delete_at
        .is_null()
        .or(organizations::delete_at.gt(time(now)));
    let count: i64 = memberships::table
        .inner_join(organizations::table)
        .filter(memberships::user_id.eq(user.0))
        .filter(memberships::role.eq(OrganizationRole::Owner.word()))
        .filter(kept)
        .count()
        .get_result(conn)
        .await?;
    Ok(count)
}

/// # Errors
/// [`AccountError::AlreadyMember`]
pub async fn add(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: UserId,
    role: OrganizationRole,
) -> Result<(), DbError> {
    diesel::insert_into(memberships::table)
        .values((
            memberships::organization_id.eq(organization.0),
            memberships::user_id.eq(user.0),
            memberships::role.eq(role.word()),
        ))
        .execute(conn)
        .await
        .map_err(|e| DbError::of_unique(e, AccountError::AlreadyMember))?;
    Ok(())
}

/// Gives another role, and answers the one before.
///
/// # Errors
/// [`AccountError::NotMember`], [`AccountError::LastOwner`].
pub async fn set_role(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: UserId,
    role: OrganizationRole,
) -> Result<OrganizationRole, DbError> {
    let change = async |conn: &mut AsyncPgConnection| {
        let before = leaving(conn, organization, user, role != OrganizationRole::Owner).await?;
        write(conn, organization, user, role).await?;
        Ok(before)
    };
    conn.transaction(change).await
}

/// Takes somebody out, with their places in teams and their personal keys. Leaving is the same, done by themselves.
///
/// # Errors
/// [`AccountError::NotMember`], [`AccountError::LastOwner`].
pub async fn remove(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: UserId,
) -> Result<OrganizationRole, DbError> {
    let change = async |conn: &mut AsyncPgConnection| {
        let before = leaving(conn, organization, user, true).await?;
        diesel::delete(memberships::table.find((organization.0, user.0)))
            .execute(conn)
            .await?;
        Ok(before)
    };
    conn.transaction(change).await
}

/// Makes `to` an owner and `from` an admin, at once.
///
/// # Errors
/// [`AccountError::NotMember`] for either; `from` must be an owner, too.
pub async fn hand_on(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    from: UserId,
    to: UserId,
) -> Result<(), DbError> {
    let change = async |conn: &mut AsyncPgConnection| {
        lock(conn, organization).await?;
        if role(conn, organization, from).await? != Some(OrganizationRole::Owner) {
            return Err(AccountError::NotMember.into());
        }
        write(conn, organization, from, OrganizationRole::Admin).await?;
        write(conn, organization, to, OrganizationRole::Owner).await
    };
    conn.transaction(change).await
}

async fn write(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: UserId,
    role: OrganizationRole,
) -> Result<(), DbError> {
    let written = diesel::update(memberships::table.find((organization.0, user.0)))
        .set(memberships::role.eq(role.word()))
        .execute(conn)
        .await?;
    match written {
        0 => Err(AccountError::NotMember.into()),
        _ => Ok(()),
    }
}

/// The role of somebody who is about to have another; an owner who is to be none must not be the last.
async fn leaving(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: UserId,
    ends_ownership: bool,
) -> Result<OrganizationRole, DbError> {
    lock(conn, organization).await?;
    let before = role(conn, organization, user).await?.ok_or(AccountError::NotMember)?;
    if ends_ownership && before == OrganizationRole::Owner {
        let owners: i64 = memberships::table
            .filter(memberships::organization_id.eq(organization.0))
            .filter(memberships::role.eq(OrganizationRole::Owner.word()))
            .count()
            .get_result(conn)
            .await?;
        if owners < 2 {
            return Err(AccountError::LastOwner.into());
        }
    }
    Ok(before)
}

/// Changes to an organization that others must not make at the same time wait for each other: two owners who leave at the same moment would
/// each see the other.
pub async fn lock(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<(), DbError> {
    let found: Option<Uuid> = organizations::table
        .find(organization.0)
        .select(organizations::id)
        .for_update()
        .first(conn)
        .await
        .optional()?;
    found.map(drop).ok_or_else(|| AccountError::NoOrganization.into())
}
