//! The points of an answer: as they were written, or aggregated from rollups and points.

use std::ops::Range;

use chrono::{DateTime, Utc};
use dash_model::{
    mapping::Tags,
    query::{Aggregation, Point, SeriesData},
};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::{Row, types::ToSql};

use super::{
    groups::{Group, columns},
    parts::{Line, Part},
};
use crate::{DatabaseError, cover::Cover, resolution, timestamp};

/// All points of groups of one series each; None when one of them has more than `limit`.
pub async fn as_written(
    tx: &Transaction<'_>,
    groups: &[Group],
    range: &Range<i64>,
    limit: u32,
) -> Result<Option<Vec<SeriesData>>, DatabaseError> {
    let sql = "SELECT s.place, m.time, m.value FROM unnest($1::bigint[], $2::int[]) AS s (id, place)
        CROSS JOIN LATERAL (
            SELECT time, event, value FROM metrics m
            WHERE m.series_id = s.id AND m.time >= $3 AND m.time < $4
            LIMIT $5) m
        ORDER BY s.place, m.time, m.event";
    let statement = tx.prepare_cached(sql).await?;
    let (ids, places) = columns(groups);
    let (from, to, most) = (timestamp(range.start), timestamp(range.end), i64::from(limit) + 1);
    // Series of a metric mostly are of a size: one tells whether to read the others.
    for part in [0..1.min(ids.len()), 0..ids.len()] {
        let rows = tx
            .query(
                &statement,
                &[&&ids[part.clone()], &&places[part.clone()], &from, &to, &most],
            )
            .await?;
        let series = collect(groups, &rows, |row| Point(millis(row.get(1)), row.get(2)));
        if series.iter().any(|s| s.points.len() > limit as usize) {
            return Ok(None);
        }
        if part.len() == ids.len() {
            return Ok(Some(series));
        }
    }
    Ok(None)
}

/// The last point of each group: one look into the index for each series, however long the range is.
pub async fn last(
    tx: &Transaction<'_>,
    groups: &[Group],
    range: &Range<i64>,
) -> Result<Vec<SeriesData>, DatabaseError> {
    let sql =
        "SELECT DISTINCT ON (s.place) s.place, m.time, m.value FROM unnest($1::bigint[], $2::int[]) AS s (id, place)
        CROSS JOIN LATERAL (
            SELECT time, event, value FROM metrics m
            WHERE m.series_id = s.id AND m.time >= $3 AND m.time < $4
            ORDER BY time DESC, event DESC LIMIT 1) m
        ORDER BY s.place, m.time DESC, s.id DESC, m.event DESC";
    let (ids, places) = columns(groups);
    let (from, to) = (timestamp(range.start), timestamp(range.end));
    let rows = tx
        .query(&tx.prepare_cached(sql).await?, &[&ids, &places, &from, &to])
        .await?;
    Ok(collect(groups, &rows, |row| Point(millis(row.get(1)), row.get(2))))
}

/// One part per group and bucket of `step` milliseconds, or one per group without a step.
pub async fn aggregated(
    tx: &Transaction<'_>,
    groups: &[Group],
    agg: Aggregation,
    cover: &Cover,
    step: Option<i64>,
    plain: bool,
) -> Result<Vec<Line>, DatabaseError> {
    let (ids, places) = columns(groups);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let table = |plain_name, name| if plain { plain_name } else { name };
    let sources = [
        ("metrics", &cover.raw),
        (table("rollup_1m", "metrics_1m"), &cover.minutes),
        (table("rollup_1h", "metrics_1h"), &cover.hours),
        (table("rollup_1d", "metrics_1d"), &cover.days),
    ];
    let stretches: Vec<(&str, Stretch)> = sources
        .into_iter()
        .flat_map(|(table, pieces)| Stretch::of(pieces).into_iter().map(move |stretch| (table, stretch)))
        .collect();
    if stretches.is_empty() {
        return Ok(Vec::new());
    }

    let step_ms = step.map(|step| step as f64);
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&ids, &places];
    let bucket = if let Some(step_ms) = &step_ms {
        parameters.push(step_ms);
        let origin = resolution::origin(*step_ms as i64);
        format!("date_bin($3::float8 * interval '1 millisecond', at, '{origin}'::timestamptz)")
    } else {
        "'epoch'::timestamptz".to_owned()
    };
    let branches: Vec<String> = stretches
        .iter()
        .map(|(table, stretch)| branch(table, stretch, agg, &mut parameters))
        .collect();
    let sql = format!(
        "SELECT place, {bucket}, sum(n)::float8, {}, max(newest) FROM ({}) p GROUP BY 1, 2 ORDER BY 1, 2",
        combine(agg),
        branches.join(" UNION ALL ")
    );
    // Its text depends on the pieces, so it is not kept prepared.
    let rows = tx.query(&sql, &parameters).await?;
    let part = |row: &Row| Part {
        at: millis(row.get(1)),
        n: row.get(2),
        v: row.get(3),
        newest: millis(row.get(4)),
    };
    let lines = by_group(groups, &rows, part);
    Ok(lines.map(|(tags, parts)| Line { tags, parts }).collect())
}

/// What one scan reads.
enum Stretch {
    Piece {
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    },
    /// Pieces as columns, and what they lie between.
    Pieces {
        from: Vec<DateTime<Utc>>,
        to: Vec<DateTime<Utc>>,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
    },
}

/// Pieces that get a scan each, which is planned for just that piece; more are scanned together, each row held against all.
const SCANS: usize = 16;

impl Stretch {
    fn of(pieces: &[Range<i64>]) -> Vec<Self> {
        let (from, to): (Vec<_>, Vec<_>) = pieces.iter().map(|p| (timestamp(p.start), timestamp(p.end))).unzip();
        match (from.first(), to.last()) {
            (Some(&first), Some(&last)) if pieces.len() > SCANS => vec![Self::Pieces { from, to, first, last }],
            _ => from
                .into_iter()
                .zip(to)
                .map(|(from, to)| Self::Piece { from, to })
                .collect(),
        }
    }
}

/// Rows (place, at, n, v, key of the first or last point, newest) of one source. Names of tables are ours.
fn branch<'a>(
    table: &str,
    stretch: &'a Stretch,
    agg: Aggregation,
    parameters: &mut Vec<&'a (dyn ToSql + Sync)>,
) -> String {
    let mut parameter = |value: &'a (dyn ToSql + Sync)| {
        parameters.push(value);
        parameters.len()
    };
    let raw = table == "metrics";
    let at = if raw { "time" } else { "bucket" };
    let columns = match (raw, agg) {
        (true, Aggregation::First | Aggregation::Last) => {
            "1::bigint AS n, m.value AS v, m.time AS key_at, m.event AS key_event, m.time AS newest"
        }
        (true, _) => {
            "1::bigint AS n, m.value AS v, NULL::timestamptz AS key_at, 0::bigint AS key_event, m.time AS newest"
        }
        (false, Aggregation::First) => {
            "m.n, m.first AS v, m.first_at AS key_at, 0::bigint AS key_event, m.last_at AS newest"
        }
        (false, Aggregation::Last) => {
            "m.n, m.last AS v, m.last_at AS key_at, 0::bigint AS key_event, m.last_at AS newest"
        }
        (false, Aggregation::Min) => {
            "m.n, m.min AS v, NULL::timestamptz AS key_at, 0::bigint AS key_event, m.last_at AS newest"
        }
        (false, Aggregation::Max) => {
            "m.n, m.max AS v, NULL::timestamptz AS key_at, 0::bigint AS key_event, m.last_at AS newest"
        }
        (false, _) => "m.n, m.sum AS v, NULL::timestamptz AS key_at, 0::bigint AS key_event, m.last_at AS newest",
    };
    let (pieces, condition) = match stretch {
        Stretch::Piece { from, to } => {
            let (from, to) = (parameter(from), parameter(to));
            (String::new(), format!("m.{at} >= ${from} AND m.{at} < ${to}"))
        }
        Stretch::Pieces { from, to, first, last } => {
            let (from, to) = (parameter(from), parameter(to));
            let (first, last) = (parameter(first), parameter(last));
            (
                format!("CROSS JOIN unnest(${from}::timestamptz[], ${to}::timestamptz[]) AS r (starts, ends)"),
                format!("m.{at} >= ${first} AND m.{at} < ${last} AND m.{at} >= r.starts AND m.{at} < r.ends"),
            )
        }
    };
    format!(
        "SELECT s.place, m.{at} AS at, m.series_id, {columns}
        FROM unnest($1::bigint[], $2::int[]) AS s (id, place) {pieces}
        JOIN {table} m ON m.series_id = s.id
        WHERE m.series_id = ANY($1) AND {condition}"
    )
}

/// The value of a bucket. `First` and `Last` compare time, series, then event (in halves that a double holds exactly); two
/// buckets of one series never share the time of a point, so the event matters only among raw points.
fn combine(agg: Aggregation) -> &'static str {
    match agg {
        Aggregation::Avg | Aggregation::Sum | Aggregation::Count => "sum(v)",
        Aggregation::Min => "min(v)",
        Aggregation::Max => "max(v)",
        Aggregation::First => {
            "(min(ARRAY[date_part('epoch', key_at), -series_id, -(key_event >> 32)::float8,
                -(key_event & 4294967295)::float8, v]))[5]"
        }
        Aggregation::Last => {
            "(max(ARRAY[date_part('epoch', key_at), series_id, (key_event >> 32)::float8,
                (key_event & 4294967295)::float8, v]))[5]"
        }
    }
}

fn collect(groups: &[Group], rows: &[Row], point: impl Fn(&Row) -> Point) -> Vec<SeriesData> {
    let series = by_group(groups, rows, point);
    series.map(|(tags, points)| SeriesData { tags, points }).collect()
}

/// Rows that begin with the place of their group, in rising order, by group.
fn by_group<'a, T>(
    groups: &'a [Group],
    rows: &'a [Row],
    read: impl Fn(&Row) -> T + 'a,
) -> impl Iterator<Item = (Tags, Vec<T>)> + 'a {
    rows.chunk_by(|a, b| a.get::<_, i32>(0) == b.get::<_, i32>(0))
        .filter_map(move |chunk| {
            let place = usize::try_from(chunk.first()?.get::<_, i32>(0)).ok()?;
            Some((groups.get(place)?.tags.clone(), chunk.iter().map(&read).collect()))
        })
}

fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}
