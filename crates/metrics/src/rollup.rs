//! Brings the rollups of changed hours up to date.
//!
//! A writer adds a row to `rollup_invalidations` for each hour it touches, in the transaction of its points. A pass sees, in
//! one snapshot, some of those rows and at least the points that belong to them; it makes the hours anew and deletes just
//! these rows. An hour that gets points meanwhile has a row that the snapshot did not see, and stays dirty. Readers take dirty
//! hours from the points, so an answer is exact whether a pass ran or not.

mod plain;
mod timescale;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;

use crate::{DatabaseError, Inner, Mode, RolledUp};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

pub async fn pass(inner: &Inner) -> Result<RolledUp, DatabaseError> {
    match inner.mode {
        Mode::Plain => plain::pass(inner).await,
        Mode::Timescale { .. } => timescale::pass(inner).await,
    }
}

/// An hour of a version, in microseconds since 1970.
type HourOf = (i64, i64);

/// Dirty hours by version, as one snapshot sees them.
#[derive(Default)]
struct Pending {
    /// The rows that say so.
    cold: BTreeMap<HourOf, Vec<i64>>,
    hot: BTreeMap<HourOf, Vec<i64>>,
}

/// An hour that never cools is made anew after so many seconds all the same: else a device whose clock stands still would
/// leave an ever growing hour to be read from its points.
const OLDEST_S: f64 = 3_600.0;

async fn pending(client: &impl GenericClient, inner: &Inner) -> Result<Pending, DatabaseError> {
    let sql = "SELECT mapping_version_id, hour, array_agg(id ORDER BY id),
            max(written_at) < clock_timestamp() - $1::float8 * interval '1 second'
            OR min(written_at) < clock_timestamp() - $2::float8 * interval '1 second'
        FROM rollup_invalidations GROUP BY 1, 2";
    let rows = client
        .query(
            &client.prepare_cached(sql).await?,
            &[&inner.options.hot.as_secs_f64(), &OLDEST_S],
        )
        .await?;
    let mut pending = Pending::default();
    for row in rows {
        let hour = (row.get(0), row.get::<_, DateTime<Utc>>(1).timestamp_micros());
        let to = if row.get(3) {
            &mut pending.cold
        } else {
            &mut pending.hot
        };
        to.insert(hour, row.get(2));
    }
    Ok(pending)
}

/// An hour that stays dirty needs its oldest and its newest row, which tell how long it is dirty and hot.
async fn thin_out(client: &impl GenericClient, hot: &BTreeMap<HourOf, Vec<i64>>) -> Result<(), DatabaseError> {
    let between = |ids: &Vec<i64>| ids.get(1..ids.len().saturating_sub(1)).unwrap_or_default().to_vec();
    let ids: Vec<i64> = hot.values().flat_map(between).collect();
    if !ids.is_empty() {
        delete(client, &ids).await?;
    }
    Ok(())
}

async fn delete(client: &impl GenericClient, ids: &[i64]) -> Result<(), DatabaseError> {
    let sql = "DELETE FROM rollup_invalidations WHERE id = ANY($1)";
    client.execute(&client.prepare_cached(sql).await?, &[&ids]).await?;
    Ok(())
}

fn floor(at: i64, width: i64) -> i64 {
    at.div_euclid(width) * width
}
