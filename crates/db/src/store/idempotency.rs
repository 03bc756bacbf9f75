//! Answers already given, by Idempotency-Key. Those of batches that are still in the spool are known there; they are written here
//! before their segment is trimmed.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, PipelineId, receipt::Receipt};
use diesel::{ExpressionMethods, Insertable, OptionalExtension, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{hash, json, read, time};
use crate::{DbError, schema::idempotency_keys};

/// An answer, and to what it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub organization: OrganizationId,
    pub pipeline: PipelineId,
    pub key: String,
    /// SHA-256 of the body: the same key with another body is refused.
    pub body_hash: [u8; 32],
    pub receipt: Receipt,
    pub at: Micros,
}

#[derive(Insertable)]
#[diesel(table_name = idempotency_keys)]
struct NewRow<'a> {
    pipeline_id: Uuid,
    key: &'a str,
    organization_id: Uuid,
    body_hash: &'a [u8],
    receipt: serde_json::Value,
    created_at: DateTime<Utc>,
}

/// Rows of one statement: PostgreSQL takes 65,535 parameters, a row has 6.
const ROWS: usize = 5_000;

/// The body's hash and the answer that `key` got.
pub async fn find(
    conn: &mut AsyncPgConnection,
    pipeline: PipelineId,
    key: &str,
) -> Result<Option<([u8; 32], Receipt)>, DbError> {
    let row: Option<(Vec<u8>, serde_json::Value)> = idempotency_keys::table
        .find((pipeline.0, key))
        .select((idempotency_keys::body_hash, idempotency_keys::receipt))
        .first(conn)
        .await
        .optional()?;
    let Some((bytes, receipt)) = row else { return Ok(None) };
    let receipt = read(|| format!("the receipt of pipeline {pipeline}"), receipt)?;
    Ok(Some((hash("the hash of a body", &bytes)?, receipt)))
}

/// Adds answers and says how many were new. An answer that is there stays: the first one was sent.
pub async fn insert_many(conn: &mut AsyncPgConnection, answers: &[Answered]) -> Result<usize, DbError> {
    let mut rows = Vec::with_capacity(answers.len());
    for a in answers {
        rows.push(NewRow {
            pipeline_id: a.pipeline.0,
            key: &a.key,
            organization_id: a.organization.0,
            body_hash: &a.body_hash,
            receipt: json("a receipt", &a.receipt)?,
            created_at: time(a.at),
        });
    }
    // Two nodes that write the same keys lock them in the same order. Stable: of two equal ones the first wins.
    rows.sort_by_key(|r| (r.pipeline_id, r.key));
    let mut added = 0;
    for rows in rows.chunks(ROWS) {
        let insert = diesel::insert_into(idempotency_keys::table).values(rows);
        added += insert.on_conflict_do_nothing().execute(conn).await?;
    }
    Ok(added)
}

/// Forgets answers given before `before` and says how many.
pub async fn prune(conn: &mut AsyncPgConnection, before: Micros) -> Result<usize, DbError> {
    let old = idempotency_keys::table.filter(idempotency_keys::created_at.lt(time(before)));
    Ok(diesel::delete(old).execute(conn).await?)
}
