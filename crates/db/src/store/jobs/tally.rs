//! How many jobs are where, without counting them.

use std::{collections::BTreeMap, time::Duration};

use dash_model::Micros;
use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::State;
use crate::{
    DbError,
    store::{time, word},
};

/// Minutes are kept apart for so long, and within this time statements add to them.
const KEPT: Duration = Duration::from_secs(2 * 3_600);
const RECENT: Duration = Duration::from_secs(3 * 60);

/// How many jobs of a queue are in which state; states without any are left out.
pub async fn counts(conn: &mut AsyncPgConnection, queue: &str) -> Result<BTreeMap<&'static str, i64>, DbError> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = Text)]
        state: String,
        #[diesel(sql_type = BigInt)]
        jobs: i64,
    }
    let sql = "
        SELECT state, sum(entered - departed)::bigint AS jobs FROM job_tallies WHERE queue = $1
        GROUP BY state HAVING sum(entered - departed) > 0";
    let rows: Vec<Counted> = sql_query(sql).bind::<Text, _>(queue).load(conn).await?;
    let counts = rows
        .into_iter()
        .map(|row| Ok((word::<State>("the state of a job", &row.state)?.word(), row.jobs)));
    counts.collect()
}

/// Adds up what statements have added: one row for each minute of the last two hours, and one for everything before. Answers how many rows
/// less there are.
pub async fn compact(conn: &mut AsyncPgConnection, now: Micros) -> Result<i64, DbError> {
    #[derive(QueryableByName)]
    struct Gone {
        #[diesel(sql_type = BigInt)]
        rows: i64,
    }
    // What is committed meanwhile is not seen, neither to be deleted nor to be added up.
    let sql = "
        WITH gone AS (DELETE FROM job_tallies WHERE minute < $1 OR minute >= $2 RETURNING *),
        summed AS (
            INSERT INTO job_tallies (minute, organization_id, pipeline_id, queue, worker, state, entered, departed)
            SELECT CASE WHEN minute < $1 THEN '-infinity' ELSE minute END, organization_id, pipeline_id, queue, worker, state,
                   sum(entered), sum(departed)
            FROM gone GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(entered) <> 0 OR sum(departed) <> 0
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM gone) - (SELECT count(*) FROM summed) AS rows";
    let gone: Gone = sql_query(sql)
        .bind::<Timestamptz, _>(time(now.minus(KEPT)))
        .bind::<Timestamptz, _>(time(now.minus(RECENT)))
        .get_result(conn)
        .await?;
    Ok(gone.rows)
}
