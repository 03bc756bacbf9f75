//! Jobs are inserted in the transaction of what they follow from.

use dash_model::{Micros, OrganizationId};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bytea, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

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
    let state = match job.at > job.now {
        true => State::Scheduled,
        false => State::Available,
    };
    let id: Id = sql_query(
        "INSERT INTO jobs (organization_id, worker, queue, args, meta, tags, priority, state, max_attempts, unique_key, inserted_at, scheduled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id",
    )
    .bind::<Nullable<SqlUuid>, _>(job.organization.map(|o| o.0))
    .bind::<Text, _>(job.worker)
    .bind::<Text, _>(job.queue)
    .bind::<Jsonb, _>(&job.args)
    .bind::<Jsonb, _>(&job.meta)
    .bind::<Array<Text>, _>(&job.tags)
    .bind::<SmallInt, _>(job.priority)
    .bind::<Text, _>(state.word())
    .bind::<Integer, _>(job.max_attempts)
    .bind::<Nullable<Bytea>, _>(job.unique.as_ref().map(|unique| unique.key.as_slice()))
    .bind::<Timestamptz, _>(time(job.now))
    .bind::<Timestamptz, _>(time(job.at))
    .get_result(conn)
    .await?;
    Ok(id.id)
}
