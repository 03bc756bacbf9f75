//! Looking at jobs, pausing queues, and forgetting what has ended.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId};
use diesel::{
    OptionalExtension, QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Attempt, Row, State};
use crate::{
    DbError,
    store::{micros, time},
};

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    organization_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    worker: String,
    #[diesel(sql_type = Text)]
    queue: String,
    #[diesel(sql_type = Jsonb)]
    args: serde_json::Value,
    #[diesel(sql_type = SmallInt)]
    priority: i16,
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
    #[diesel(sql_type = Timestamptz)]
    scheduled_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Bool)]
    cancel_requested: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    done: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    total: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    message: Option<String>,
}

fn state(word: &str) -> Result<State, DbError> {
    State::of(word).ok_or_else(|| DbError::Stored {
        what: "the state of a job".into(),
        reason: format!("{word:?} is none"),
    })
}

pub async fn get(conn: &mut AsyncPgConnection, id: i64) -> Result<Option<Row>, DbError> {
    let sql = "SELECT id, organization_id, worker, queue, args, priority, state, attempt, max_attempts, scheduled_at, ended_at,
                      cancel_requested, done, total, message FROM jobs WHERE id = $1";
    let row: Option<Stored> = sql_query(sql).bind::<BigInt, _>(id).get_result(conn).await.optional()?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Row {
        id: row.id,
        organization: row.organization_id.map(OrganizationId),
        worker: row.worker,
        queue: row.queue,
        args: row.args,
        priority: row.priority,
        state: state(&row.state)?,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        scheduled_at: micros(row.scheduled_at),
        ended_at: row.ended_at.map(micros),
        cancel_requested: row.cancel_requested,
        done: row.done,
        total: row.total,
        message: row.message,
    }))
}

/// All attempts at a job, in order.
pub async fn attempts(conn: &mut AsyncPgConnection, id: i64) -> Result<Vec<Attempt>, DbError> {
    #[derive(QueryableByName)]
    struct Noted {
        #[diesel(sql_type = Integer)]
        attempt: i32,
        #[diesel(sql_type = Text)]
        node: String,
        #[diesel(sql_type = Timestamptz)]
        began_at: DateTime<Utc>,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        ended_at: Option<DateTime<Utc>>,
        #[diesel(sql_type = Nullable<Text>)]
        outcome: Option<String>,
        #[diesel(sql_type = Nullable<Text>)]
        error: Option<String>,
    }
    let sql = "SELECT attempt, node, began_at, ended_at, outcome, error FROM job_attempts WHERE job_id = $1 ORDER BY began_at, attempt";
    let rows: Vec<Noted> = sql_query(sql).bind::<BigInt, _>(id).load(conn).await?;
    let attempts = rows.into_iter().map(|row| Attempt {
        attempt: row.attempt,
        node: row.node,
        began_at: micros(row.began_at),
        ended_at: row.ended_at.map(micros),
        outcome: row.outcome,
        error: row.error,
    });
    Ok(attempts.collect())
}

/// How many jobs of a queue are in which state; states without any are left out.
pub async fn counts(conn: &mut AsyncPgConnection, queue: &str) -> Result<BTreeMap<&'static str, i64>, DbError> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = Text)]
        state: String,
        #[diesel(sql_type = BigInt)]
        jobs: i64,
    }
    let sql = "SELECT state, count(*) AS jobs FROM jobs WHERE queue = $1 GROUP BY state";
    let rows: Vec<Counted> = sql_query(sql).bind::<Text, _>(queue).load(conn).await?;
    let counts = rows.into_iter().map(|row| Ok((state(&row.state)?.word(), row.jobs)));
    counts.collect()
}

/// Says how far a job is, under its lease; false when somebody else has it.
pub async fn progress(
    conn: &mut AsyncPgConnection,
    (id, lease): (i64, i64),
    done: i64,
    total: Option<i64>,
    message: Option<&str>,
) -> Result<bool, DbError> {
    let sql =
        "UPDATE jobs SET done = $3, total = $4, message = $5 WHERE id = $1 AND lease = $2 AND state = 'executing'";
    let changed = sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(lease)
        .bind::<BigInt, _>(done)
        .bind::<Nullable<BigInt>, _>(total)
        .bind::<Nullable<Text>, _>(message)
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Pauses a queue on all nodes, or lets it go on. What is executing goes on.
pub async fn pause(conn: &mut AsyncPgConnection, queue: &str, paused: bool) -> Result<(), DbError> {
    let sql = "INSERT INTO job_queues (name, paused) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused";
    sql_query(sql)
        .bind::<Text, _>(queue)
        .bind::<Bool, _>(paused)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn is_paused(conn: &mut AsyncPgConnection, queue: &str) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Paused {
        #[diesel(sql_type = Bool)]
        paused: bool,
    }
    let sql = "SELECT EXISTS (SELECT FROM job_queues WHERE name = $1 AND paused) AS paused";
    let paused: Paused = sql_query(sql).bind::<Text, _>(queue).get_result(conn).await?;
    Ok(paused.paused)
}

/// Deletes jobs in these states that ended before; at most so many, so that nobody waits long for it. Answers how many.
pub async fn prune(
    conn: &mut AsyncPgConnection,
    states: &[State],
    before: Micros,
    limit: i64,
) -> Result<usize, DbError> {
    let words: Vec<&str> = states.iter().map(|state| state.word()).collect();
    let sql = "
        DELETE FROM jobs WHERE id IN (
            SELECT id FROM jobs WHERE ended_at < $1 AND state = ANY($2) ORDER BY ended_at LIMIT $3 FOR UPDATE SKIP LOCKED)";
    Ok(sql_query(sql)
        .bind::<Timestamptz, _>(time(before))
        .bind::<Array<Text>, _>(words)
        .bind::<BigInt, _>(limit)
        .execute(conn)
        .await?)
}
