//! One write: points, ledger, totals, quarantine and idempotency keys in one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use dash_model::{EventSeq, Micros, mapping::FieldReason};
use deadpool_postgres::{Client, GenericClient, Transaction};
use futures::SinkExt;
use tokio_postgres::error::SqlState;

use crate::{
    DatabaseError, Inner, Mode, WriteError, WriteSet, Written,
    copy::Encoder,
    dictionary::without_nul,
    ledger::{self, Counts},
    partitions,
};

const HOUR: i64 = 3_600_000_000;

/// A set, with what is known only now: the numbers of its series, and the records that have to wait.
struct Prepared<'a> {
    set: &'a WriteSet,
    ids: Vec<Option<i64>>,
    refused: BTreeSet<EventSeq>,
    points: u64,
}

pub async fn write(inner: &Inner, sets: &Arc<[WriteSet]>) -> Result<Written, WriteError> {
    if sets.is_empty() {
        return Ok(Written::default());
    }
    check(sets)?;
    let mut client = inner.db.client().await.map_err(DatabaseError::from)?;
    let mut prepared = Vec::with_capacity(sets.len());
    for (i, set) in sets.iter().enumerate() {
        let ids = inner
            .dictionary
            .resolve(&mut client, set, inner.options.max_series)
            .await?;
        prepared.push(Prepared::new(i, set, ids)?);
    }
    if inner.mode == Mode::Plain {
        let months = months(&prepared);
        inner.partitions.ensure(&mut client, &months).await?;
    }
    match transaction(&mut client, &prepared, inner.options.max_series).await {
        // Two writers of the same events meet at the quarantine's key before they meet at the ledger.
        Err(WriteError::Database(e)) if e.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            let taken = ledger::overlapping(&client, sets).await?;
            if taken.is_empty() {
                Err(e.into())
            } else {
                Err(WriteError::AlreadyWritten { sets: taken })
            }
        }
        other => other,
    }
}

async fn transaction(client: &mut Client, prepared: &[Prepared<'_>], limit: u32) -> Result<Written, WriteError> {
    let db = DatabaseError::from;
    let tx = client.transaction().await.map_err(db)?;
    let mut written = Written {
        points: copy_points(&tx, prepared).await?,
        ..Written::default()
    };
    invalidate(&tx, prepared).await?;
    written.quarantined = copy_quarantine(&tx, prepared, limit).await?;
    written.over_series_limit = prepared.iter().map(|p| p.refused.len() as u64).sum();
    answered(&tx, prepared).await?;
    // Last, because from here on other writers of the same versions wait.
    let rows: Vec<(&WriteSet, Counts)> = prepared.iter().map(|p| (p.set, p.counts())).collect();
    ledger::enter(&tx, &rows).await?;
    tx.commit().await.map_err(db)?;
    Ok(written)
}

impl<'a> Prepared<'a> {
    fn new(index: usize, set: &'a WriteSet, ids: Vec<Option<i64>>) -> Result<Self, WriteError> {
        let points = &set.points;
        let mut refused = BTreeSet::new();
        if ids.iter().any(Option::is_none) {
            let without = points
                .series
                .iter()
                .zip(&points.event)
                .filter(|(s, _)| ids[**s as usize].is_none());
            refused.extend(without.map(|(_, event)| *event));
        }
        let kept = points.event.iter().filter(|e| !refused.contains(e)).count() as u64;
        if refused.len() > set.mapped as usize {
            let reason = format!(
                "points of more events ({}) than were mapped ({})",
                refused.len(),
                set.mapped
            );
            return Err(WriteError::Invalid { set: index, reason });
        }
        Ok(Self {
            set,
            ids,
            refused,
            points: kept,
        })
    }

    fn counts(&self) -> Counts {
        let refused = u32::try_from(self.refused.len()).expect("at most as many as mapped events");
        Counts {
            mapped: self.set.mapped - refused,
            quarantined: self.set.quarantined.len() as u64 + u64::from(refused),
            points: self.points,
        }
    }

    /// Places of the points, those of a series together: neighbours in the table are read together.
    fn by_series(&self) -> Vec<u32> {
        let series = &self.set.points.series;
        let mut next = vec![0_u32; self.ids.len() + 1];
        for &s in series {
            next[s as usize + 1] += 1;
        }
        for s in 1..next.len() {
            next[s] += next[s - 1];
        }
        let mut order = vec![0; series.len()];
        for (place, &s) in (0_u32..).zip(series) {
            let at = &mut next[s as usize];
            order[*at as usize] = place;
            *at += 1;
        }
        order
    }
}

/// Everything that a database would refuse or, worse, take.
fn check(sets: &[WriteSet]) -> Result<(), WriteError> {
    let invalid = |set, reason: String| Err(WriteError::Invalid { set, reason });
    let mut ends: BTreeMap<_, BTreeMap<EventSeq, EventSeq>> = BTreeMap::new();
    for (i, set) in sets.iter().enumerate() {
        let p = &set.points;
        let n = p.time.len();
        if p.series.len() != n || p.value.len() != n || p.event.len() != n || u32::try_from(n).is_err() {
            return invalid(
                i,
                format!("the columns of {n} points differ in length, or are too long"),
            );
        }
        if let Some(s) = p.series.iter().find(|s| **s as usize >= set.series.len()) {
            return invalid(i, format!("series {s} is not among the {} given", set.series.len()));
        }
        if let Some(t) = p.time.iter().find(|t| !(MIN_TIME..MAX_TIME).contains(&t.0)) {
            return invalid(i, format!("time {} µs is outside the years 1 to 9999", t.0));
        }
        if set.first_event > set.last_event {
            return invalid(
                i,
                format!("events {} to {} are no range", set.first_event, set.last_event),
            );
        }
        let parts = u64::from(set.mapped) + u64::from(set.filtered) + set.quarantined.len() as u64;
        if u64::from(set.events) != parts {
            return invalid(
                i,
                format!("{} events, but {parts} mapped, filtered and quarantined", set.events),
            );
        }
        if ends
            .entry(set.version)
            .or_default()
            .insert(set.first_event, set.last_event)
            .is_some()
        {
            return invalid(i, format!("two sets begin at event {}", set.first_event));
        }
    }
    for ranges in ends.values() {
        let firsts = ranges.keys().skip(1);
        if let Some((last, first)) = ranges.values().zip(firsts).find(|(last, first)| last >= first) {
            return invalid(0, format!("a set ends at event {last} where another begins at {first}"));
        }
    }
    Ok(())
}

/// The years 1 to 9999, which every part of the system can print.
const MIN_TIME: i64 = -62_135_596_800_000_000;
const MAX_TIME: i64 = 253_402_300_800_000_000;

fn months(prepared: &[Prepared<'_>]) -> BTreeSet<i32> {
    let hours: BTreeSet<i64> = prepared.iter().flat_map(|p| hours(p.set)).collect();
    hours
        .into_iter()
        .filter_map(|hour| partitions::month(Micros(hour)))
        .collect()
}

/// Starts of the hours that the points lie in.
fn hours(set: &WriteSet) -> BTreeSet<i64> {
    let mut hours = BTreeSet::new();
    let mut last = None;
    for time in &set.points.time {
        let hour = time.0.div_euclid(HOUR);
        // Neighbours mostly share their hour.
        if last != Some(hour) {
            hours.insert(hour * HOUR);
            last = Some(hour);
        }
    }
    hours
}

async fn copy_points(tx: &Transaction<'_>, prepared: &[Prepared<'_>]) -> Result<u64, DatabaseError> {
    if prepared.iter().all(|p| p.points == 0) {
        return Ok(0);
    }
    let copy = tx
        .prepare_cached("COPY metrics (time, series_id, value, event) FROM STDIN (FORMAT binary)")
        .await?;
    let sink = tx.copy_in::<_, Bytes>(&copy).await?;
    futures::pin_mut!(sink);
    let mut encoder = Encoder::new();
    for p in prepared {
        let points = &p.set.points;
        for place in p.by_series() {
            let i = place as usize;
            let event = points.event[i];
            if let Some(id) = p.ids[points.series[i] as usize]
                && (p.refused.is_empty() || !p.refused.contains(&event))
            {
                encoder.point(points.time[i].0, id, points.value[i], event.0);
                if let Some(chunk) = encoder.take() {
                    sink.send(chunk).await?;
                }
            }
        }
    }
    sink.send(encoder.finish()).await?;
    Ok(sink.finish().await?)
}

/// Says which hours no longer equal their rollups.
async fn invalidate(tx: &Transaction<'_>, prepared: &[Prepared<'_>]) -> Result<(), DatabaseError> {
    let mut touched = BTreeSet::new();
    for p in prepared.iter().filter(|p| p.points > 0) {
        touched.extend(hours(p.set).into_iter().map(|hour| (p.set.version.0, hour)));
    }
    if touched.is_empty() {
        return Ok(());
    }
    let (versions, hours): (Vec<i64>, Vec<_>) = touched
        .into_iter()
        .map(|(version, hour)| (version, crate::timestamp(hour)))
        .unzip();
    let sql = "INSERT INTO rollup_invalidations (mapping_version_id, hour)
        SELECT * FROM unnest($1::bigint[], $2::timestamptz[])";
    tx.execute(&tx.prepare_cached(sql).await?, &[&versions, &hours]).await?;
    Ok(())
}

async fn copy_quarantine(tx: &Transaction<'_>, prepared: &[Prepared<'_>], limit: u32) -> Result<u64, DatabaseError> {
    if prepared
        .iter()
        .all(|p| p.set.quarantined.is_empty() && p.refused.is_empty())
    {
        return Ok(0);
    }
    let sql = "COPY quarantine (mapping_version_id, event, organization_id, pipeline_id, received_at, raw, reasons)
        FROM STDIN (FORMAT binary)";
    let sink = tx.copy_in::<_, Bytes>(&tx.prepare_cached(sql).await?).await?;
    futures::pin_mut!(sink);
    let mut encoder = Encoder::new();
    let too_many = [FieldReason {
        field: "tags".into(),
        reason: format!(
            "the record needs a new series, but the mapping version already has {limit}, the most that is allowed; \
             take tags with fewer different values"
        ),
    }];
    for p in prepared {
        let own = p
            .set
            .quarantined
            .iter()
            .map(|q| (q.event, q.received_at, q.raw.clone(), q.reasons.as_slice()));
        let refused = p.refused.iter().map(|&event| {
            let record = p.set.records.as_ref().and_then(|find| find(event));
            let (received_at, raw) = record.unwrap_or((p.set.last_event_at, Bytes::new()));
            (event, received_at, raw, too_many.as_slice())
        });
        for (event, received_at, raw, reasons) in own.chain(refused) {
            encoder
                .row(7)
                .int8(p.set.version.0)
                .int8(event.0)
                .uuid(p.set.organization.0)
                .uuid(p.set.pipeline.0)
                .time(received_at.0)
                .bytea(&raw)
                .jsonb(&stored_reasons(reasons));
            if let Some(chunk) = encoder.take() {
                sink.send(chunk).await?;
            }
        }
    }
    sink.send(encoder.finish()).await?;
    Ok(sink.finish().await?)
}

fn stored_reasons(reasons: &[FieldReason]) -> String {
    let clean: Vec<FieldReason> = reasons
        .iter()
        .map(|r| FieldReason {
            field: without_nul(&r.field),
            reason: without_nul(&r.reason),
        })
        .collect();
    serde_json::to_string(&clean).expect("strings are JSON")
}

async fn answered(tx: &Transaction<'_>, prepared: &[Prepared<'_>]) -> Result<(), DatabaseError> {
    let rows = || {
        prepared
            .iter()
            .flat_map(|p| p.set.answered.iter().map(move |a| (p.set, a)))
    };
    if rows().next().is_none() {
        return Ok(());
    }
    let pipelines: Vec<_> = rows().map(|(set, _)| set.pipeline.0).collect();
    let organizations: Vec<_> = rows().map(|(set, _)| set.organization.0).collect();
    let keys: Vec<String> = rows().map(|(_, a)| without_nul(&a.key)).collect();
    let hashes: Vec<&[u8]> = rows().map(|(_, a)| a.body_hash.as_slice()).collect();
    let receipts: Vec<String> = rows()
        .map(|(_, a)| {
            let mut receipt = a.receipt.clone();
            for rejection in &mut receipt.rejected {
                rejection.reason = without_nul(&rejection.reason);
            }
            serde_json::to_string(&receipt).expect("a receipt is JSON")
        })
        .collect();
    let times: Vec<_> = rows().map(|(_, a)| crate::timestamp(a.at.0)).collect();
    let sql = "INSERT INTO idempotency_keys (pipeline_id, organization_id, key, body_hash, receipt, created_at)
        SELECT pipeline_id, organization_id, key, body_hash, receipt::jsonb, created_at
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::timestamptz[])
            AS a (pipeline_id, organization_id, key, body_hash, receipt, created_at)
        ORDER BY pipeline_id, key
        ON CONFLICT (pipeline_id, key) DO NOTHING";
    let statement = tx.prepare_cached(sql).await?;
    tx.execute(
        &statement,
        &[&pipelines, &organizations, &keys, &hashes, &receipts, &times],
    )
    .await?;
    Ok(())
}
