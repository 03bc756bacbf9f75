//! Jobs are inserted in the transaction of what they follow from.

use dash_model::{Micros, OrganizationId, PipelineId};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bytea, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use serde_json::json;

use super::State;
use crate::{DbError, store::time};

/// A job to do.
#[derive(Clone, Debug)]
pub struct NewJob<'a> {
    pub organization: Option<OrganizationId>,
    pub worker: &'a str,
    pub queue: &'a str,
    pub args: serde_json::Value,
    pub meta: serde_json::Value,
    pub tags: Vec<String>,
    /// 0 to 9; the lower, the sooner.
    pub priority: i16,
    pub max_attempts: i32,
    pub now: Micros,
    /// Not before.
    pub at: Micros,
    pub unique: Option<Unique>,
    /// What it is about.
    pub pipeline: Option<PipelineId>,
    /// Of jobs that have the same one a queue may do only so many at once.
    pub limit_key: Option<String>,
    /// Of jobs that belong together.
    pub workflow: Option<uuid::Uuid>,
    /// Jobs that have to be completed first, without duplicates. They have to be inserted in the same transaction: what somebody works at
    /// already may end before this one is there to be told.
    pub needs: Vec<i64>,
}

/// When another job is the same as one that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unique {
    /// Of all that has to be the same.
    pub key: [u8; 32],
    /// Not older than this.
    pub since: Micros,
    /// In one of these states.
    pub states: Vec<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    New(i64),
    /// One that is the same was there.
    Existing(i64),
}

impl Inserted {
    pub fn id(self) -> i64 {
        match self {
            Self::New(id) | Self::Existing(id) => id,
        }
    }
}

#[derive(QueryableByName)]
struct Id {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// Of two that insert the same at once, the second waits for the first to commit, and finds it.
pub async fn insert(conn: &mut AsyncPgConnection, job: &NewJob<'_>) -> Result<Inserted, DbError> {
    let Some(unique) = &job.unique else {
        return Ok(Inserted::New(write(conn, job).await?));
    };
    let work = async |conn: &mut AsyncPgConnection| {
        sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<BigInt, _>(lock_of(&unique.key))
            .execute(conn)
            .await?;
        let states: Vec<&str> = unique.states.iter().map(|state| state.word()).collect();
        let existing: Vec<Id> = sql_query(
            "SELECT id FROM jobs WHERE unique_key = $1 AND inserted_at >= $2 AND state = ANY($3) ORDER BY inserted_at DESC, id DESC LIMIT 1",
        )
        .bind::<Bytea, _>(unique.key.as_slice())
        .bind::<Timestamptz, _>(time(unique.since))
        .bind::<Array<Text>, _>(states)
        .load(conn)
        .await?;
        match existing.into_iter().next() {
            Some(existing) => Ok(Inserted::Existing(existing.id)),
            None => Ok(Inserted::New(write(conn, job).await?)),
        }
    };
    conn.transaction(work).await
}

/// The first eight bytes: two keys that share them wait for each other, and are told apart afterwards.
fn lock_of(key: &[u8; 32]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *key;
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

async fn write(conn: &mut AsyncPgConnection, job: &NewJob<'_>) -> Result<i64, DbError> {
    let id = bulk(conn, std::slice::from_ref(job)).await?.into_iter().next();
    id.ok_or(DbError::from(diesel::result::Error::NotFound))
}

/// Inserts many at once; those that are unique each for itself. Answers in their order.
pub async fn insert_many(conn: &mut AsyncPgConnection, jobs: &[NewJob<'_>]) -> Result<Vec<Inserted>, DbError> {
    let work = async |conn: &mut AsyncPgConnection| {
        if jobs.iter().all(|job| job.unique.is_none()) {
            return Ok(bulk(conn, jobs).await?.into_iter().map(Inserted::New).collect());
        }
        let mut inserted = Vec::with_capacity(jobs.len());
        for job in jobs {
            inserted.push(insert(conn, job).await?);
        }
        Ok(inserted)
    };
    conn.transaction(work).await
}

/// One statement for all of them, a column a parameter.
async fn bulk(conn: &mut AsyncPgConnection, jobs: &[NewJob<'_>]) -> Result<Vec<i64>, DbError> {
    // Ids are handed out in the order of the rows.
    let sql = "
        INSERT INTO jobs (organization_id, pipeline_id, worker, queue, limit_key, args, meta, tags, priority, state, max_attempts, unique_key,
                          inserted_at, scheduled_at, workflow_id, waits_for)
        SELECT organization_id, pipeline_id, worker, queue, limit_key, args, meta, ARRAY(SELECT jsonb_array_elements_text(tags)), priority,
               CASE WHEN waits_for > 0 OR scheduled_at > inserted_at THEN 'scheduled' ELSE 'available' END,
               max_attempts, unique_key, inserted_at, scheduled_at, workflow_id, waits_for
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::jsonb[], $8::jsonb[], $9::smallint[],
                    $10::integer[], $11::bytea[], $12::timestamptz[], $13::timestamptz[], $14::uuid[], $15::integer[])
            WITH ORDINALITY AS n (organization_id, pipeline_id, worker, queue, limit_key, args, meta, tags, priority, max_attempts, unique_key,
                                  inserted_at, scheduled_at, workflow_id, waits_for, place)
        ORDER BY place
        RETURNING id";
    let each = |f: fn(&NewJob<'_>) -> Option<uuid::Uuid>| jobs.iter().map(f).collect::<Vec<_>>();
    let ids: Vec<Id> = sql_query(sql)
        .bind::<Array<Nullable<SqlUuid>>, _>(each(|job| job.organization.map(|id| id.0)))
        .bind::<Array<Nullable<SqlUuid>>, _>(each(|job| job.pipeline.map(|id| id.0)))
        .bind::<Array<Text>, _>(jobs.iter().map(|job| job.worker).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(jobs.iter().map(|job| job.queue).collect::<Vec<_>>())
        .bind::<Array<Nullable<Text>>, _>(jobs.iter().map(|job| job.limit_key.as_deref()).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(jobs.iter().map(|job| &job.args).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(jobs.iter().map(|job| &job.meta).collect::<Vec<_>>())
        .bind::<Array<Jsonb>, _>(jobs.iter().map(|job| json!(job.tags)).collect::<Vec<_>>())
        .bind::<Array<SmallInt>, _>(jobs.iter().map(|job| job.priority).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(jobs.iter().map(|job| job.max_attempts).collect::<Vec<_>>())
        .bind::<Array<Nullable<Bytea>>, _>(
            jobs.iter()
                .map(|job| job.unique.as_ref().map(|unique| unique.key.as_slice()))
                .collect::<Vec<_>>(),
        )
        .bind::<Array<Timestamptz>, _>(jobs.iter().map(|job| time(job.now)).collect::<Vec<_>>())
        .bind::<Array<Timestamptz>, _>(jobs.iter().map(|job| time(job.at)).collect::<Vec<_>>())
        .bind::<Array<Nullable<SqlUuid>>, _>(each(|job| job.workflow))
        .bind::<Array<Integer>, _>(
            jobs.iter()
                .map(|job| i32::try_from(job.needs.len()).unwrap_or(i32::MAX))
                .collect::<Vec<_>>(),
        )
        .load(conn)
        .await?;
    let ids: Vec<i64> = ids.into_iter().map(|id| id.id).collect();
    let needs = jobs
        .iter()
        .zip(&ids)
        .flat_map(|(job, id)| job.needs.iter().map(move |needs| (*id, *needs)));
    let (jobs, needs): (Vec<i64>, Vec<i64>) = needs.unzip();
    if !jobs.is_empty() {
        sql_query("INSERT INTO job_dependencies (job_id, needs_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])")
            .bind::<Array<BigInt>, _>(jobs)
            .bind::<Array<BigInt>, _>(needs)
            .execute(conn)
            .await?;
    }
    Ok(ids)
}
