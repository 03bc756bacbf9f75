//! Jobs that come again and again. A tick is inserted together with the time of the next one, in one transaction that holds the row: once,
//! whichever node does it, and however many try.

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId, PipelineId, jobs::Missed};
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    DbError,
    store::{micros, time, word},
};

/// One that the program declares.
#[derive(Clone, Debug)]
pub struct Cron {
    pub name: String,
    pub worker: String,
    pub args: serde_json::Value,
    pub expression: String,
    pub zone: String,
    pub missed: Missed,
    pub next_at: Micros,
}

/// One whose time has come. It is locked.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    pub id: i64,
    pub organization: Option<OrganizationId>,
    pub pipeline: Option<PipelineId>,
    pub name: String,
    pub worker: String,
    pub args: serde_json::Value,
    pub expression: String,
    pub zone: String,
    pub missed: Missed,
    pub next_at: Micros,
}

/// The advisory lock of the node that leads.
const LEADER: i64 = 0x6461_7368_0000_0004;

/// Whether this transaction leads: of several nodes that ask at once one does. It leads to its end, so that one that is stopped in between does
/// not lead for ever.
pub async fn lead(conn: &mut AsyncPgConnection) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Lead {
        #[diesel(sql_type = Bool)]
        leads: bool,
    }
    let lead: Lead = sql_query("SELECT pg_try_advisory_xact_lock($1) AS leads")
        .bind::<BigInt, _>(LEADER)
        .get_result(conn)
        .await?;
    Ok(lead.leads)
}

/// Makes the declared ones what the program says; those that it no longer declares go. What people set (paused) stays, and so does the time of
/// the next tick unless the expression or its zone has changed.
pub async fn declare(conn: &mut AsyncPgConnection, crons: &[Cron]) -> Result<(), DbError> {
    for cron in crons {
        let sql = "
            INSERT INTO job_crons (name, worker, args, expression, zone, missed, declared, next_at) VALUES ($1, $2, $3, $4, $5, $6, true, $7)
            ON CONFLICT (organization_id, name) DO UPDATE SET worker = excluded.worker, args = excluded.args, missed = excluded.missed, declared = true,
                next_at = CASE WHEN (job_crons.expression, job_crons.zone) = (excluded.expression, excluded.zone) THEN job_crons.next_at ELSE excluded.next_at END,
                expression = excluded.expression, zone = excluded.zone";
        sql_query(sql)
            .bind::<Text, _>(&cron.name)
            .bind::<Text, _>(&cron.worker)
            .bind::<Jsonb, _>(&cron.args)
            .bind::<Text, _>(&cron.expression)
            .bind::<Text, _>(&cron.zone)
            .bind::<Text, _>(cron.missed.word())
            .bind::<Timestamptz, _>(time(cron.next_at))
            .execute(conn)
            .await?;
    }
    let names: Vec<&str> = crons.iter().map(|cron| cron.name.as_str()).collect();
    sql_query("DELETE FROM job_crons WHERE declared AND name <> ALL($1)")
        .bind::<Array<Text>, _>(names)
        .execute(conn)
        .await?;
    Ok(())
}

/// Those whose time has come, locked to the end of the transaction.
pub async fn due(conn: &mut AsyncPgConnection, now: Micros, limit: i64) -> Result<Vec<Due>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = Nullable<SqlUuid>)]
        organization_id: Option<Uuid>,
        #[diesel(sql_type = Nullable<SqlUuid>)]
        pipeline_id: Option<Uuid>,
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Text)]
        worker: String,
        #[diesel(sql_type = Jsonb)]
        args: serde_json::Value,
        #[diesel(sql_type = Text)]
        expression: String,
        #[diesel(sql_type = Text)]
        zone: String,
        #[diesel(sql_type = Text)]
        missed: String,
        #[diesel(sql_type = Timestamptz)]
        next_at: DateTime<Utc>,
    }
    let sql =
        "SELECT id, organization_id, pipeline_id, name, worker, args, expression, zone, missed, next_at FROM job_crons
               WHERE NOT paused AND next_at <= $1 ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED";
    let rows: Vec<Row> = sql_query(sql)
        .bind::<Timestamptz, _>(time(now))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    let due = rows.into_iter().map(|row| {
        Ok(Due {
            id: row.id,
            organization: row.organization_id.map(OrganizationId),
            pipeline: row.pipeline_id.map(PipelineId),
            name: row.name,
            worker: row.worker,
            args: row.args,
            expression: row.expression,
            zone: row.zone,
            missed: word("what becomes of missed ticks", &row.missed)?,
            next_at: micros(row.next_at),
        })
    });
    due.collect()
}

/// Notes the last tick, its job, and when the next one is.
pub async fn ticked(
    conn: &mut AsyncPgConnection,
    id: i64,
    next_at: Micros,
    last: Option<(Micros, i64)>,
) -> Result<(), DbError> {
    let sql = "UPDATE job_crons SET next_at = $2, last_at = coalesce($3, last_at), last_job_id = coalesce($4, last_job_id) WHERE id = $1";
    sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Timestamptz, _>(time(next_at))
        .bind::<Nullable<Timestamptz>, _>(last.map(|(at, _)| time(at)))
        .bind::<Nullable<BigInt>, _>(last.map(|(_, job)| job))
        .execute(conn)
        .await?;
    Ok(())
}
