//! Jobs that belong together, as one.

use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Double, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::DbError;

/// How far the jobs of a workflow are, all together.
#[derive(Clone, Copy, Debug, PartialEq, QueryableByName)]
pub struct Overall {
    #[diesel(sql_type = BigInt)]
    pub jobs: i64,
    #[diesel(sql_type = BigInt)]
    pub completed: i64,
    /// Cancelled or discarded.
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
    /// From 0 to 1; a job that says how far it is counts in part.
    #[diesel(sql_type = Double)]
    pub progress: f64,
}

/// Zero jobs when there is no such workflow.
pub async fn overall(conn: &mut AsyncPgConnection, workflow: Uuid) -> Result<Overall, DbError> {
    let sql = "
        SELECT count(*) AS jobs,
               count(*) FILTER (WHERE state = 'completed') AS completed,
               count(*) FILTER (WHERE state IN ('cancelled', 'discarded')) AS failed,
               coalesce(avg(CASE WHEN state = 'completed' THEN 1
                                 WHEN total > 0 THEN least(1, greatest(0, done::double precision / total)) ELSE 0 END), 0)::double precision AS progress
        FROM jobs WHERE workflow_id = $1";
    Ok(sql_query(sql).bind::<SqlUuid, _>(workflow).get_result(conn).await?)
}
