//! Plain PostgreSQL: upserts into the rollup tables.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ops::Range,
    sync::LazyLock,
};

use deadpool_postgres::{Client, GenericClient, Transaction};
use tokio_postgres::{IsolationLevel, error::SqlState};

use super::{DAY, HOUR, HourOf, delete, floor, pending, thin_out};
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
    tx.batch_execute(
        "LOCK TABLE rollup_pass IN EXCLUSIVE MODE NOWAIT; SET LOCAL jit = off;
         SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL work_mem = '64MB'",
    )
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
    let hours = stretches(hours.iter().map(|(_, hour)| *hour), HOUR);
    let days = stretches(days, DAY);
    for (sql, stretches) in [(&*MINUTES, &hours), (&*HOURS, &hours), (&*DAYS, &days)] {
        let statement = tx.prepare_cached(sql).await?;
        for stretch in stretches {
            tx.execute(
                &statement,
                &[&version, &timestamp(stretch.start), &timestamp(stretch.end)],
            )
            .await?;
        }
    }
    Ok(())
}

/// Hours or days that follow one another as one: each stretch is one scan.
fn stretches(starts: impl IntoIterator<Item = i64>, width: i64) -> Vec<Range<i64>> {
    let mut stretches: Vec<Range<i64>> = Vec::new();
    for start in starts {
        match stretches.last_mut() {
            Some(stretch) if stretch.end == start => stretch.end += width,
            _ => stretches.push(start..start + width),
        }
    }
    stretches
}

static MINUTES: LazyLock<String> = LazyLock::new(|| upsert("1m", "metrics", "time", "1 minute", OF_POINTS));
static HOURS: LazyLock<String> = LazyLock::new(|| upsert("1h", "rollup_1m", "bucket", "1 hour", OF_ROLLUPS));
/// Of a day with hours that are still dirty it makes what nobody reads until those hours are made, and the day with them.
static DAYS: LazyLock<String> = LazyLock::new(|| upsert("1d", "rollup_1h", "bucket", "1 day", OF_ROLLUPS));

/// Parameters: version, start and end of the stretch.
fn upsert(into: &str, from: &str, time: &str, bucket: &str, aggregates: &str) -> String {
    let columns = COLUMNS.join(", ");
    let update = COLUMNS.map(|c| format!("{c} = excluded.{c}")).join(", ");
    format!(
        "INSERT INTO rollup_{into} (bucket, series_id, {columns})
        SELECT date_bin('{bucket}', m.{time}, 'epoch'::timestamptz), m.series_id, {aggregates}
        FROM series s
        JOIN {from} m ON m.series_id = s.id AND m.{time} >= $2 AND m.{time} < $3
        WHERE s.mapping_version_id = $1
        GROUP BY 1, 2
        ON CONFLICT (series_id, bucket) DO UPDATE SET {update}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_stretch() {
        assert_eq!(
            stretches([0, HOUR, 5 * HOUR], HOUR),
            vec![0..2 * HOUR, 5 * HOUR..6 * HOUR]
        );
        assert_eq!(stretches([], HOUR), vec![]);
    }
}
