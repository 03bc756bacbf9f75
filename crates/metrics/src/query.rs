//! Answers questions to the metrics.
//!
//! What is exact:
//! - Only points within the range count, also where its edges cut a bucket: what rollups do not hold is read from the points.
//! - `First` and `Last` go by time; at the same time the greater series number, then the greater event, wins.
//! - Buckets begin at UTC's round times whatever the range, so that ranges that move agree on them.
//!
//! Points come as they were written (`bucket_ms` 0) when every group is one series with at most two points a pixel and the
//! aggregation leaves a single point as it is. `Sum` and `Count` say something about a bucket, so they always have one.
//!
//! All statements of an answer see one snapshot.

mod groups;
mod points;

use std::ops::Range;

use dash_model::{
    MappingVersionId, Micros,
    query::{Aggregation, MAX_SERIES, QueryResult, QuerySpec, Resolution, Rollup, Shape, TimeRange},
};
use deadpool_postgres::{Client, GenericClient, Transaction};
use tokio_postgres::error::SqlState;

use crate::{
    DatabaseError, Inner, Mode, QueryError,
    cover::{Cover, MARGIN_MS},
    resolution,
    snapshot::{self, Snapshot},
    timestamp,
};
use groups::Group;

/// The years 1 to 9999 in milliseconds.
pub const YEARS: Range<i64> = -62_135_596_800_000..253_402_300_800_000;
/// Pixels of the widest chart.
const MAX_WIDTH: u32 = 10_000;

pub async fn query(
    inner: &Inner,
    version: MappingVersionId,
    unit: Option<String>,
    spec: &QuerySpec,
    now: Micros,
) -> Result<QueryResult, QueryError> {
    let mut client = inner.db.client().await.map_err(DatabaseError::from)?;
    settled(inner, &mut client, version, unit, spec, now)
        .await
        .map_err(|error| match error {
            QueryError::Database(e) if e.code() == Some(&SqlState::QUERY_CANCELED) => QueryError::TooSlow {
                seconds: inner.options.query_timeout.as_secs(),
            },
            QueryError::Database(e) if e.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => {
                QueryError::Overflow {
                    metric: spec.query.metric.clone(),
                }
            }
            other => other,
        })
}

/// The answer of a snapshot that held.
async fn settled(
    inner: &Inner,
    client: &mut Client,
    version: MappingVersionId,
    unit: Option<String>,
    spec: &QuerySpec,
    now: Micros,
) -> Result<QueryResult, QueryError> {
    for _ in 0..snapshot::ATTEMPTS {
        let snapshot = Snapshot::begin(client, inner, Some(inner.options.query_timeout)).await?;
        let result = answer(inner, &snapshot, version, unit.clone(), spec, now).await?;
        if snapshot.end().await? {
            return Ok(result);
        }
    }
    Err(DatabaseError::Unsettled.into())
}

async fn answer(
    inner: &Inner,
    tx: &Transaction<'_>,
    version: MappingVersionId,
    unit: Option<String>,
    spec: &QuerySpec,
    now: Micros,
) -> Result<QueryResult, QueryError> {
    let all = groups::select(tx, version, &spec.query).await?;
    let range = resolve(tx, spec.range, now, &all).await?;
    let micros = range.start * 1_000..range.end * 1_000;
    let (groups, omitted_series) = groups::newest(tx, all, &micros).await?;

    let mut result = QueryResult {
        resolution: Resolution {
            bucket_ms: range.end - range.start,
            from: Rollup::Raw,
        },
        from_ms: range.start,
        to_ms: range.end,
        series: Vec::new(),
        omitted_series,
        unit,
    };
    let coarsest = match spec.shape {
        Shape::Total => {
            if spec.query.agg == Aggregation::Last {
                result.series = points::last(tx, &groups, &micros).await?;
                return Ok(result);
            }
            Rollup::Day
        }
        Shape::Series { width } => {
            let width = width.clamp(1, MAX_WIDTH);
            if as_written(spec.query.agg, &groups)
                && let Some(series) = points::as_written(tx, &groups, &micros, width * 2).await?
            {
                result.resolution.bucket_ms = 0;
                result.series = series;
                return Ok(result);
            }
            let series = groups.iter().map(|g| g.series.len()).sum();
            result.resolution.bucket_ms =
                resolution::affordable_step(range.end - range.start, width, groups.len(), series);
            resolution::rollup_for(result.resolution.bucket_ms)
        }
    };
    let dirty = match coarsest {
        Rollup::Raw => Vec::new(),
        _ => dirty_hours(tx, version, &range).await?,
    };
    let cover = Cover::new(micros, coarsest, &dirty);
    let step = matches!(spec.shape, Shape::Series { .. }).then_some(result.resolution.bucket_ms);
    result.resolution.from = cover.coarsest();
    let plain = inner.mode == Mode::Plain;
    result.series = points::aggregated(tx, &groups, spec.query.agg, &cover, step, plain).await?;
    Ok(result)
}

/// Whether a group's points can stand for themselves.
fn as_written(agg: Aggregation, groups: &[Group]) -> bool {
    !matches!(agg, Aggregation::Sum | Aggregation::Count) && groups.iter().all(|g| g.series.len() == 1)
}

/// The range in milliseconds. `Last` ends after the millisecond of now, so that a point of this moment is in it.
async fn resolve(
    tx: &Transaction<'_>,
    range: TimeRange,
    now: Micros,
    groups: &[Group],
) -> Result<Range<i64>, QueryError> {
    let (from_ms, to_ms) = match range {
        TimeRange::Last { seconds } => {
            let to = now.millis() + 1;
            (to - i64::from(seconds.max(1)) * 1_000, to)
        }
        TimeRange::Between { from_ms, to_ms } => (from_ms, to_ms),
        TimeRange::All => match groups::bounds(tx, groups).await? {
            Some((first, last)) => (first.div_euclid(1_000), last.div_euclid(1_000) + 1),
            None => (now.millis(), now.millis() + 1),
        },
    };
    let clamp = |ms: i64| ms.clamp(YEARS.start, YEARS.end);
    let range = clamp(from_ms)..clamp(to_ms);
    if range.is_empty() {
        Err(QueryError::EmptyRange { from_ms, to_ms })
    } else {
        Ok(range)
    }
}

/// Starts of the hours whose rollups are out of date, in microseconds, rising.
async fn dirty_hours(
    tx: &Transaction<'_>,
    version: MappingVersionId,
    range: &Range<i64>,
) -> Result<Vec<i64>, DatabaseError> {
    let sql = "SELECT DISTINCT hour FROM rollup_invalidations
        WHERE mapping_version_id = $1 AND hour > $2 AND hour < $3 ORDER BY 1";
    let margin = |ms: i64, by: i64| timestamp((ms + by).clamp(YEARS.start, YEARS.end) * 1_000);
    let rows = tx
        .query(
            &tx.prepare_cached(sql).await?,
            &[
                &version.0,
                &margin(range.start, -MARGIN_MS),
                &margin(range.end, MARGIN_MS),
            ],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|r| r.get::<_, chrono::DateTime<chrono::Utc>>(0).timestamp_micros())
        .collect())
}

/// How many groups an answer holds.
const GROUPS: usize = MAX_SERIES;
