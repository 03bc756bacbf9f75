//! People.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, UserId, account::OrganizationRole};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{micros, time, word};
use crate::{
    DbError,
    error::AccountError,
    schema::{memberships, organizations, users},
};

/// Somebody with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// A PHC string.
    pub password_hash: Option<String>,
    pub email_confirmed_at: Option<Micros>,
    pub created_at: Micros,
}

/// An organization that somebody belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belongs {
    pub organization: OrganizationId,
    pub slug: String,
    pub name: String,
    pub role: OrganizationRole,
    /// When everything of it is deleted.
    pub delete_at: Option<Micros>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    email: String,
    name: String,
    password_hash: Option<String>,
    email_confirmed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: UserId(row.id),
            email: row.email,
            name: row.name,
            password_hash: row.password_hash,
            email_confirmed_at: row.email_confirmed_at.map(micros),
            created_at: micros(row.created_at),
        }
    }
}

/// `email_key` is the address in the one way to write it.
///
/// # Errors
/// [`AccountError::EmailTaken`]
pub async fn create(
    conn: &mut AsyncPgConnection,
    email: &str,
    email_key: &str,
    name: &str,
    password_hash: Option<&str>,
) -> Result<User, DbError> {
    let row: Row = diesel::insert_into(users::table)
        .values((
            users::id.eq(Uuid::now_v7()),
            users::email.eq(email),
            users::email_key.eq(email_key),
            users::name.eq(name),
            users::password_hash.eq(password_hash),
        ))
        .returning(Row::as_returning())
        .get_result(conn)
        .await
        .map_err(|e| DbError::of_unique(e, AccountError::EmailTaken))?;
    Ok(row.into())
}

pub async fn get(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, DbError> {
    let row: Option<Row> = users::table
        .find(id.0)
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(User::from))
}

pub async fn by_email(conn: &mut AsyncPgConnection, email_key: &str) -> Result<Option<User>, DbError> {
    let row: Option<Row> = users::table
        .filter(users::email_key.eq(email_key))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(User::from))
}

/// Sets the hash of a new password, or of the same with other parameters.
pub async fn set_password(conn: &mut AsyncPgConnection, id: UserId, hash: &str) -> Result<(), DbError> {
    diesel::update(users::table.find(id.0))
        .set(users::password_hash.eq(hash))
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_name(conn: &mut AsyncPgConnection, id: UserId, name: &str) -> Result<(), DbError> {
    diesel::update(users::table.find(id.0))
        .set(users::name.eq(name))
        .execute(conn)
        .await?;
    Ok(())
}

/// The first time counts.
pub async fn confirm_email(conn: &mut AsyncPgConnection, id: UserId, at: Micros) -> Result<(), DbError> {
    diesel::update(users::table.find(id.0).filter(users::email_confirmed_at.is_null()))
        .set(users::email_confirmed_at.eq(time(at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// The organizations of somebody that are not to be deleted by now, by name.
pub async fn organizations(conn: &mut AsyncPgConnection, id: UserId, now: Micros) -> Result<Vec<Belongs>, DbError> {
    let kept = organizations::delete_at
        .is_null()
        .or(organizations::delete_at.gt(time(now)));
    type Row = (Uuid, String, String, String, Option<DateTime<Utc>>);
    let rows: Vec<Row> = memberships::table
        .inner_join(organizations::table)
        .filter(memberships::user_id.eq(id.0))
        .filter(kept)
        .order((organizations::name, organizations::id))
        .select((
            organizations::id,
            organizations::slug,
            organizations::name,
            memberships::role,
            organizations::delete_at,
        ))
        .load(conn)
        .await?;
    let belongs = rows.into_iter().map(|(id, slug, name, role, delete_at)| {
        Ok(Belongs {
            organization: OrganizationId(id),
            slug,
            name,
            role: word("the role of a membership", &role)?,
            delete_at: delete_at.map(micros),
        })
    });
    belongs.collect()
}
