//! Batches of a pipeline as one set of points for Silver.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use dash_metrics::{AnsweredKey, WriteError, WriteSet};
use dash_model::{
    EventSeq, Micros,
    mapping::FieldReason,
    point::{Points, Quarantined},
    receipt::Receipt,
};
use dash_spool::Batch;
use dash_transform::{Input, Plan, Transformed};

use crate::catalog::Entry;

/// One run of batches of one pipeline, mapped.
pub fn map_batches(entry: &Entry, batches: &[Batch]) -> WriteSet {
    let inputs: Vec<Input> = batches
        .iter()
        .map(|b| Input {
            first: b.id,
            received_at: b.received_at,
            records: &b.records,
        })
        .collect();
    let mapped = map_or_quarantine(&entry.plan, &inputs);
    let last = &batches[batches.len() - 1];
    WriteSet {
        organization: entry.pipeline.organization,
        pipeline: entry.pipeline.id,
        version: entry.pipeline.active_version.id,
        first_event: batches[0].id,
        last_event: EventSeq(last.end().0 - 1),
        batches: batches.len() as u32,
        events: batches.iter().map(|b| b.records.len() as u32).sum(),
        rejected: batches.iter().map(|b| b.rejected).sum(),
        mapped: mapped.mapped,
        filtered: mapped.filtered,
        last_event_at: batches.iter().map(|b| b.received_at).max().unwrap_or(Micros(0)),
        series: mapped.series,
        points: mapped.points,
        quarantined: mapped.quarantined,
        answered: batches.iter().filter_map(answered).collect(),
        records: Some(lookup(batches)),
    }
}

/// A fault of the engine, a panic of it included, must not stop the pipeline for ever: the records wait in quarantine, with the reason.
fn map_or_quarantine(plan: &Plan, inputs: &[Input]) -> Transformed {
    // The plan is only read, and what it was making is dropped: nothing half-made is seen afterwards.
    let ran = catch_unwind(AssertUnwindSafe(|| plan.run(inputs)));
    let error = match ran {
        Ok(Ok(transformed)) => return transformed,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it panicked; the log says where".to_owned(),
    };
    tracing::error!(error, "a mapping failed; its records go to quarantine");
    let reasons = reason(format!("the mapping could not be run: {error}"));
    let quarantined = inputs.iter().flat_map(|input| {
        let reasons = &reasons;
        input.records.iter().enumerate().map(move |(row, raw)| Quarantined {
            event: input.first.offset(row),
            received_at: input.received_at,
            raw: Bytes::copy_from_slice(raw),
            reasons: reasons.clone(),
        })
    });
    Transformed {
        quarantined: quarantined.collect(),
        ..Transformed::default()
    }
}

/// A set that the database will never take, as one whose records all wait in quarantine. Nothing when it is such a set already.
pub fn quarantine(set: &WriteSet, error: &WriteError) -> Option<WriteSet> {
    let lookup = set.records.as_ref().filter(|_| !set.points.is_empty())?;
    let reasons = reason(format!("its points could not be written: {error}"));
    let events = set.first_event.0..=set.last_event.0;
    let quarantined: Vec<Quarantined> = events
        .map(EventSeq)
        .filter_map(|event| {
            let (received_at, raw) = lookup(event)?;
            Some(Quarantined {
                event,
                received_at,
                raw,
                reasons: reasons.clone(),
            })
        })
        .collect();
    tracing::error!(%error, events = quarantined.len(), "points cannot be written; their records go to quarantine");
    Some(WriteSet {
        mapped: 0,
        filtered: 0,
        series: Vec::new(),
        points: Points::default(),
        quarantined,
        ..set.clone()
    })
}

fn reason(reason: String) -> Vec<FieldReason> {
    vec![FieldReason {
        field: "record".into(),
        reason,
    }]
}

fn lookup(batches: &[Batch]) -> dash_metrics::RecordLookup {
    let known: Vec<_> = batches
        .iter()
        .map(|b| (b.id, b.received_at, b.records.clone()))
        .collect();
    Arc::new(move |event| {
        let at = known.partition_point(|(id, ..)| *id <= event).checked_sub(1)?;
        let (id, received_at, records) = &known[at];
        let raw = records.get(usize::try_from(event.0 - id.0).ok()?)?;
        Some((*received_at, Bytes::copy_from_slice(raw)))
    })
}

fn answered(batch: &Batch) -> Option<AnsweredKey> {
    batch.idempotency.as_ref().map(|id| AnsweredKey {
        key: id.key.clone(),
        body_hash: id.body_hash,
        receipt: receipt(batch),
        at: batch.received_at,
    })
}

/// What the sender of this batch was answered.
pub fn receipt(batch: &Batch) -> Receipt {
    Receipt {
        batch: batch.id,
        accepted: batch.records.len() as u32,
        rejected: batch.rejections.clone(),
        rejected_total: batch.rejected,
    }
}
