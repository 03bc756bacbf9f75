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
mod parts;
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
pub use parts::{Known, Parts};

/// The years 1 to 9999 in milliseconds.
pub const YEARS: Range<i64> = -62_135_596_800_000..253_402_300_800_000;
/// Pixels of the widest chart.
const MAX_WIDTH: u32 = 10_000;

/// What is asked.
#[derive(Clone)]
pub struct Question<'a> {
    pub version: MappingVersionId,
    /// Passed through.
    pub unit: Option<String>,
    pub spec: &'a QuerySpec,
    pub now: Micros,
    pub follow: Follow<'a>,
}

/// Whether the same will be asked again soon.
#[derive(Clone)]
pub enum Follow<'a> {
    /// It will not: read what is quickest to read.
    No,
    /// It will, or was: read buckets that the next answer can take over, but not those that this one can.
    Yes(Option<Known<'a>>),
}

/// An answer, and what the next one can go on from.
pub struct Answer {
    pub result: QueryResult,
    pub parts: Option<Parts>,
}

pub async fn query(inner: &Inner, question: Question<'_>) -> Result<Answer, QueryError> {
    let mut client = inner.db.client().await.map_err(DatabaseError::from)?;
    settled(inner, &mut client, &question)
        .await
        .map_err(|error| match error {
            QueryError::Database(e) if e.code() == Some(&SqlState::QUERY_CANCELED) => QueryError::TooSlow {
                seconds: inner.options.query_timeout.as_secs(),
            },
            QueryError::Database(e) if e.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => overflow(&question),
            other => other,
        })
}

fn overflow(question: &Question<'_>) -> QueryError {
    QueryError::Overflow {
        metric: question.spec.query.metric.clone(),
    }
}

/// The answer of a snapshot that held.
async fn settled(inner: &Inner, client: &mut Client, question: &Question<'_>) -> Result<Answer, QueryError> {
    for _ in 0..snapshot::ATTEMPTS {
        let snapshot = Snapshot::begin(client, inner, Some(inner.options.query_timeout)).await?;
        let answer = answer(inner, &snapshot, question).await?;
        if snapshot.end().await? {
            return Ok(answer);
        }
    }
    Err(DatabaseError::Unsettled.into())
}

async fn answer(inner: &Inner, tx: &Transaction<'_>, question: &Question<'_>) -> Result<Answer, QueryError> {
    let (version, spec) = (question.version, question.spec);
    let agg = spec.query.agg;
    let all = groups::select(tx, version, &spec.query).await?;
    let range = resolve(tx, spec.range, question.now, &all).await?;
    let length = range.end - range.start;
    let micros = range.start * 1_000..range.end * 1_000;
    let (groups, omitted_series) = groups::newest(tx, all, &micros).await?;

    let mut result = QueryResult {
        resolution: Resolution {
            bucket_ms: length,
            from: Rollup::Raw,
        },
        from_ms: range.start,
        to_ms: range.end,
        series: Vec::new(),
        omitted_series,
        unit: question.unit.clone(),
    };
    // Without parts: it is quick enough to read all of it again.
    let whole = |result| Ok(Answer { result, parts: None });
    // One bucket for all, without a step.
    let step = match spec.shape {
        Shape::Total if agg == Aggregation::Last => {
            result.series = points::last(tx, &groups, &micros).await?;
            return whole(result);
        }
        Shape::Total => match question.follow {
            Follow::Yes(_) if agg != Aggregation::First => Some(resolution::step(length, TOTAL_PARTS)),
            _ => None,
        },
        Shape::Series { width } => {
            let width = width.clamp(1, MAX_WIDTH);
            if as_written(agg, &groups)
                && let Some(series) = points::as_written(tx, &groups, &micros, width * 2).await?
            {
                result.resolution.bucket_ms = 0;
                result.series = series;
                return whole(result);
            }
            let series = groups.iter().map(|g| g.series.len()).sum();
            result.resolution.bucket_ms = resolution::affordable_step(length, width, groups.len(), series);
            Some(result.resolution.bucket_ms)
        }
    };
    let coarsest = step.map_or(Rollup::Day, resolution::rollup_for);
    let dirty = match coarsest {
        Rollup::Raw => Vec::new(),
        _ => dirty_hours(tx, version, &range).await?,
    };
    let cover = Cover::new(micros, coarsest, &dirty);
    result.resolution.from = cover.coarsest();
    let reused = match &question.follow {
        Follow::Yes(Some(known)) if omitted_series == 0 => step.and_then(|step| known.reuse(&range, step)),
        _ => None,
    };
    let cover = match &reused {
        Some(reused) => cover.only(&reused.stale),
        None => cover,
    };
    let mut lines = points::aggregated(tx, &groups, agg, &cover, step, inner.mode == Mode::Plain).await?;
    if let Some(reused) = reused {
        reused.complete(&mut lines);
    }
    result.series = parts::shown(&lines, agg, spec.shape).ok_or_else(|| overflow(question))?;
    let parts = step.and_then(|step| Parts::of(&result, step, lines));
    Ok(Answer { result, parts })
}

/// Into how many parts a total is cut at most that is asked for again and again.
const TOTAL_PARTS: u32 = 300;

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
