//! What an organization has, for its limits: counted where it is, so that it cannot drift.

use dash_model::{Micros, OrganizationId};
use diesel::{QueryableByName, sql_query, sql_types};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::time;
use crate::DbError;

/// Counts and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Usage {
    #[diesel(sql_type = sql_types::Int8)]
    pub pipelines: i64,
    /// Open invitations included.
    #[diesel(sql_type = sql_types::Int8)]
    pub members: i64,
    /// Of the manifest, since the given time. What is in the spool is not in the manifest yet.
    #[diesel(sql_type = sql_types::Int8)]
    pub events: i64,
    /// Of the manifest, of all time.
    #[diesel(sql_type = sql_types::Int8)]
    pub lake_bytes: i64,
}

/// An index holds all that the manifest is asked for.
const SQL: &str = "
    SELECT (SELECT count(*) FROM pipelines WHERE organization_id = $1) AS pipelines,
           (SELECT count(*) FROM memberships WHERE organization_id = $1)
           + (SELECT count(*) FROM invitations WHERE organization_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $3)
           AS members,
           (SELECT coalesce(sum(rows), 0)::int8 FROM lake_objects WHERE organization_id = $1 AND created_at >= $2) AS events,
           (SELECT coalesce(sum(bytes), 0)::int8 FROM lake_objects WHERE organization_id = $1) AS lake_bytes";

pub async fn of(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    events_since: Micros,
    now: Micros,
) -> Result<Usage, DbError> {
    Ok(sql_query(SQL)
        .bind::<sql_types::Uuid, _>(organization.0)
        .bind::<sql_types::Timestamptz, _>(time(events_since))
        .bind::<sql_types::Timestamptz, _>(time(now))
        .get_result(conn)
        .await?)
}
