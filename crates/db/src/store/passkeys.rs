//! Passkeys: public keys and counters, no secrets.

use chrono::{DateTime, Utc};
use dash_model::{Micros, UserId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{micros, time};
use crate::{DbError, error::AccountError, schema::passkeys};

#[derive(Clone, Debug, PartialEq)]
pub struct Passkey {
    pub id: Uuid,
    pub user: UserId,
    pub name: String,
    /// `dash_passkey::Stored`
    pub stored: serde_json::Value,
    pub created_at: Micros,
    pub last_used_at: Option<Micros>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = passkeys, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    user_id: Uuid,
    name: String,
    stored: serde_json::Value,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Row> for Passkey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user: UserId(row.user_id),
            name: row.name,
            stored: row.stored,
            created_at: micros(row.created_at),
            last_used_at: row.last_used_at.map(micros),
        }
    }
}

/// # Errors
/// [`AccountError::IdentityTaken`] when somebody has it already.
pub async fn add(
    conn: &mut AsyncPgConnection,
    user: UserId,
    credential: &[u8],
    name: &str,
    stored: &serde_json::Value,
) -> Result<(), DbError> {
    diesel::insert_into(passkeys::table)
        .values((
            passkeys::credential_id.eq(credential),
            passkeys::id.eq(Uuid::now_v7()),
            passkeys::user_id.eq(user.0),
            passkeys::name.eq(name),
            passkeys::stored.eq(stored),
        ))
        .execute(conn)
        .await
        .map_err(|e| DbError::of_unique(e, AccountError::IdentityTaken))?;
    Ok(())
}

/// Of somebody, oldest first.
pub async fn list(conn: &mut AsyncPgConnection, user: UserId) -> Result<Vec<Passkey>, DbError> {
    let rows: Vec<Row> = passkeys::table
        .filter(passkeys::user_id.eq(user.0))
        .order((passkeys::created_at, passkeys::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Passkey::from).collect())
}

/// Notes that it was used, and what changed of it.
pub async fn used(
    conn: &mut AsyncPgConnection,
    credential: &[u8],
    stored: Option<&serde_json::Value>,
    now: Micros,
) -> Result<(), DbError> {
    let row = passkeys::table.find(credential);
    diesel::update(row)
        .set(passkeys::last_used_at.eq(time(now)))
        .execute(conn)
        .await?;
    if let Some(stored) = stored {
        diesel::update(row)
            .set(passkeys::stored.eq(stored))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Answers whether it was theirs.
pub async fn remove(conn: &mut AsyncPgConnection, user: UserId, id: Uuid) -> Result<bool, DbError> {
    let own = passkeys::table
        .filter(passkeys::id.eq(id))
        .filter(passkeys::user_id.eq(user.0));
    Ok(diesel::delete(own).execute(conn).await? > 0)
}
