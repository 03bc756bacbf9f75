//! Plain PostgreSQL: upserts into the rollup tables.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::LazyLock,
};

use chrono::{DateTime, Utc};
use deadpool_postgres::{Client, GenericClient, Transaction};
use tokio_postgres::{IsolationLevel, error::SqlState};

use super::{DAY, HourOf, delete, floor, pending, thin_out};
use crate::{
    DatabaseError, Inner, RolledUp,
    aggregates::{COLUMNS, OF_POINTS, OF_ROLLUPS},
    timestamp,
};

/// Hours in one transaction.
const AT_ONCE: usize = 48;

pub async fn pass(inner: &Inner) -> Result<RolledUp, DatabaseError> {
    let mut client = inner.db.client().await?;
    let mut done = RolledUp::default();
    let mut failed = HashSet::new();
    let mut at_once = AT_ONCE;
    loop {
        match step(&mut client, inner, &failed, at_once).await {
            Ok(Step { hours: 0, hot }) => {
                done.hot = hot;
                done.failed = failed.len() as u64;
                return Ok(done);
            }
            Ok(step) => done.hours += step.hours,
            Err(Stop { error, .. }) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                done.busy = true;
                return Ok(done);
            }
            // A sum that overflows: find the hour, leave it to be read from its points, go on with the others.
            Err(Stop { error, hours }) if error.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => {
                match hours[..] {
                    [hour] => {
                        tracing::debug!(version = hour.0, hour = hour.1, %error, "an hour cannot be rolled up");
                        failed.insert(hour);
                    }
                    _ => at_once = 1,
                }
            }
            Err(Stop { error, .. }) => return Err(error),
        }
    }
}

struct Step {
    hours: u64,
    hot: u64,
}

/// An error, and the hours that were at work.
struct Stop {
    error: DatabaseError,
    hours: Vec<HourOf>,
}

impl<E: Into<DatabaseError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            hours: Vec::new(),
        }
    }
}

/// Makes some hours of one version anew, in one snapshot.
async fn step(client: &mut Client, inner: &Inner, failed: &HashSet<HourOf>, at_once: usize) -> Result<Step, Stop> {
    let tx = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .start()
        .await?;
    // Before anything takes the snapshot.
    tx.batch_execute("LOCK TABLE rollup_pass IN EXCLUSIVE MODE NOWAIT; SET LOCAL jit = off")
        .await?;
    let pending = pending(&tx, inner).await?;
    let hot = pending.hot.len() as u64;
    let Some((version, hours, ids)) = choose(&pending.cold, failed, at_once) else {
        thin_out(&tx, &pending.hot).await?;
        tx.commit().await?;
        return Ok(Step { hours: 0, hot });
    };
    if let Err(error) = make(&tx, version, &hours).await {
        return Err(Stop { error, hours });
    }
    delete(&tx, &ids).await?;
    tx.commit().await?;
    Ok(Step {
        hours: hours.len() as u64,
        hot,
    })
}

/// The next hours of one version, and the rows that say they are dirty.
fn choose(
    cold: &BTreeMap<HourOf, Vec<i64>>,
    failed: &HashSet<HourOf>,
    at_once: usize,
) -> Option<(i64, Vec<HourOf>, Vec<i64>)> {
    let mut left = cold.iter().filter(|(hour, _)| !failed.contains(hour)).peekable();
    let version = left.peek()?.0.0;
    let chosen: Vec<_> = left.take_while(|((v, _), _)| *v == version).take(at_once).collect();
    let ids = chosen.iter().flat_map(|(_, ids)| *ids).copied().collect();
    Some((version, chosen.iter().map(|(hour, _)| **hour).collect(), ids))
}

/// Points are only ever added, so buckets never vanish: an upsert leaves nothing stale.
async fn make(tx: &Transaction<'_>, version: i64, hours: &[HourOf]) -> Result<(), DatabaseError> {
    let days: BTreeSet<i64> = hours.iter().map(|(_, hour)| floor(*hour, DAY)).collect();
    let days: Vec<DateTime<Utc>> = days.into_iter().map(timestamp).collect();
    let hours: Vec<DateTime<Utc>> = hours.iter().map(|(_, hour)| timestamp(*hour)).collect();
    for (sql, starts) in [(&*MINUTES, &hours), (&*HOURS, &hours), (&*DAYS, &days)] {
        let (first, last) = (starts.first(), starts.last());
        tx.execute(&tx.prepare_cached(sql).await?, &[&version, starts, &first, &last])
            .await?;
    }
    Ok(())
}

static MINUTES: LazyLock<String> = LazyLock::new(|| upsert("1m", "1 hour", "metrics", "time", "1 minute", OF_POINTS));
static HOURS: LazyLock<String> = LazyLock::new(|| upsert("1h", "1 hour", "rollup_1m", "bucket", "1 hour", OF_ROLLUPS));
/// Of a day with hours that are still dirty it makes what nobody reads until those hours are made, and the day with them.
static DAYS: LazyLock<String> = LazyLock::new(|| upsert("1d", "24 hours", "rollup_1h", "bucket", "1 day", OF_ROLLUPS));

/// Parameters: version, starts of the stretches, the first and the last of them (they bound the partitions).
fn upsert(into: &str, stretch: &str, from: &str, time: &str, bucket: &str, aggregates: &str) -> String {
    let columns = COLUMNS.join(", ");
    let update = COLUMNS.map(|c| format!("{c} = excluded.{c}")).join(", ");
    format!(
        "INSERT INTO rollup_{into} (bucket, series_id, {columns})
        SELECT date_bin('{bucket}', m.{time}, 'epoch'::timestamptz), m.series_id, {aggregates}
        FROM unnest($2::timestamptz[]) AS u (start)
        CROSS JOIN series s
        JOIN {from} m ON m.series_id = s.id AND m.{time} >= u.start AND m.{time} < u.start + interval '{stretch}'
        WHERE s.mapping_version_id = $1
          AND m.{time} >= $3::timestamptz AND m.{time} < $4::timestamptz + interval '{stretch}'
        GROUP BY 1, 2
        ON CONFLICT (series_id, bucket) DO UPDATE SET {update}"
    )
}
