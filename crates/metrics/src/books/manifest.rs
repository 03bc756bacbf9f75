//! What the manifest lists, and how far it and the ledger must agree.

use std::collections::{BTreeMap, BTreeSet};

use dash_model::{EventSeq, MappingVersionId, PipelineId};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::Row;

use super::{BookedObject, Extent, Floor, LISTED, Piece, ledger::count};
use crate::DatabaseError;

/// Committed objects, and keys of those that are only intended.
pub async fn objects(
    tx: &Transaction<'_>,
    pipeline: PipelineId,
) -> Result<(Vec<BookedObject>, Vec<String>), DatabaseError> {
    let sql = "SELECT key, first_event, last_event, rows, coalesce(bytes, 0), raw_bytes, state = 'committed'
        FROM lake_objects WHERE pipeline_id = $1 ORDER BY first_event, id";
    let rows = tx.query(&tx.prepare_cached(sql).await?, &[&pipeline.0]).await?;
    let (committed, intended): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.get(6));
    let intended = intended.iter().map(|row| row.get(0)).collect();
    Ok((committed.iter().map(object).collect(), intended))
}

fn object(row: &Row) -> BookedObject {
    BookedObject {
        key: row.get(0),
        first_event: EventSeq(row.get(1)),
        last_event: EventSeq(row.get(2)),
        rows: count(row, 3),
        bytes: count(row, 4),
        raw_bytes: count(row, 5),
    }
}

/// Ends of objects, and the last events that spools no longer hold.
pub fn thresholds(objects: &[BookedObject], floors: &[Floor]) -> Vec<EventSeq> {
    let ends = objects.iter().map(|o| o.last_event);
    let floors = floors.iter().map(|f| EventSeq(f.from.0 - 1));
    ends.chain(floors).collect::<BTreeSet<_>>().into_iter().collect()
}

/// See [`Extent`].
pub fn extents(objects: &[BookedObject], pieces: &[Piece], floors: &[Floor]) -> Vec<Extent> {
    const NONE: EventSeq = EventSeq(-1);
    let mut ends: BTreeMap<u8, (EventSeq, EventSeq)> = BTreeMap::new();
    let mut raise = |node: u8, silver: EventSeq, lake: EventSeq| {
        let end = ends.entry(node).or_insert((NONE, NONE));
        *end = (end.0.max(silver), end.1.max(lake));
    };
    for piece in pieces {
        raise(piece.last_event.node(), piece.last_event, NONE);
    }
    for object in objects {
        raise(object.last_event.node(), NONE, object.last_event);
    }
    for floor in floors {
        let last = EventSeq(floor.from.0 - 1);
        raise(floor.node, last, last);
    }
    let extent = |(node, (silver, lake))| Extent { node, silver, lake };
    ends.into_iter().map(extent).collect()
}

/// Objects whose first or last event, which are events of this pipeline, no row of the ledger covers although it must.
pub async fn uncovered(
    tx: &Transaction<'_>,
    pipeline: PipelineId,
    version: MappingVersionId,
    extents: &[Extent],
) -> Result<Vec<BookedObject>, DatabaseError> {
    let sql = format!(
        "SELECT o.key, o.first_event, o.last_event, o.rows, coalesce(o.bytes, 0), o.raw_bytes
        FROM lake_objects o
        JOIN unnest($3::bigint[], $4::bigint[]) AS e (node, silver)
            ON o.first_event >> {bits} = e.node AND o.last_event <= e.silver
        WHERE o.pipeline_id = $1 AND o.state = 'committed' AND (
            o.first_event > coalesce((
                SELECT l.last_event FROM ledger l
                WHERE l.mapping_version_id = $2 AND l.first_event <= o.first_event
                ORDER BY l.first_event DESC LIMIT 1), -1)
            OR o.last_event > coalesce((
                SELECT l.last_event FROM ledger l
                WHERE l.mapping_version_id = $2 AND l.first_event <= o.last_event
                ORDER BY l.first_event DESC LIMIT 1), -1))
        ORDER BY o.first_event LIMIT $5",
        bits = EventSeq::COUNTER_BITS
    );
    let nodes: Vec<i64> = extents.iter().map(|e| i64::from(e.node)).collect();
    let silver: Vec<i64> = extents.iter().map(|e| e.silver.0).collect();
    let limit = LISTED as i64;
    let rows = tx
        .query(
            &tx.prepare_cached(&sql).await?,
            &[&pipeline.0, &version.0, &nodes, &silver, &limit],
        )
        .await?;
    Ok(rows.iter().map(object).collect())
}
