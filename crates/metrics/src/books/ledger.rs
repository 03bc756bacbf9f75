//! What the ledger says, and what is kept beside it in the same transactions.

use dash_model::{EventSeq, MappingVersionId, PipelineId};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

use super::{LISTED, LedgerRange, LedgerSums, Piece, Place, Places};
use crate::DatabaseError;

pub async fn active_version(
    tx: &Transaction<'_>,
    pipeline: PipelineId,
) -> Result<Option<MappingVersionId>, DatabaseError> {
    let sql = "SELECT active_version_id FROM pipelines WHERE id = $1 AND active_version_id IS NOT NULL";
    let row = tx.query_opt(&tx.prepare_cached(sql).await?, &[&pipeline.0]).await?;
    Ok(row.map(|r| MappingVersionId(r.get(0))))
}

/// The sums, and the number of rows.
pub async fn sums(tx: &Transaction<'_>, version: MappingVersionId) -> Result<(LedgerSums, u64), DatabaseError> {
    let sql = "SELECT coalesce(sum(batches), 0)::bigint, coalesce(sum(events), 0)::bigint, coalesce(sum(rejected), 0)::bigint,
            coalesce(sum(mapped), 0)::bigint, coalesce(sum(filtered), 0)::bigint, coalesce(sum(quarantined), 0)::bigint,
            coalesce(sum(points), 0)::bigint, count(*)
        FROM ledger WHERE mapping_version_id = $1";
    let row = tx.query_one(&tx.prepare_cached(sql).await?, &[&version.0]).await?;
    Ok((sums_of(&row), count(&row, 7)))
}

pub async fn totals(tx: &Transaction<'_>, version: MappingVersionId) -> Result<Option<LedgerSums>, DatabaseError> {
    let sql = "SELECT batches, events, rejected, mapped, filtered, quarantined, points FROM totals WHERE mapping_version_id = $1";
    let row = tx.query_opt(&tx.prepare_cached(sql).await?, &[&version.0]).await?;
    Ok(row.as_ref().map(sums_of))
}

fn sums_of(row: &Row) -> LedgerSums {
    LedgerSums {
        batches: row.get(0),
        events: row.get(1),
        rejected: row.get(2),
        mapped: row.get(3),
        filtered: row.get(4),
        quarantined: row.get(5),
        points: row.get(6),
    }
}

pub async fn quarantine(tx: &Transaction<'_>, version: MappingVersionId) -> Result<u64, DatabaseError> {
    let sql = "SELECT count(*) FROM quarantine WHERE mapping_version_id = $1";
    let row = tx.query_one(&tx.prepare_cached(sql).await?, &[&version.0]).await?;
    Ok(count(&row, 0))
}

/// Rows of the ledger that count other than what waits in quarantine, then rows in quarantine that the ledger does not cover.
pub async fn quarantine_places(tx: &Transaction<'_>, version: MappingVersionId) -> Result<Places, DatabaseError> {
    let differing = "SELECT l.first_event, l.last_event, l.quarantined::bigint, q.n
        FROM ledger l
        CROSS JOIN LATERAL (
            SELECT count(*) AS n FROM quarantine q
            WHERE q.mapping_version_id = $1 AND q.event BETWEEN l.first_event AND l.last_event) q
        WHERE l.mapping_version_id = $1 AND l.quarantined <> q.n
        ORDER BY 1";
    let foreign = "SELECT q.event, q.event, 0::bigint, 1::bigint
        FROM quarantine q
        WHERE q.mapping_version_id = $1 AND q.event > coalesce((
            SELECT l.last_event FROM ledger l
            WHERE l.mapping_version_id = $1 AND l.first_event <= q.event
            ORDER BY l.first_event DESC LIMIT 1), -1)
        ORDER BY 1";
    let mut places = Places::default();
    for sql in [differing, foreign] {
        for row in tx.query(sql, &[&version.0]).await? {
            places.add(Place {
                first_event: EventSeq(row.get(0)),
                last_event: EventSeq(row.get(1)),
                booked: count(&row, 2),
                found: count(&row, 3),
            });
        }
    }
    Ok(places)
}

pub async fn overlaps(
    tx: &Transaction<'_>,
    version: MappingVersionId,
) -> Result<Vec<(EventSeq, EventSeq)>, DatabaseError> {
    let sql = "SELECT first_event, earlier FROM (
            SELECT first_event, max(last_event) OVER (
                ORDER BY first_event ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS earlier
            FROM ledger WHERE mapping_version_id = $1) l
        WHERE earlier >= first_event ORDER BY 1 LIMIT $2";
    let limit = LISTED as i64;
    let rows = tx.query(&tx.prepare_cached(sql).await?, &[&version.0, &limit]).await?;
    Ok(rows.iter().map(|r| (EventSeq(r.get(0)), EventSeq(r.get(1)))).collect())
}

/// The ledger, summed between the thresholds: a few rows for each of them, however long the ledger is.
pub async fn pieces(
    tx: &Transaction<'_>,
    version: MappingVersionId,
    thresholds: &[EventSeq],
) -> Result<Vec<Piece>, DatabaseError> {
    let sql = format!(
        "SELECT width_bucket(first_event - 1, $2::bigint[]), width_bucket(last_event - 1, $2::bigint[]),
            min(first_event), max(last_event), sum(events)::bigint
        FROM ledger WHERE mapping_version_id = $1
        GROUP BY 1, 2, first_event >> {}
        ORDER BY 3",
        EventSeq::COUNTER_BITS
    );
    let thresholds: Vec<i64> = thresholds.iter().map(|t| t.0).collect();
    let rows = tx
        .query(&tx.prepare_cached(&sql).await?, &[&version.0, &thresholds])
        .await?;
    let place = |row: &Row, i| usize::try_from(row.get::<_, i32>(i)).unwrap_or_default();
    let pieces = rows.iter().map(|row| Piece {
        from: place(row, 0),
        to: place(row, 1),
        first_event: EventSeq(row.get(2)),
        last_event: EventSeq(row.get(3)),
        events: count(row, 4),
    });
    Ok(pieces.collect())
}

/// Every row, by rising first event.
pub async fn ranges(tx: &Transaction<'_>, version: MappingVersionId) -> Result<Vec<LedgerRange>, DatabaseError> {
    let sql = "SELECT first_event, last_event, events::bigint, points::bigint
        FROM ledger WHERE mapping_version_id = $1 ORDER BY 1";
    let rows = tx.query(sql, &[&version.0]).await?;
    let ranges = rows.iter().map(|row| LedgerRange {
        first_event: EventSeq(row.get(0)),
        last_event: EventSeq(row.get(1)),
        events: count(row, 2),
        points: count(row, 3),
    });
    Ok(ranges.collect())
}

/// A count: what is negative was written by somebody else, and shows as a difference.
pub fn count(row: &Row, column: usize) -> u64 {
    u64::try_from(row.get::<_, i64>(column)).unwrap_or_default()
}
