//! Organizations: the tenants.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{micros, time};
use crate::{DbError, error::AccountError, schema::organizations};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub id: OrganizationId,
    pub slug: String,
    pub name: String,
    /// When everything of it is deleted.
    pub delete_at: Option<Micros>,
    pub limits: Limits,
}

/// What an organization may have; nothing is what this server allows everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub pipelines: Option<i64>,
    pub events_a_month: Option<i64>,
    pub lake_bytes: Option<i64>,
    pub members: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = organizations, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    slug: String,
    name: String,
    delete_at: Option<DateTime<Utc>>,
    max_pipelines: Option<i64>,
    max_events_a_month: Option<i64>,
    max_lake_bytes: Option<i64>,
    max_members: Option<i64>,
}

impl From<Row> for Organization {
    fn from(row: Row) -> Self {
        Self {
            id: OrganizationId(row.id),
            slug: row.slug,
            name: row.name,
            delete_at: row.delete_at.map(micros),
            limits: Limits {
                pipelines: row.max_pipelines,
                events_a_month: row.max_events_a_month,
                lake_bytes: row.max_lake_bytes,
                members: row.max_members,
            },
        }
    }
}

/// By name.
pub async fn list(conn: &mut AsyncPgConnection) -> Result<Vec<Organization>, DbError> {
    let rows: Vec<Row> = organizations::table
        .order((organizations::name, organizations::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Organization::from).collect())
}

pub async fn get(conn: &mut AsyncPgConnection, id: OrganizationId) -> Result<Option<Organization>, DbError> {
    let row: Option<Row> = organizations::table
        .find(id.0)
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(Organization::from))
}

/// # Errors
/// [`DbError::SlugTaken`]
pub async fn create(conn: &mut AsyncPgConnection, slug: &str, name: &str) -> Result<Organization, DbError> {
    let row: Row = diesel::insert_into(organizations::table)
        .values((
            organizations::id.eq(Uuid::now_v7()),
            organizations::slug.eq(slug),
            organizations::name.eq(name),
        ))
        .returning(Row::as_returning())
        .get_result(conn)
        .await
        .map_err(|e| DbError::of_slug(e, slug))?;
    Ok(row.into())
}

pub async fn rename(conn: &mut AsyncPgConnection, id: OrganizationId, name: &str) -> Result<(), DbError> {
    changed(
        diesel::update(organizations::table.find(id.0))
            .set(organizations::name.eq(name))
            .execute(conn)
            .await?,
    )
}

/// Says when everything of it is to be deleted, or that it is not.
pub async fn set_delete_at(
    conn: &mut AsyncPgConnection,
    id: OrganizationId,
    at: Option<Micros>,
) -> Result<(), DbError> {
    changed(
        diesel::update(organizations::table.find(id.0))
            .set(organizations::delete_at.eq(at.map(time)))
            .execute(conn)
            .await?,
    )
}

pub async fn set_limits(conn: &mut AsyncPgConnection, id: OrganizationId, limits: Limits) -> Result<(), DbError> {
    changed(
        diesel::update(organizations::table.find(id.0))
            .set((
                organizations::max_pipelines.eq(limits.pipelines),
                organizations::max_events_a_month.eq(limits.events_a_month),
                organizations::max_lake_bytes.eq(limits.lake_bytes),
                organizations::max_members.eq(limits.members),
            ))
            .execute(conn)
            .await?,
    )
}

fn changed(rows: usize) -> Result<(), DbError> {
    match rows {
        0 => Err(AccountError::NoOrganization.into()),
        _ => Ok(()),
    }
}
