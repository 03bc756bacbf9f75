//! TimescaleDB: refreshes the continuous aggregates over the hours that changed.
//!
//! TimescaleDB's own policies would leave points that come in late out of sight until their next run, and its real-time views
//! show only what is newer than the last refresh. Silver knows the hours, and reads them from the points until they are done.

use std::{collections::BTreeSet, ops::Range};

use deadpool_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{DAY, HOUR, HourOf, delete, floor, pending, thin_out};
use crate::{DatabaseError, Inner, RolledUp, lock, timestamp};

/// Longest stretch in one transaction.
const LONGEST: i64 = 7 * DAY;

pub async fn pass(inner: &Inner) -> Result<RolledUp, DatabaseError> {
    let client = inner.db.client().await?;
    // A refresh commits on its own, so the lock is the session's.
    let free: bool = client
        .query_one("SELECT pg_try_advisory_lock($1, 0)", &[&lock::ROLLUP])
        .await?
        .get(0);
    if !free {
        return Ok(RolledUp {
            busy: true,
            ..RolledUp::default()
        });
    }
    let done = refresh(&client, inner).await;
    let unlocked = client
        .execute("SELECT pg_advisory_unlock($1, 0)", &[&lock::ROLLUP])
        .await;
    if unlocked.is_err() {
        // The lock ends with the connection, which must not go back to the pool.
        drop(deadpool_postgres::Object::take(client));
    }
    done
}

async fn refresh(client: &Client, inner: &Inner) -> Result<RolledUp, DatabaseError> {
    let mut pending = pending(client, inner).await?;
    // A refresh is of all versions: an hour that one still writes to waits.
    let hot_hours: BTreeSet<i64> = pending.hot.keys().map(|(_, hour)| *hour).collect();
    let wait: Vec<HourOf> = pending
        .cold
        .keys()
        .filter(|(_, hour)| hot_hours.contains(hour))
        .copied()
        .collect();
    for hour in wait {
        if let Some(ids) = pending.cold.remove(&hour) {
            pending.hot.insert(hour, ids);
        }
    }
    thin_out(client, &pending.hot).await?;

    let hours: BTreeSet<i64> = pending.cold.keys().map(|(_, hour)| *hour).collect();
    // Nobody reads the day of a version from its rollup while an hour of it is dirty; the last hour brings the day along.
    let day = |(version, hour): &HourOf| (*version, floor(*hour, DAY));
    let unfinished: BTreeSet<HourOf> = pending.hot.keys().map(day).collect();
    let days: BTreeSet<i64> = pending
        .cold
        .keys()
        .map(day)
        .filter(|day| !unfinished.contains(day))
        .map(|(_, day)| day)
        .collect();

    let whole = whole_windows(client).await?;
    let mut failed = BTreeSet::new();
    for (aggregate, starts, width) in [
        ("metrics_1m", &hours, HOUR),
        ("metrics_1h", &hours, HOUR),
        ("metrics_1d", &days, DAY),
    ] {
        for window in windows(starts, width) {
            match call(client, aggregate, &window, whole).await {
                Err(e) if overflows(&e) => {}
                other => {
                    other?;
                    continue;
                }
            }
            // A sum that overflows: find the stretch, leave its hours to be read from their points.
            for &start in starts.range(window) {
                match call(client, aggregate, &(start..start + width), whole).await {
                    Err(e) if overflows(&e) => failed.extend(start / HOUR..(start + width) / HOUR),
                    other => other?,
                }
            }
        }
    }
    let (failed, made): (Vec<_>, Vec<_>) = pending
        .cold
        .into_iter()
        .partition(|((_, hour), _)| failed.contains(&(hour / HOUR)));
    // Only the rows that were seen before the refresh began.
    let ids: Vec<i64> = made.iter().flat_map(|(_, ids)| ids).copied().collect();
    if !ids.is_empty() {
        delete(client, &ids).await?;
    }
    let count = |n: usize| n as u64;
    Ok(RolledUp {
        hours: count(made.len()),
        hot: count(pending.hot.len()),
        failed: count(failed.len()),
        busy: false,
    })
}

/// What makes a refresh take a window in one go. Newer versions cut it into pieces of ten buckets; each piece reads the chunk from
/// end to end, since the index of the points begins with their series.
async fn whole_windows(client: &Client) -> Result<&'static str, DatabaseError> {
    let sql = "SELECT EXISTS (SELECT FROM pg_proc
        WHERE proname = 'refresh_continuous_aggregate' AND 'options' = ANY(proargnames))";
    let known: bool = client.query_one(&client.prepare_cached(sql).await?, &[]).await?.get(0);
    Ok(if known {
        r#", options => '{"buckets_per_batch": 0}'"#
    } else {
        ""
    })
}

/// The call must be the whole statement, since it commits on its own; what is put into its text are numbers of ours.
async fn call(client: &Client, aggregate: &str, window: &Range<i64>, options: &str) -> Result<(), DatabaseError> {
    let (from, to) = (timestamp(window.start).to_rfc3339(), timestamp(window.end).to_rfc3339());
    let sql = format!("CALL refresh_continuous_aggregate('{aggregate}', '{from}', '{to}', force => true{options})");
    Ok(client.batch_execute(&sql).await?)
}

fn overflows(error: &DatabaseError) -> bool {
    error.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE)
}

/// Joins stretches; between near ones it is cheaper to refresh the gap than to begin anew.
fn windows(starts: &BTreeSet<i64>, width: i64) -> Vec<Range<i64>> {
    let mut windows: Vec<Range<i64>> = Vec::new();
    for &start in starts {
        match windows.last_mut() {
            Some(w) if start <= w.end + 6 * width && start + width - w.start <= LONGEST => w.end = start + width,
            _ => windows.push(start..start + width),
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_every_stretch_and_stay_short() {
        let starts: BTreeSet<i64> = [0, 1, 2, 5, 40, 41, 300].map(|h| h * HOUR).into();
        let windows = windows(&starts, HOUR);
        assert_eq!(windows, vec![0..6 * HOUR, 40 * HOUR..42 * HOUR, 300 * HOUR..301 * HOUR]);
        let year: BTreeSet<i64> = (0..24 * 365).map(|h| h * HOUR).collect();
        let windows = super::windows(&year, HOUR);
        assert!(windows.iter().all(|w| w.end - w.start <= LONGEST));
        assert!(
            windows.windows(2).all(|w| w[0].end == w[1].start),
            "no gap and no overlap"
        );
    }
}
