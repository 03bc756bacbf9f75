//! The ledger: proof of what is written, and the sums over it.

use std::collections::BTreeMap;

use dash_model::{EventSeq, MappingVersionId};
use deadpool_postgres::{GenericClient, Transaction};

use crate::{Covered, DatabaseError, WriteError, WriteSet, lock};

/// Counts of a set that are known only when it is written.
pub struct Counts {
    pub mapped: u32,
    pub quarantined: u64,
    pub points: u64,
}

/// Sets of which the ledger covers an event already, by index. Ranges of a version do not overlap, so the last one that
/// begins before a set ends is the only one to look at.
pub async fn overlapping(client: &impl GenericClient, sets: &[WriteSet]) -> Result<Vec<usize>, DatabaseError> {
    let sets: Vec<&WriteSet> = sets.iter().collect();
    overlapping_refs(client, &sets).await
}

async fn overlapping_refs(client: &impl GenericClient, sets: &[&WriteSet]) -> Result<Vec<usize>, DatabaseError> {
    let versions: Vec<i64> = sets.iter().map(|s| s.version.0).collect();
    let firsts: Vec<i64> = sets.iter().map(|s| s.first_event.0).collect();
    let lasts: Vec<i64> = sets.iter().map(|s| s.last_event.0).collect();
    let sql = "SELECT w.place FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
            WITH ORDINALITY AS w (version, first_event, last_event, place)
        WHERE w.first_event <= (
            SELECT l.last_event FROM ledger l
            WHERE l.mapping_version_id = w.version AND l.first_event <= w.last_event
            ORDER BY l.first_event DESC LIMIT 1)
        ORDER BY 1";
    let rows = client
        .query(&client.prepare_cached(sql).await?, &[&versions, &firsts, &lasts])
        .await?;
    let place = |r: &tokio_postgres::Row| usize::try_from(r.get::<_, i64>(0) - 1).expect("ordinality counts from 1");
    Ok(rows.iter().map(place).collect())
}

/// Adds a row for each set and its counts to the totals. Writers of a version go one after the other from here to the end of
/// the transaction, so that of two that cover the same event one sees the other.
pub async fn enter(tx: &Transaction<'_>, rows: &[(&WriteSet, Counts)]) -> Result<(), WriteError> {
    let mut by_version: BTreeMap<MappingVersionId, Vec<&(&WriteSet, Counts)>> = BTreeMap::new();
    for row in rows {
        by_version.entry(row.0.version).or_default().push(row);
    }
    for version in by_version.keys() {
        lock::in_transaction(tx, lock::LEDGER, version.0).await?;
    }
    let sets: Vec<&WriteSet> = rows.iter().map(|(set, _)| *set).collect();
    let taken = overlapping_refs(tx, &sets).await?;
    if !taken.is_empty() {
        return Err(WriteError::AlreadyWritten { sets: taken });
    }
    insert(tx, rows).await?;
    for rows in by_version.values() {
        add_up(tx, rows).await?;
    }
    Ok(())
}

async fn insert(tx: &Transaction<'_>, rows: &[(&WriteSet, Counts)]) -> Result<(), DatabaseError> {
    fn column<T>(rows: &[(&WriteSet, Counts)], of: impl Fn(&WriteSet, &Counts) -> T) -> Vec<T> {
        rows.iter().map(|(set, counts)| of(set, counts)).collect()
    }
    // Counts are below 2^32; the columns are integers, and PostgreSQL refuses what does not fit.
    let sql = "INSERT INTO ledger (mapping_version_id, first_event, last_event, organization_id, pipeline_id,
            batches, events, rejected, mapped, filtered, quarantined, points)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[],
            $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])";
    tx.execute(
        &tx.prepare_cached(sql).await?,
        &[
            &column(rows, |s, _| s.version.0),
            &column(rows, |s, _| s.first_event.0),
            &column(rows, |s, _| s.last_event.0),
            &column(rows, |s, _| s.organization.0),
            &column(rows, |s, _| s.pipeline.0),
            &column(rows, |s, _| i64::from(s.batches)),
            &column(rows, |s, _| i64::from(s.events)),
            &column(rows, |s, _| i64::from(s.rejected)),
            &column(rows, |_, c| i64::from(c.mapped)),
            &column(rows, |s, _| i64::from(s.filtered)),
            &column(rows, |_, c| c.quarantined.cast_signed()),
            &column(rows, |_, c| c.points.cast_signed()),
        ],
    )
    .await?;
    Ok(())
}

async fn add_up(tx: &Transaction<'_>, rows: &[&(&WriteSet, Counts)]) -> Result<(), DatabaseError> {
    let Some((set, _)) = rows.first() else { return Ok(()) };
    let sum = |of: fn(&WriteSet, &Counts) -> u64| -> i64 {
        rows.iter()
            .map(|(set, counts)| of(set, counts))
            .sum::<u64>()
            .cast_signed()
    };
    let newest = rows
        .iter()
        .map(|(set, _)| set.last_event_at.0)
        .max()
        .map(crate::timestamp);
    let sql = "INSERT INTO totals AS t (mapping_version_id, organization_id, pipeline_id,
            batches, events, rejected, mapped, filtered, quarantined, points, last_event_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (mapping_version_id) DO UPDATE SET
            batches = t.batches + excluded.batches,
            events = t.events + excluded.events,
            rejected = t.rejected + excluded.rejected,
            mapped = t.mapped + excluded.mapped,
            filtered = t.filtered + excluded.filtered,
            quarantined = t.quarantined + excluded.quarantined,
            points = t.points + excluded.points,
            last_event_at = greatest(t.last_event_at, excluded.last_event_at)";
    tx.execute(
        &tx.prepare_cached(sql).await?,
        &[
            &set.version.0,
            &set.organization.0,
            &set.pipeline.0,
            &sum(|s, _| s.batches.into()),
            &sum(|s, _| s.events.into()),
            &sum(|s, _| s.rejected.into()),
            &sum(|_, c| c.mapped.into()),
            &sum(|s, _| s.filtered.into()),
            &sum(|_, c| c.quarantined),
            &sum(|_, c| c.points),
            &newest,
        ],
    )
    .await?;
    Ok(())
}

/// What the ledger has between two events, both inclusive; ranges that touch become one.
pub async fn covered(client: &impl GenericClient, from: EventSeq, to: EventSeq) -> Result<Vec<Covered>, DatabaseError> {
    let sql = "SELECT mapping_version_id, first_event, last_event FROM ledger
        WHERE last_event >= $1 AND first_event <= $2
        ORDER BY mapping_version_id, first_event";
    let rows = client
        .query(&client.prepare_cached(sql).await?, &[&from.0, &to.0])
        .await?;
    let mut ranges: Vec<Covered> = Vec::new();
    for row in rows {
        let next = Covered {
            version: MappingVersionId(row.get(0)),
            first: EventSeq(row.get(1)),
            last: EventSeq(row.get(2)),
        };
        match ranges.last_mut() {
            Some(r) if r.version == next.version && r.last.offset(1) == next.first => r.last = next.last,
            _ => ranges.push(next),
        }
    }
    Ok(ranges)
}
