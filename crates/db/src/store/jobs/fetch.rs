//! Who works takes jobs, several at a time; nobody waits for a row that somebody else is taking.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, PipelineId};
use diesel::{
    OptionalExtension, QueryableByName,
    pg::Pg,
    sql_query,
    sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::limits::{Limits, allowance};
use crate::{
    DbError,
    store::{micros, time},
};

/// A job, and the lease under which it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    pub id: i64,
    pub organization: Option<OrganizationId>,
    pub pipeline: Option<PipelineId>,
    pub workflow: Option<Uuid>,
    pub worker: String,
    pub args: serde_json::Value,
    pub meta: serde_json::Value,
    /// This one included.
    pub attempt: i32,
    pub max_attempts: i32,
    /// Higher than that of whoever had it before.
    pub lease: i64,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Take<'a> {
    pub queue: &'a str,
    pub limits: &'a Limits,
    /// At most so many.
    pub most: i64,
    pub node: &'a str,
    pub now: Micros,
    /// The jobs are the node's until then.
    pub lease_until: Micros,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    organization_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    pipeline_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    workflow_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    worker: String,
    #[diesel(sql_type = Jsonb)]
    args: serde_json::Value,
    #[diesel(sql_type = Jsonb)]
    meta: serde_json::Value,
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
    #[diesel(sql_type = BigInt)]
    lease: i64,
}

/// The time has come, and nothing that it waits for is left.
const DUE: &str = "state IN ('scheduled', 'retryable') AND waits_for = 0";

/// Makes what is due available; answers the queues in which something is.
pub async fn stage(conn: &mut AsyncPgConnection, now: Micros) -> Result<Vec<String>, DbError> {
    #[derive(QueryableByName)]
    struct Queue {
        #[diesel(sql_type = Text)]
        queue: String,
    }
    // Several nodes may do it at once: none waits for the rows of another, and none deadlocks.
    let sql = format!(
        "WITH due AS (SELECT id FROM jobs WHERE {DUE} AND scheduled_at <= $1 FOR UPDATE SKIP LOCKED),
              staged AS (UPDATE jobs j SET state = 'available' FROM due WHERE j.id = due.id RETURNING j.queue)
         SELECT DISTINCT queue FROM staged"
    );
    let queues: Vec<Queue> = sql_query(sql).bind::<Timestamptz, _>(time(now)).load(conn).await?;
    Ok(queues.into_iter().map(|row| row.queue).collect())
}

/// When the next job is due that is not yet.
pub async fn next_at(conn: &mut AsyncPgConnection) -> Result<Option<Micros>, DbError> {
    #[derive(QueryableByName)]
    struct At {
        #[diesel(sql_type = Timestamptz)]
        at: DateTime<Utc>,
    }
    let sql = format!("SELECT scheduled_at AS at FROM jobs WHERE {DUE} ORDER BY scheduled_at LIMIT 1");
    let at: Option<At> = sql_query(sql).get_result(conn).await.optional()?;
    Ok(at.map(|at| micros(at.at)))
}

/// The most urgent of a queue.
const PICK: &str = "
    SELECT id FROM jobs
    WHERE state = 'available' AND queue = $1 AND NOT EXISTS (SELECT FROM job_queues WHERE name = $1 AND paused)
    ORDER BY priority, scheduled_at, id LIMIT $2 FOR UPDATE SKIP LOCKED";

/// The same, with at most $6 of each key at once. The keys are walked along their index, so that one with a million jobs costs what one with a
/// single job costs, and does not keep the others waiting.
const PICK_BY_KEY: &str = "
    SELECT id FROM jobs WHERE state = 'available' AND id IN (
        WITH RECURSIVE keys AS (
            (SELECT limit_key FROM jobs WHERE state = 'available' AND queue = $1 AND limit_key IS NOT NULL ORDER BY limit_key LIMIT 1)
            UNION ALL
            SELECT (SELECT j.limit_key FROM jobs j WHERE j.state = 'available' AND j.queue = $1 AND j.limit_key > keys.limit_key
                    ORDER BY j.limit_key LIMIT 1)
            FROM keys WHERE keys.limit_key IS NOT NULL
        ), candidates AS (
            SELECT j.id, j.priority, j.scheduled_at FROM keys CROSS JOIN LATERAL (
                SELECT id, priority, scheduled_at FROM jobs
                WHERE state = 'available' AND queue = $1 AND limit_key = keys.limit_key
                ORDER BY priority, scheduled_at, id
                LIMIT greatest(0, $6 - (SELECT count(*) FROM jobs WHERE state = 'executing' AND queue = $1 AND limit_key = keys.limit_key))
            ) j WHERE keys.limit_key IS NOT NULL
            UNION ALL
            (SELECT id, priority, scheduled_at FROM jobs WHERE state = 'available' AND queue = $1 AND limit_key IS NULL
             ORDER BY priority, scheduled_at, id LIMIT $2)
        )
        SELECT id FROM candidates ORDER BY priority, scheduled_at, id LIMIT $2
    ) FOR UPDATE SKIP LOCKED";

/// Takes jobs of a queue; none while it is paused. Limits that hold for all nodes make the nodes take turns.
pub async fn fetch(conn: &mut AsyncPgConnection, take: &Take<'_>) -> Result<Vec<Fetched>, DbError> {
    if !take.limits.are_shared() {
        return picked(conn, take, take.most).await;
    }
    let work = async |conn: &mut AsyncPgConnection| {
        let Some(open) = allowance(conn, take).await? else {
            return Ok(Vec::new());
        };
        let fetched = picked(conn, take, open.most).await?;
        open.used(conn, take, fetched.len()).await?;
        Ok(fetched)
    };
    conn.transaction(work).await
}

async fn picked(conn: &mut AsyncPgConnection, take: &Take<'_>, most: i64) -> Result<Vec<Fetched>, DbError> {
    // One statement: the rows that are locked are those that are changed.
    let pick = match take.limits.per_key {
        Some(_) => PICK_BY_KEY,
        None => PICK,
    };
    let sql = format!(
        "WITH picked AS ({pick}), taken AS (
            UPDATE jobs j SET state = 'executing', attempt = j.attempt + 1, attempted_at = $4, node = $3,
                              lease = nextval('job_leases'), lease_until = $5, cancel_requested = false
            FROM picked WHERE j.id = picked.id
            RETURNING j.id, j.organization_id, j.pipeline_id, j.workflow_id, j.worker, j.args, j.meta, j.attempt, j.max_attempts, j.lease,
                      j.priority, j.scheduled_at
        )
        SELECT * FROM taken ORDER BY priority, scheduled_at, id"
    );
    let mut query = sql_query(sql)
        .into_boxed::<Pg>()
        .bind::<Text, _>(take.queue)
        .bind::<BigInt, _>(most)
        .bind::<Text, _>(take.node)
        .bind::<Timestamptz, _>(time(take.now))
        .bind::<Timestamptz, _>(time(take.lease_until));
    if let Some(per_key) = take.limits.per_key {
        query = query.bind::<BigInt, _>(i64::from(per_key));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    let fetched = rows.into_iter().map(|row| Fetched {
        id: row.id,
        organization: row.organization_id.map(OrganizationId),
        pipeline: row.pipeline_id.map(PipelineId),
        workflow: row.workflow_id,
        worker: row.worker,
        args: row.args,
        meta: row.meta,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        lease: row.lease,
    });
    Ok(fetched.collect())
}
