//! Looking at jobs, saying how far they are, and forgetting what has ended.

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
    store::{micros, time, word},
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
    #[diesel(sql_type = Integer)]
    waits_for: i32,
    #[diesel(sql_type = Timestamptz)]
    scheduled_at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    attempted_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    ended_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = Nullable<Text>)]
    node: Option<String>,
    #[diesel(sql_type = Bool)]
    cancel_requested: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    done: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    total: Option<i64>,
    #[diesel(sql_type = Nullable<Text>)]
    message: Option<String>,
}

/// All columns of [`Stored`].
const COLUMNS: &str = "id, organization_id, worker, queue, args, priority, state, attempt, max_attempts, waits_for, scheduled_at, attempted_at,
                       ended_at, node, cancel_requested, done, total, message";

impl TryFrom<Stored> for Row {
    type Error = DbError;

    fn try_from(row: Stored) -> Result<Self, DbError> {
        Ok(Self {
            id: row.id,
            organization: row.organization_id.map(OrganizationId),
            worker: row.worker,
            queue: row.queue,
            args: row.args,
            priority: row.priority,
            state: word("the state of a job", &row.state)?,
            attempt: row.attempt,
            max_attempts: row.max_attempts,
            waits_for: row.waits_for,
            scheduled_at: micros(row.scheduled_at),
            attempted_at: row.attempted_at.map(micros),
            ended_at: row.ended_at.map(micros),
            node: row.node,
            cancel_requested: row.cancel_requested,
            done: row.done,
            total: row.total,
            message: row.message,
        })
    }
}

pub async fn get(conn: &mut AsyncPgConnection, id: i64) -> Result<Option<Row>, DbError> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1");
    let row: Option<Stored> = sql_query(sql).bind::<BigInt, _>(id).get_result(conn).await.optional()?;
    row.map(Row::try_from).transpose()
}

/// Which jobs are meant; nothing means all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    pub states: Vec<State>,
    pub queue: Option<String>,
    pub worker: Option<String>,
}

/// The newest first. For the command line and for tests: with millions of jobs it reads as many as do not fit.
pub async fn list(conn: &mut AsyncPgConnection, which: &Which, limit: i64) -> Result<Vec<Row>, DbError> {
    let states: Vec<&str> = which.states.iter().map(|state| state.word()).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs
         WHERE ($1::text[] = '{{}}' OR state = ANY($1)) AND ($2 IS NULL OR queue = $2) AND ($3 IS NULL OR worker = $3)
         ORDER BY id DESC LIMIT $4"
    );
    let rows: Vec<Stored> = sql_query(sql)
        .bind::<Array<Text>, _>(states)
        .bind::<Nullable<Text>, _>(&which.queue)
        .bind::<Nullable<Text>, _>(&which.worker)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    rows.into_iter().map(Row::try_from).collect()
}

/// The attempts at a job that are over and did not succeed, in order.
pub async fn attempts(conn: &mut AsyncPgConnection, id: i64) -> Result<Vec<Attempt>, DbError> {
    #[derive(QueryableByName)]
    struct Noted {
        #[diesel(sql_type = Integer)]
        attempt: i32,
        #[diesel(sql_type = Text)]
        node: String,
        #[diesel(sql_type = Timestamptz)]
        began_at: DateTime<Utc>,
        #[diesel(sql_type = Timestamptz)]
        ended_at: DateTime<Utc>,
        #[diesel(sql_type = Text)]
        outcome: String,
        #[diesel(sql_type = Nullable<Text>)]
        error: Option<String>,
    }
    let sql = "SELECT attempt, node, began_at, ended_at, outcome, error FROM job_attempts WHERE job_id = $1 ORDER BY began_at, attempt";
    let rows: Vec<Noted> = sql_query(sql).bind::<BigInt, _>(id).load(conn).await?;
    let attempts = rows.into_iter().map(|row| Attempt {
        attempt: row.attempt,
        node: row.node,
        began_at: micros(row.began_at),
        ended_at: micros(row.ended_at),
        outcome: row.outcome,
        error: row.error,
    });
    Ok(attempts.collect())
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
