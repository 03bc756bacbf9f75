//! Spool to Silver: batches of a pipeline run through its plan together, and everything of one pass is one transaction.
//!
//! The transaction writes points and ledger; what the ledger has is never written again. So a crash anywhere in here costs
//! time, not events.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use dash_metrics::{AnsweredKey, Silver, WriteError, WriteSet};
use dash_model::{
    BatchId, EventSeq, MappingVersionId, Micros, PipelineId, mapping::FieldReason, point::Quarantined, receipt::Receipt,
};
use dash_spool::{Batch, Reader, Spool, Stage};
use dash_transform::{Input, Plan, Transformed};
use tokio::sync::mpsc;

use super::Coverage;
use crate::{
    activity::{Activity, RawEvent},
    catalog::{Catalog, Entry},
    failure::Failure,
    ingest::Answers,
    live::Hub,
};

/// Bytes of the spool that one pass takes at most.
const PASS_BYTES: usize = 8 << 20;
/// Longest pause between two tries of a write that failed.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// What the stage works with.
pub struct SilverStage {
    pub spool: Spool,
    pub catalog: Catalog,
    pub silver: Silver,
    pub answers: Answers,
    pub activity: Activity,
    pub hub: Hub,
}

/// Batches of one pass and what became of them.
struct Pass {
    sets: Arc<[WriteSet]>,
    /// In the order of the sets, then those that needed none.
    batches: Vec<Batch>,
}

impl SilverStage {
    /// Registers the answers that only the spool knows. Must end before the first request is taken.
    pub async fn recover(&self) -> Result<(), Failure> {
        let mut left = self.spool.depth().pending.silver.batches;
        let mut reader = self.spool.reader();
        while left > 0 {
            let batches = reader
                .next(PASS_BYTES)
                .await
                .map_err(|e| Failure::internal(e.to_string()))?;
            for batch in &batches {
                if let Some(id) = &batch.idempotency {
                    self.answers
                        .remember(batch.pipeline, id.key.clone(), id.body_hash, receipt(batch));
                }
            }
            left = left.saturating_sub(batches.len() as u64);
        }
        Ok(())
    }

    /// Runs until the spool closes. Mapping the next batches overlaps with writing the last ones.
    pub async fn run(self) -> Result<(), Failure> {
        let this = Arc::new(self);
        let (passes, mut writes) = mpsc::channel::<Pass>(1);
        let mapper = tokio::spawn(Arc::clone(&this).map(passes));
        while let Some(pass) = writes.recv().await {
            this.write(pass).await;
        }
        mapper
            .await
            .map_err(|e| Failure::internal(format!("the mapping stage ended: {e}")))?
    }

    async fn map(self: Arc<Self>, passes: mpsc::Sender<Pass>) -> Result<(), Failure> {
        let mut reader: Reader = self.spool.reader();
        let depth = self.spool.depth();
        let covered = retry("read the ledger", || self.silver.covered(EventSeq(0), depth.next)).await;
        let covered = Coverage::new(covered.into_iter().map(|c| (c.version, c.first, c.last)));
        loop {
            let batches = match reader.next(PASS_BYTES).await {
                Ok(batches) => batches,
                Err(dash_spool::ReadError::Closed) => return Ok(()),
                Err(e) => return Err(Failure::internal(format!("the spool cannot be read: {e}"))),
            };
            let pass = self
                .pass(batches, |version, id| id < depth.next && covered.contains(&version, id))
                .await?;
            if passes.send(pass).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Maps what is not covered yet, pipeline by pipeline.
    async fn pass(
        &self,
        batches: Vec<Batch>,
        covered: impl Fn(MappingVersionId, BatchId) -> bool,
    ) -> Result<Pass, Failure> {
        let mut by_pipeline: BTreeMap<PipelineId, Vec<Batch>> = BTreeMap::new();
        for batch in batches {
            by_pipeline.entry(batch.pipeline).or_default().push(batch);
        }
        let mut pass = Pass {
            sets: Arc::new([]),
            batches: Vec::new(),
        };
        let mut sets = Vec::new();
        for (pipeline, batches) in by_pipeline {
            let entry = self.entry(pipeline).await;
            let version = entry.pipeline.active_version.id;
            let (done, fresh): (Vec<_>, Vec<_>) = batches.into_iter().partition(|b| covered(version, b.id));
            self.show(pipeline, &done);
            if !fresh.is_empty() {
                let (set, fresh) = map_on_pool(entry, fresh).await?;
                self.show(pipeline, &fresh);
                sets.push(set);
                pass.batches.extend(fresh);
            }
            pass.batches.extend(done);
        }
        pass.sets = sets.into();
        Ok(pass)
    }

    /// The pipeline of a batch. One that is unknown was made by another process a moment ago.
    async fn entry(&self, pipeline: PipelineId) -> Arc<Entry> {
        retry("find a pipeline", || async {
            match self.catalog.by_id(pipeline) {
                Some(entry) => Ok(entry),
                None => self.catalog.find(&pipeline.to_string()).await,
            }
        })
        .await
    }

    fn show(&self, pipeline: PipelineId, batches: &[Batch]) {
        for batch in batches {
            let skip = batch.records.len().saturating_sub(crate::activity::RECENT);
            let events = (skip..batch.records.len()).map(|row| RawEvent {
                event: batch.id.offset(row),
                received_at: batch.received_at,
                raw: Bytes::copy_from_slice(batch.records.get(row).unwrap_or_default()),
            });
            self.activity.seen(pipeline, events);
        }
    }

    /// Writes until it is written: the spool keeps the events for as long as it takes.
    async fn write(&self, pass: Pass) {
        let mut sets = Arc::clone(&pass.sets);
        let mut pause = Duration::from_millis(100);
        while !sets.is_empty() {
            match self.silver.write(Arc::clone(&sets)).await {
                Ok(_) => break,
                // A commit whose answer was lost: those sets are done, the others are not.
                Err(WriteError::AlreadyWritten { sets: done }) => {
                    let rest = sets
                        .iter()
                        .enumerate()
                        .filter(|(i, _)| !done.contains(i))
                        .map(|(_, s)| s.clone());
                    sets = rest.collect();
                }
                Err(error) => {
                    tracing::error!(%error, retry_in = ?pause, "Silver could not be written; the spool keeps the events");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
        let answered = pass
            .sets
            .iter()
            .flat_map(|s| s.answered.iter().map(move |a| (s.pipeline, a.key.as_str())));
        self.answers.stored(answered);
        let ids: Vec<BatchId> = pass.batches.iter().map(|b| b.id).collect();
        self.spool.done(Stage::Silver, &ids);
        let pipelines: Vec<PipelineId> = pass.sets.iter().map(|s| s.pipeline).collect();
        self.hub.committed(&pipelines);
    }
}

async fn map_on_pool(entry: Arc<Entry>, batches: Vec<Batch>) -> Result<(WriteSet, Vec<Batch>), Failure> {
    tokio::task::spawn_blocking(move || (map_batches(&entry, &batches), batches))
        .await
        .map_err(|e| Failure::internal(format!("a mapping ended early: {e}")))
}

/// One run of batches of one pipeline, mapped.
fn map_batches(entry: &Entry, batches: &[Batch]) -> WriteSet {
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

/// A fault of the engine must not stop the pipeline for ever: its records wait in quarantine, with the reason.
fn map_or_quarantine(plan: &Plan, inputs: &[Input]) -> Transformed {
    plan.run(inputs).unwrap_or_else(|error| {
        tracing::error!(%error, "a mapping failed; its records go to quarantine");
        let reason = FieldReason {
            field: "record".into(),
            reason: format!("the mapping could not be run: {error}"),
        };
        let quarantined = inputs.iter().flat_map(|input| {
            let reason = reason.clone();
            input.records.iter().enumerate().map(move |(row, raw)| Quarantined {
                event: input.first.offset(row),
                received_at: input.received_at,
                raw: Bytes::copy_from_slice(raw),
                reasons: vec![reason.clone()],
            })
        });
        Transformed {
            quarantined: quarantined.collect(),
            ..Transformed::default()
        }
    })
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
fn receipt(batch: &Batch) -> Receipt {
    Receipt {
        batch: batch.id,
        accepted: batch.records.len() as u32,
        rejected: batch.rejections.clone(),
        rejected_total: batch.rejected,
    }
}

/// Tries until it succeeds: while the database is away there is nothing better to do.
async fn retry<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(
    what: &str,
    mut attempt: impl FnMut() -> F,
) -> T {
    let mut pause = Duration::from_millis(100);
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => {
                tracing::error!(%error, retry_in = ?pause, "cannot {what}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}
