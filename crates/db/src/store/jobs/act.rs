//! What people do with jobs. Each answers how many it was done to.

use dash_model::Micros;
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Timestamptz},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::finish::give_up_dependents;
use crate::{DbError, store::time};

/// Cancels jobs: at once those at which nobody works, the others by asking whoever does.
pub async fn cancel(conn: &mut AsyncPgConnection, ids: &[i64], now: Micros) -> Result<usize, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = Bool)]
        has_ended: bool,
    }
    let sql = "
        UPDATE jobs SET
            cancel_requested = (state = 'executing'),
            ended_at = CASE WHEN state = 'executing' THEN NULL ELSE $2 END,
            state = CASE WHEN state = 'executing' THEN state ELSE 'cancelled' END
        WHERE id = ANY($1) AND ended_at IS NULL RETURNING id, state = 'cancelled' AS has_ended";
    let work = async |conn: &mut AsyncPgConnection| {
        let cancelled: Vec<Row> = sql_query(sql)
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Timestamptz, _>(time(now))
            .load(conn)
            .await?;
        // Those that are executing may yet succeed; what waits for them is cancelled when they end.
        let ended: Vec<i64> = cancelled.iter().filter(|row| row.has_ended).map(|row| row.id).collect();
        give_up_dependents(conn, &ended, now).await?;
        Ok(cancelled.len())
    };
    conn.transaction(work).await
}

/// Makes jobs that have ended, or wait for another attempt, available once more; with one more attempt where they had used all. Those
/// that are executing stay as they are.
pub async fn retry(conn: &mut AsyncPgConnection, ids: &[i64], now: Micros) -> Result<usize, DbError> {
    let sql = "
        UPDATE jobs SET state = CASE WHEN waits_for = 0 THEN 'available' ELSE 'scheduled' END,
                        scheduled_at = $2, ended_at = NULL, cancel_requested = false, done = NULL, total = NULL, message = NULL,
                        max_attempts = greatest(max_attempts, attempt + 1)
        WHERE id = ANY($1) AND state NOT IN ('executing', 'available')";
    change(conn, sql, ids, now).await
}

/// Does not wait until their time comes. What waits for other jobs goes on waiting.
pub async fn run_now(conn: &mut AsyncPgConnection, ids: &[i64], now: Micros) -> Result<usize, DbError> {
    let sql = "
        UPDATE jobs SET state = 'available', scheduled_at = $2
        WHERE id = ANY($1) AND state IN ('scheduled', 'retryable') AND waits_for = 0";
    change(conn, sql, ids, now).await
}

async fn change(conn: &mut AsyncPgConnection, sql: &str, ids: &[i64], now: Micros) -> Result<usize, DbError> {
    Ok(sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
        .bind::<Timestamptz, _>(time(now))
        .execute(conn)
        .await?)
}

/// Deletes jobs that have ended, with their attempts. What waits for one that was not completed does not wait for it any more.
pub async fn delete(conn: &mut AsyncPgConnection, ids: &[i64]) -> Result<usize, DbError> {
    let sql = "DELETE FROM jobs WHERE id = ANY($1) AND ended_at IS NOT NULL";
    Ok(sql_query(sql).bind::<Array<BigInt>, _>(ids).execute(conn).await?)
}
