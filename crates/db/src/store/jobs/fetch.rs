//! Who works takes jobs, several at a time; nobody waits for a row that somebody else is taking.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId};
use diesel::{
    OptionalExtension, QueryableByName, sql_query,
    sql_types::{BigInt, Integer, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    DbError,
    store::{micros, time},
};

/// A job, and the lease under which it is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    pub id: i64,
    pub organization: Option<OrganizationId>,
    pub worker: String,
    pub args: serde_json::Value,
    /// This one included.
    pub attempt: i32,
    pub max_attempts: i32,
    /// Higher than that of whoever had it before.
    pub lease: i64,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    organization_id: Option<Uuid>,
    #[diesel(sql_type = Text)]
    worker: String,
    #[diesel(sql_type = Jsonb)]
    args: serde_json::Value,
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
    #[diesel(sql_type = BigInt)]
    lease: i64,
}

/// Makes what is due available; answers how many jobs.
pub async fn stage(conn: &mut AsyncPgConnection, now: Micros) -> Result<usize, DbError> {
    let sql = "UPDATE jobs SET state = 'available' WHERE state IN ('scheduled', 'retryable') AND scheduled_at <= $1";
    Ok(sql_query(sql).bind::<Timestamptz, _>(time(now)).execute(conn).await?)
}

/// When the next job is due that is not yet.
pub async fn next_at(conn: &mut AsyncPgConnection) -> Result<Option<Micros>, DbError> {
    #[derive(QueryableByName)]
    struct At {
        #[diesel(sql_type = Timestamptz)]
        at: DateTime<Utc>,
    }
    let sql =
        "SELECT scheduled_at AS at FROM jobs WHERE state IN ('scheduled', 'retryable') ORDER BY scheduled_at LIMIT 1";
    let at: Option<At> = sql_query(sql).get_result(conn).await.optional()?;
    Ok(at.map(|at| micros(at.at)))
}

/// Takes at most so many jobs of a queue until `lease_until`; none while it is paused.
pub async fn fetch(
    conn: &mut AsyncPgConnection,
    queue: &str,
    limit: i64,
    node: &str,
    now: Micros,
    lease_until: Micros,
) -> Result<Vec<Fetched>, DbError> {
    // One statement: the rows that are locked are those that are changed, and the attempts are written down with them.
    let sql = "
        WITH picked AS (
            SELECT id FROM jobs
            WHERE state = 'available' AND queue = $1 AND NOT EXISTS (SELECT FROM job_queues WHERE name = $1 AND paused)
            ORDER BY priority, scheduled_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE jobs j SET state = 'executing', attempt = j.attempt + 1, attempted_at = $4, node = $3,
                              lease = nextval('job_leases'), lease_until = $5, cancel_requested = false
            FROM picked WHERE j.id = picked.id
            RETURNING j.id, j.organization_id, j.worker, j.args, j.attempt, j.max_attempts, j.lease, j.priority, j.scheduled_at
        ), noted AS (
            INSERT INTO job_attempts (job_id, attempt, node, began_at) SELECT id, attempt, $3, $4 FROM taken
        )
        SELECT id, organization_id, worker, args, attempt, max_attempts, lease FROM taken ORDER BY priority, scheduled_at, id";
    let rows: Vec<Row> = sql_query(sql)
        .bind::<Text, _>(queue)
        .bind::<BigInt, _>(limit)
        .bind::<Text, _>(node)
        .bind::<Timestamptz, _>(time(now))
        .bind::<Timestamptz, _>(time(lease_until))
        .load(conn)
        .await?;
    let fetched = rows.into_iter().map(|row| Fetched {
        id: row.id,
        organization: row.organization_id.map(OrganizationId),
        worker: row.worker,
        args: row.args,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        lease: row.lease,
    });
    Ok(fetched.collect())
}
