//! Every bucket of every rollup, held against its points.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use dash_model::{MappingVersionId, Micros};
use deadpool_postgres::{GenericClient, Transaction};
use futures::TryStreamExt;
use tokio_postgres::{Row, types::ToSql};

use super::{BucketDifference, Buckets, LISTED};
use crate::{DatabaseError, aggregates::OF_POINTS, timestamp};

const DAY: i64 = 86_400_000_000;

/// Buckets of hours that are out of date are left out: nobody reads them.
pub async fn compare(
    tx: &Transaction<'_>,
    version: MappingVersionId,
    plain: bool,
    dirty: &[i64],
) -> Result<Vec<Buckets>, DatabaseError> {
    let days: BTreeSet<i64> = dirty.iter().map(|hour| hour.div_euclid(DAY) * DAY).collect();
    let starts = |of: &mut dyn Iterator<Item = i64>| of.map(timestamp).collect::<Vec<_>>();
    let (hours, days) = (starts(&mut dirty.iter().copied()), starts(&mut days.into_iter()));
    let name = |plain_name, name| if plain { plain_name } else { name };
    let mut all = Vec::new();
    for (rollup, width, unit, dirty) in [
        (name("rollup_1m", "metrics_1m"), "1 minute", "1 hour", &hours),
        (name("rollup_1h", "metrics_1h"), "1 hour", "1 hour", &hours),
        (name("rollup_1d", "metrics_1d"), "1 day", "1 day", &days),
    ] {
        all.push(of_width(tx, version, rollup, width, unit, dirty).await?);
    }
    Ok(all)
}

/// `unit` is what is clean or dirty as a whole. Names and widths are ours.
async fn of_width(
    tx: &Transaction<'_>,
    version: MappingVersionId,
    rollup: &'static str,
    width: &str,
    unit: &str,
    dirty: &[DateTime<Utc>],
) -> Result<Buckets, DatabaseError> {
    // The sums of absolute values say how far two sums may lie apart that were added up in another order. They are scaled down so
    // that they do not overflow where the sum does not, and have a least value, so that they do not underflow.
    let sql = format!(
        "WITH raw AS (
            SELECT date_bin('{width}', m.time, 'epoch'::timestamptz) AS bucket, m.series_id, {OF_POINTS},
                sum(greatest(abs(m.value), 1e-290) * {SCALE}) AS scaled
            FROM series s JOIN metrics m ON m.series_id = s.id
            WHERE s.mapping_version_id = $1
                AND date_bin('{unit}', m.time, 'epoch'::timestamptz) <> ALL ($2::timestamptz[])
            GROUP BY 1, 2),
        kept AS (
            SELECT m.* FROM series s JOIN {rollup} m ON m.series_id = s.id
            WHERE s.mapping_version_id = $1
                AND date_bin('{unit}', m.bucket, 'epoch'::timestamptz) <> ALL ($2::timestamptz[]))
        SELECT coalesce(r.bucket, k.bucket), coalesce(r.series_id, k.series_id), s.metric, r.scaled,
            r.n, r.sum, r.min, r.max, r.first, r.last, r.first_at, r.last_at,
            k.n, k.sum, k.min, k.max, k.first, k.last, k.first_at, k.last_at
        FROM raw r
        FULL JOIN kept k ON k.bucket = r.bucket AND k.series_id = r.series_id
        JOIN series s ON s.id = coalesce(r.series_id, k.series_id)"
    );
    let parameters: [&(dyn ToSql + Sync); 2] = [&version.0, &dirty];
    let rows = tx.query_raw(&tx.prepare_cached(&sql).await?, parameters).await?;
    futures::pin_mut!(rows);
    let mut buckets = Buckets {
        rollup,
        ..Buckets::default()
    };
    while let Some(row) = rows.try_next().await? {
        buckets.compared += 1;
        let Some((column, expected, found)) = differs(&row) else {
            continue;
        };
        if buckets.listed.len() == LISTED {
            buckets.more += 1;
            continue;
        }
        buckets.listed.push(BucketDifference {
            series: row.get(1),
            metric: row.get(2),
            at: Micros(row.get::<_, DateTime<Utc>>(0).timestamp_micros()),
            column,
            expected,
            found,
        });
    }
    Ok(buckets)
}

/// 2^-40
const SCALE: f64 = 1.0 / 1_099_511_627_776.0;
const POINTS: usize = 4;
const KEPT: usize = 12;

/// The first column that differs, with what the points make of it and what the rollup has.
fn differs(row: &Row) -> Option<(&'static str, Option<String>, Option<String>)> {
    let n = |at: usize| row.get::<_, Option<i64>>(at);
    if n(POINTS) != n(KEPT) {
        let text = |n: Option<i64>| n.map(|n| n.to_string());
        return Some(("n", text(n(POINTS)), text(n(KEPT))));
    }
    let number = |at: usize| row.get::<_, Option<f64>>(at);
    let text = |at: usize| number(at).map(|n| format!("{n:?}"));
    let tolerance =
        n(POINTS).unwrap_or_default() as f64 * f64::EPSILON * row.get::<_, Option<f64>>(3).unwrap_or_default();
    let columns = ["sum", "min", "max", "first", "last"];
    for (i, column) in (1..).zip(columns) {
        let same = match (number(POINTS + i), number(KEPT + i)) {
            (Some(a), Some(b)) if column == "sum" => a == b || (a * SCALE - b * SCALE).abs() <= tolerance,
            (a, b) => a == b,
        };
        if !same {
            return Some((column, text(POINTS + i), text(KEPT + i)));
        }
    }
    let time = |at: usize| row.get::<_, Option<DateTime<Utc>>>(at);
    let text = |at: usize| time(at).map(|t| t.to_rfc3339());
    for (i, column) in (6..).zip(["first_at", "last_at"]) {
        if time(POINTS + i) != time(KEPT + i) {
            return Some((column, text(POINTS + i), text(KEPT + i)));
        }
    }
    None
}
