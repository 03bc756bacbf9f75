//! Leases: who works says so again and again; whoever does not loses the job.

use std::collections::{BTreeMap, BTreeSet};

use dash_model::Micros;
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Text, Timestamptz},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{
    failure,
    finish::{ended, give_up_dependents},
};
use crate::{DbError, store::time};

/// What a worker is told of a job that it still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    pub id: i64,
    pub lease: i64,
    /// Somebody wants it to stop.
    pub cancel: bool,
}

/// Extends leases; answers those that still hold. The others belong to somebody else by now.
pub async fn beat(conn: &mut AsyncPgConnection, held: &[(i64, i64)], until: Micros) -> Result<Vec<Beat>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = BigInt)]
        lease: i64,
        #[diesel(sql_type = Bool)]
        cancel_requested: bool,
    }
    let (ids, leases): (Vec<i64>, Vec<i64>) = held.iter().copied().unzip();
    let sql = "
        UPDATE jobs j SET lease_until = $3
        FROM unnest($1::bigint[], $2::bigint[]) AS h(id, lease)
        WHERE j.id = h.id AND j.lease = h.lease AND j.state = 'executing'
        RETURNING j.id, j.lease, j.cancel_requested";
    let rows: Vec<Row> = sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
        .bind::<Array<BigInt>, _>(leases)
        .bind::<Timestamptz, _>(time(until))
        .load(conn)
        .await?;
    let beats = rows.into_iter().map(|row| Beat {
        id: row.id,
        lease: row.lease,
        cancel: row.cancel_requested,
    });
    Ok(beats.collect())
}

/// Takes jobs from those whose leases ran out: they are available once more, or discarded where that was the last attempt. Answers the queues
/// in which something is available again, and how many jobs it was.
pub async fn rescue(conn: &mut AsyncPgConnection, now: Micros, limit: i64) -> Result<(usize, Vec<String>), DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = Text)]
        queue: String,
        #[diesel(sql_type = Text)]
        node: String,
        #[diesel(sql_type = Bool)]
        is_last: bool,
    }
    let work = async |conn: &mut AsyncPgConnection| {
        let lost: Vec<Row> = sql_query(
            "SELECT id, queue, node, cancel_requested OR attempt >= max_attempts AS is_last FROM jobs
             WHERE state = 'executing' AND lease_until < $1 ORDER BY lease_until LIMIT $2 FOR UPDATE SKIP LOCKED",
        )
        .bind::<Timestamptz, _>(time(now))
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
        let mut by_node = BTreeMap::<&str, Vec<i64>>::new();
        for row in &lost {
            by_node.entry(&row.node).or_default().push(row.id);
        }
        for (node, ids) in by_node {
            let error = format!("node {node} no longer said that it works at it");
            ended(conn, &ids, "lost", Some(&error), now).await?;
            failure::note(conn, &ids, &error, now).await?;
        }
        let ids: Vec<i64> = lost.iter().map(|row| row.id).collect();
        sql_query(
            "UPDATE jobs SET node = NULL, lease = NULL, lease_until = NULL,
                    state = CASE WHEN cancel_requested THEN 'cancelled' WHEN attempt < max_attempts THEN 'available' ELSE 'discarded' END,
                    ended_at = CASE WHEN NOT cancel_requested AND attempt < max_attempts THEN NULL ELSE $2 END
             WHERE id = ANY($1)",
        )
        .bind::<Array<BigInt>, _>(&ids)
        .bind::<Timestamptz, _>(time(now))
        .execute(conn)
        .await?;
        let last: Vec<i64> = lost.iter().filter(|row| row.is_last).map(|row| row.id).collect();
        give_up_dependents(conn, &last, now).await?;
        let open = lost.into_iter().filter(|row| !row.is_last);
        let queues: BTreeSet<String> = open.map(|row| row.queue).collect();
        Ok((ids.len(), queues.into_iter().collect()))
    };
    conn.transaction(work).await
}
