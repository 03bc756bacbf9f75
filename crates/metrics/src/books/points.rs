//! Points: as dashboards count them, and one by one.

use std::ops::Range;

use chrono::{DateTime, Utc};
use dash_model::{EventSeq, MappingVersionId, Micros, query::Rollup};
use deadpool_postgres::{GenericClient, Transaction};
use futures::TryStreamExt;
use tokio_postgres::types::ToSql;

use super::{LedgerRange, Place, Places, ledger::count};
use crate::{DatabaseError, Mode, cover::Cover, query::YEARS, timestamp};

/// Hours whose rollups are out of date: their starts in microseconds, rising, and since when the oldest is.
pub struct Dirty {
    pub hours: Vec<i64>,
    pub since: Option<Micros>,
}

pub async fn dirty(tx: &Transaction<'_>, version: MappingVersionId) -> Result<Dirty, DatabaseError> {
    let sql =
        "SELECT hour, min(written_at) FROM rollup_invalidations WHERE mapping_version_id = $1 GROUP BY 1 ORDER BY 1";
    let rows = tx.query(&tx.prepare_cached(sql).await?, &[&version.0]).await?;
    let micros = |row: &tokio_postgres::Row, i| row.get::<_, DateTime<Utc>>(i).timestamp_micros();
    Ok(Dirty {
        hours: rows.iter().map(|row| micros(row, 0)).collect(),
        since: rows.iter().map(|row| Micros(micros(row, 1))).min(),
    })
}

/// Pieces that get a scan each; more are scanned together.
const SCANS: usize = 16;

/// How many points dashboards see: whole days from their rollup, clean hours of other days from theirs, the rest from the points.
pub async fn counted(
    tx: &Transaction<'_>,
    version: MappingVersionId,
    mode: &Mode,
    dirty: &[i64],
) -> Result<u64, DatabaseError> {
    let cover = Cover::new(YEARS.start * 1_000..YEARS.end * 1_000, Rollup::Day, dirty);
    let table = |plain, timescale| if *mode == Mode::Plain { plain } else { timescale };
    let mut sum = 0;
    for (table, at, n, pieces) in [
        (table("rollup_1d", "metrics_1d"), "bucket", "sum(m.n)", &cover.days),
        (table("rollup_1h", "metrics_1h"), "bucket", "sum(m.n)", &cover.hours),
        (table("rollup_1m", "metrics_1m"), "bucket", "sum(m.n)", &cover.minutes),
        ("metrics", "time", "count(*)", &cover.raw),
    ] {
        let from = format!("SELECT coalesce({n}, 0)::bigint FROM series s JOIN {table} m ON m.series_id = s.id");
        if pieces.len() <= SCANS {
            let sql = format!("{from} WHERE s.mapping_version_id = $1 AND m.{at} >= $2 AND m.{at} < $3");
            for piece in pieces {
                sum += one(tx, &sql, &[&version.0, &timestamp(piece.start), &timestamp(piece.end)]).await?;
            }
        } else if let (Some(first), Some(last)) = (pieces.first(), pieces.last()) {
            let column = |of: fn(&Range<i64>) -> i64| -> Vec<_> { pieces.iter().map(|p| timestamp(of(p))).collect() };
            let (starts, ends) = (column(|p| p.start), column(|p| p.end));
            let sql = format!(
                "{from} WHERE s.mapping_version_id = $1 AND m.{at} >= $2 AND m.{at} < $3
                    AND m.{at} < ($5::timestamptz[])[width_bucket(m.{at}, $4::timestamptz[])]"
            );
            let (first, last) = (timestamp(first.start), timestamp(last.end));
            sum += one(tx, &sql, &[&version.0, &first, &last, &starts, &ends]).await?;
        }
    }
    Ok(sum)
}

async fn one(tx: &Transaction<'_>, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<u64, DatabaseError> {
    let row = tx.query_one(&tx.prepare_cached(sql).await?, parameters).await?;
    Ok(count(&row, 0))
}

/// All points, and where their number is not that of the ledger's row. One scan over them.
pub async fn by_range(
    tx: &Transaction<'_>,
    version: MappingVersionId,
    ranges: &[LedgerRange],
) -> Result<(u64, Places), DatabaseError> {
    let firsts: Vec<i64> = ranges.iter().map(|r| r.first_event.0).collect();
    let lasts: Vec<i64> = ranges.iter().map(|r| r.last_event.0).collect();
    let sql = "SELECT place, covered, count(*), min(event), max(event) FROM (
            SELECT m.event, width_bucket(m.event, $2::bigint[]) AS place,
                m.event <= coalesce(($3::bigint[])[width_bucket(m.event, $2::bigint[])], -1) AS covered
            FROM series s JOIN metrics m ON m.series_id = s.id
            WHERE s.mapping_version_id = $1) p
        GROUP BY 1, 2";
    let parameters: [&(dyn ToSql + Sync); 3] = [&version.0, &firsts, &lasts];
    let statement = tx.prepare_cached(sql).await?;
    let rows = tx.query_raw(&statement, parameters).await?;
    futures::pin_mut!(rows);
    let mut found = vec![0; ranges.len()];
    let (mut all, mut places) = (0, Places::default());
    while let Some(row) = rows.try_next().await? {
        let n = count(&row, 2);
        all += n;
        let place = usize::try_from(row.get::<_, i32>(0) - 1).ok();
        match place.and_then(|place| found.get_mut(place)).filter(|_| row.get(1)) {
            Some(found) => *found = n,
            None => places.add(Place {
                first_event: EventSeq(row.get(3)),
                last_event: EventSeq(row.get(4)),
                booked: 0,
                found: n,
            }),
        }
    }
    for (range, found) in ranges.iter().zip(found) {
        if range.points != found {
            places.add(Place {
                first_event: range.first_event,
                last_event: range.last_event,
                booked: range.points,
                found,
            });
        }
    }
    Ok((all, places))
}
