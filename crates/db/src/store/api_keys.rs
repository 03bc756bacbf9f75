//! Keys of programs.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, TeamId, UserId, account::Scope};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{hash, micros, time, word};
use crate::{DbError, error::AccountError, schema::api_keys};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: Uuid,
    pub organization: OrganizationId,
    /// Nothing: for all teams.
    pub team: Option<TeamId>,
    /// Whose it is; nothing for a service's.
    pub user: Option<UserId>,
    pub name: String,
    pub public: String,
    pub hash: [u8; 32],
    pub scope: Scope,
    pub created_at: Micros,
    pub expires_at: Option<Micros>,
    pub last_used_at: Option<Micros>,
}

/// A key to keep.
pub struct NewApiKey<'a> {
    pub team: Option<TeamId>,
    pub user: Option<UserId>,
    pub name: &'a str,
    pub public: &'a str,
    pub hash: &'a [u8; 32],
    pub scope: Scope,
    pub now: Micros,
    pub expires_at: Option<Micros>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    team_id: Option<Uuid>,
    user_id: Option<Uuid>,
    name: String,
    public: String,
    hash: Vec<u8>,
    scope: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl Row {
    fn read(self) -> Result<ApiKey, DbError> {
        Ok(ApiKey {
            id: self.id,
            organization: OrganizationId(self.organization_id),
            team: self.team_id.map(TeamId),
            user: self.user_id.map(UserId),
            name: self.name,
            public: self.public,
            hash: hash("the hash of an API key", &self.hash)?,
            scope: word("the scope of an API key", &self.scope)?,
            created_at: micros(self.created_at),
            expires_at: self.expires_at.map(micros),
            last_used_at: self.last_used_at.map(micros),
        })
    }
}

/// # Errors
/// [`DbError::Query`] when team or person are not of this organization.
pub async fn create(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    new: &NewApiKey<'_>,
) -> Result<ApiKey, DbError> {
    let row: Row = diesel::insert_into(api_keys::table)
        .values((
            api_keys::id.eq(Uuid::now_v7()),
            api_keys::organization_id.eq(organization.0),
            api_keys::team_id.eq(new.team.map(|t| t.0)),
            api_keys::user_id.eq(new.user.map(|u| u.0)),
            api_keys::name.eq(new.name),
            api_keys::public.eq(new.public),
            api_keys::hash.eq(new.hash.as_slice()),
            api_keys::scope.eq(new.scope.word()),
            api_keys::created_at.eq(time(new.now)),
            api_keys::expires_at.eq(new.expires_at.map(time)),
        ))
        .returning(Row::as_returning())
        .get_result(conn)
        .await?;
    row.read()
}

/// The key that this names, if it works now. Whether its secret is right is for the caller to compare.
pub async fn find(conn: &mut AsyncPgConnection, public: &str, now: Micros) -> Result<Option<ApiKey>, DbError> {
    let row: Option<Row> = api_keys::table
        .filter(api_keys::public.eq(public))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(time(now))))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Row::read).transpose()
}

/// Those that are not revoked, newest first; of one person, or of services.
pub async fn list(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    user: Option<UserId>,
) -> Result<Vec<ApiKey>, DbError> {
    let rows: Vec<Row> = api_keys::table
        .filter(api_keys::organization_id.eq(organization.0))
        .filter(api_keys::user_id.is_not_distinct_from(user.map(|u| u.0)))
        .filter(api_keys::revoked_at.is_null())
        .order((api_keys::created_at.desc(), api_keys::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Row::read).collect()
}

/// # Errors
/// [`AccountError::NoKey`], also for a key of another organization.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    id: Uuid,
    now: Micros,
) -> Result<(), DbError> {
    let key = api_keys::table
        .find(id)
        .filter(api_keys::organization_id.eq(organization.0))
        .filter(api_keys::revoked_at.is_null());
    let revoked = diesel::update(key)
        .set(api_keys::revoked_at.eq(time(now)))
        .execute(conn)
        .await?;
    match revoked {
        0 => Err(AccountError::NoKey.into()),
        _ => Ok(()),
    }
}

/// Says that a key was used. Times only rise.
pub async fn touch(conn: &mut AsyncPgConnection, id: Uuid, at: Micros) -> Result<(), DbError> {
    let older = api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(time(at)));
    diesel::update(api_keys::table.find(id).filter(older))
        .set(api_keys::last_used_at.eq(time(at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Those of these that still work.
pub async fn working(conn: &mut AsyncPgConnection, ids: &[Uuid], now: Micros) -> Result<Vec<ApiKey>, DbError> {
    let rows: Vec<Row> = api_keys::table
        .filter(api_keys::id.eq_any(ids))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.is_null().or(api_keys::expires_at.gt(time(now))))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Row::read).collect()
}
