//! What lets a request in: ingest keys, of which only hashes are stored, and secrets that bodies are signed with.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, PipelineId};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Queryable, Selectable,
    SelectableHelper, pg::Pg,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{micros, time};
use crate::{DbError, schema::ingest_keys};

/// A key that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticated {
    pub key: Uuid,
    pub pipeline: PipelineId,
    pub organization: OrganizationId,
}

/// A key as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestKey {
    pub id: Uuid,
    /// The first characters, by which people tell keys apart.
    pub hint: String,
    pub created_at: Micros,
    pub last_used_at: Option<Micros>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = ingest_keys, check_for_backend(Pg))]
struct KeyRow {
    id: Uuid,
    hint: String,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(Insertable)]
#[diesel(table_name = ingest_keys)]
struct NewKey<'a> {
    id: Uuid,
    organization_id: Uuid,
    pipeline_id: Uuid,
    hash: &'a [u8],
    hint: &'a str,
}

/// Adds a key by its SHA-256 and answers its id.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    pipeline: PipelineId,
    hash: &[u8; 32],
    hint: &str,
) -> Result<Uuid, DbError> {
    let key = NewKey {
        id: Uuid::now_v7(),
        organization_id: organization.0,
        pipeline_id: pipeline.0,
        hash,
        hint,
    };
    diesel::insert_into(ingest_keys::table)
        .values(&key)
        .execute(conn)
        .await?;
    Ok(key.id)
}

/// Whose key has this hash. A lookup in an index by the hash of 256 random bits tells a guesser nothing by its duration.
pub async fn authenticate(conn: &mut AsyncPgConnection, hash: &[u8; 32]) -> Result<Option<Authenticated>, DbError> {
    let row: Option<(Uuid, Uuid, Uuid)> = ingest_keys::table
        .filter(ingest_keys::hash.eq(hash.as_slice()))
        .select((ingest_keys::id, ingest_keys::pipeline_id, ingest_keys::organization_id))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(key, pipeline, organization)| Authenticated {
        key,
        pipeline: PipelineId(pipeline),
        organization: OrganizationId(organization),
    }))
}

/// Notes when keys were last used; never moves back. Call it now and then for many keys, not with every request.
pub async fn touch(conn: &mut AsyncPgConnection, keys: &[Uuid], at: Micros) -> Result<usize, DbError> {
    let at = time(at);
    let older = ingest_keys::last_used_at.is_null().or(ingest_keys::last_used_at.lt(at));
    let touched = diesel::update(ingest_keys::table.filter(ingest_keys::id.eq_any(keys)).filter(older))
        .set(ingest_keys::last_used_at.eq(at))
        .execute(conn)
        .await?;
    Ok(touched)
}

/// The keys of a pipeline, oldest first.
pub async fn list(conn: &mut AsyncPgConnection, pipeline: PipelineId) -> Result<Vec<IngestKey>, DbError> {
    let rows: Vec<KeyRow> = ingest_keys::table
        .filter(ingest_keys::pipeline_id.eq(pipeline.0))
        .order((ingest_keys::created_at, ingest_keys::id))
        .select(KeyRow::as_select())
        .load(conn)
        .await?;
    let keys = rows.into_iter().map(|row| IngestKey {
        id: row.id,
        hint: row.hint,
        created_at: micros(row.created_at),
        last_used_at: row.last_used_at.map(micros),
    });
    Ok(keys.collect())
}
