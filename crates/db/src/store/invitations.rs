//! Invitations to an organization.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, UserId, account::OrganizationRole};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{members, micros, time, word};
use crate::{
    DbError,
    error::AccountError,
    schema::{invitations, organizations},
};

/// An invitation that is still open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    pub id: Uuid,
    pub organization: OrganizationId,
    pub email: String,
    pub email_key: String,
    pub role: OrganizationRole,
    pub created_at: Micros,
    pub expires_at: Micros,
}

/// What to send.
pub struct NewInvitation<'a> {
    pub email: &'a str,
    /// The address in the one way to write it.
    pub email_key: &'a str,
    pub role: OrganizationRole,
    pub invited_by: Option<UserId>,
    /// Of the token in the link.
    pub hash: &'a [u8; 32],
    pub now: Micros,
    pub expires_at: Micros,
}

/// Invitations that nobody accepted or revoked. A macro, as diesel's type of it fills a page.
macro_rules! open {
    () => {
        invitations::table
            .filter(invitations::accepted_at.is_null())
            .filter(invitations::revoked_at.is_null())
    };
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = invitations, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    email: String,
    email_key: String,
    role: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl Row {
    fn read(self) -> Result<Invitation, DbError> {
        Ok(Invitation {
            id: self.id,
            organization: OrganizationId(self.organization_id),
            email: self.email,
            email_key: self.email_key,
            role: word("the role of an invitation", &self.role)?,
            created_at: micros(self.created_at),
            expires_at: micros(self.expires_at),
        })
    }
}

/// Invites an address; an earlier invitation of it stops working.
pub async fn create(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    new: &NewInvitation<'_>,
) -> Result<Invitation, DbError> {
    let write = async |conn: &mut AsyncPgConnection| {
        let earlier = open!()
            .filter(invitations::organization_id.eq(organization.0))
            .filter(invitations::email_key.eq(new.email_key));
        diesel::update(earlier)
            .set(invitations::revoked_at.eq(time(new.now)))
            .execute(conn)
            .await?;
        let row: Row = diesel::insert_into(invitations::table)
            .values((
                invitations::id.eq(Uuid::now_v7()),
                invitations::organization_id.eq(organization.0),
                invitations::email.eq(new.email),
                invitations::email_key.eq(new.email_key),
                invitations::role.eq(new.role.word()),
                invitations::invited_by.eq(new.invited_by.map(|u| u.0)),
                invitations::hash.eq(new.hash.as_slice()),
                invitations::created_at.eq(time(new.now)),
                invitations::expires_at.eq(time(new.expires_at)),
            ))
            .returning(Row::as_returning())
            .get_result(conn)
            .await?;
        row.read()
    };
    conn.transaction(write).await
}

/// Open ones, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    now: Micros,
) -> Result<Vec<Invitation>, DbError> {
    let rows: Vec<Row> = open!()
        .filter(invitations::organization_id.eq(organization.0))
        .filter(invitations::expires_at.gt(time(now)))
        .order((invitations::created_at.desc(), invitations::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Row::read).collect()
}

/// The open invitation whose token has this hash, and the name of its organization.
pub async fn find(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    now: Micros,
) -> Result<Option<(Invitation, String)>, DbError> {
    let row: Option<(Row, String)> = open!()
        .inner_join(organizations::table)
        .filter(invitations::hash.eq(hash.as_slice()))
        .filter(invitations::expires_at.gt(time(now)))
        .select((Row::as_select(), organizations::name))
        .first(conn)
        .await
        .optional()?;
    row.map(|(row, name)| Ok((row.read()?, name))).transpose()
}

/// Revokes what somebody left open; answers how many.
pub async fn revoke_all_by(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    by: UserId,
    now: Micros,
) -> Result<usize, DbError> {
    let theirs = open!()
        .filter(invitations::organization_id.eq(organization.0))
        .filter(invitations::invited_by.eq(by.0));
    let revoked = diesel::update(theirs).set(invitations::revoked_at.eq(time(now)));
    Ok(revoked.execute(conn).await?)
}

/// # Errors
/// [`AccountError::LinkGone`] when it is not open, or another organization's.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    id: Uuid,
    now: Micros,
) -> Result<(), DbError> {
    let own = open!()
        .filter(invitations::id.eq(id))
        .filter(invitations::organization_id.eq(organization.0));
    let revoked = diesel::update(own)
        .set(invitations::revoked_at.eq(time(now)))
        .execute(conn)
        .await?;
    match revoked {
        0 => Err(AccountError::LinkGone.into()),
        _ => Ok(()),
    }
}

/// Makes somebody a member by the invitation whose token has this hash. `email_key` is their address, which must be the invited one.
///
/// # Errors
/// [`AccountError::LinkGone`], also when it was sent to another address; [`AccountError::AlreadyMember`], and the invitation stays open.
pub async fn accept(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    user: UserId,
    email_key: &str,
    now: Micros,
) -> Result<Invitation, DbError> {
    let write = async |conn: &mut AsyncPgConnection| {
        let theirs = open!()
            .filter(invitations::hash.eq(hash.as_slice()))
            .filter(invitations::email_key.eq(email_key))
            .filter(invitations::expires_at.gt(time(now)));
        let row: Option<Row> = diesel::update(theirs)
            .set(invitations::accepted_at.eq(time(now)))
            .returning(Row::as_returning())
            .get_result(conn)
            .await
            .optional()?;
        let invitation = row.ok_or(AccountError::LinkGone)?.read()?;
        members::add(conn, invitation.organization, user, invitation.role).await?;
        Ok(invitation)
    };
    conn.transaction(write).await
}
