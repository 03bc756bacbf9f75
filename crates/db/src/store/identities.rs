//! Accounts elsewhere that sign somebody in here (OpenID Connect). The subject is who it is; an address is not.

use chrono::{DateTime, Utc};
use dash_model::{Micros, UserId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{micros, time};
use crate::{DbError, error::AccountError, schema::identities};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    pub created_at: Micros,
}

/// Whose it is; notes that it was used.
pub async fn used(
    conn: &mut AsyncPgConnection,
    issuer: &str,
    subject: &str,
    now: Micros,
) -> Result<Option<UserId>, DbError> {
    let user: Option<Uuid> = diesel::update(identities::table.find((issuer, subject)))
        .set(identities::last_used_at.eq(time(now)))
        .returning(identities::user_id)
        .get_result(conn)
        .await
        .optional()?;
    Ok(user.map(UserId))
}

/// # Errors
/// [`AccountError::IdentityTaken`] when it signs somebody in already.
pub async fn link(
    conn: &mut AsyncPgConnection,
    user: UserId,
    issuer: &str,
    subject: &str,
    email: Option<&str>,
) -> Result<(), DbError> {
    diesel::insert_into(identities::table)
        .values((
            identities::issuer.eq(issuer),
            identities::subject.eq(subject),
            identities::user_id.eq(user.0),
            identities::email.eq(email),
        ))
        .execute(conn)
        .await
        .map_err(|e| DbError::of_unique(e, AccountError::IdentityTaken))?;
    Ok(())
}

pub async fn list(conn: &mut AsyncPgConnection, user: UserId) -> Result<Vec<Linked>, DbError> {
    let rows: Vec<(String, String, Option<String>, DateTime<Utc>)> = identities::table
        .filter(identities::user_id.eq(user.0))
        .order((identities::created_at, identities::issuer, identities::subject))
        .select((
            identities::issuer,
            identities::subject,
            identities::email,
            identities::created_at,
        ))
        .load(conn)
        .await?;
    let linked = rows.into_iter().map(|(issuer, subject, email, created_at)| Linked {
        issuer,
        subject,
        email,
        created_at: micros(created_at),
    });
    Ok(linked.collect())
}

/// Answers whether it was theirs.
pub async fn unlink(conn: &mut AsyncPgConnection, user: UserId, issuer: &str, subject: &str) -> Result<bool, DbError> {
    let own = identities::table
        .find((issuer, subject))
        .filter(identities::user_id.eq(user.0));
    Ok(diesel::delete(own).execute(conn).await? > 0)
}
