//! Spool to Silver: batches of a pipeline run through its plan together, and everything of one pass is one transaction.
//!
//! The transaction writes points and ledger; what the ledger has is never written again. So a crash anywhere in here costs
//! time, not events.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use dash_metrics::{Silver, WriteError, WriteSet};
use dash_model::{BatchId, MappingVersionId, PipelineId};
use dash_spool::{Batch, Reader, Spool, Stage};
use tokio::sync::mpsc;

use super::{
    Coverage, mapped,
    retry::{Pause, retry},
};
use crate::{
    activity::{Activity, RawEvent},
    catalog::{Catalog, Entry},
    failure::Failure,
    ingest::Answers,
    live::{Commit, Hub},
};

/// Bytes of the spool that one pass takes at most.
const PASS_BYTES: usize = 8 << 20;

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
                        .remember(batch.pipeline, id.key.clone(), id.body_hash, mapped::receipt(batch));
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
        let oldest = self.spool.oldest();
        let covered = retry("read the ledger", || self.silver.covered(oldest, depth.next)).await;
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
            let known = done.iter().filter_map(|b| b.idempotency.as_ref());
            self.answers.stored(known.map(|id| (pipeline, id.key.as_str())));
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
        retry("find a pipeline", || self.catalog.known(pipeline)).await
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
        let mut waiting = vec![Arc::clone(&pass.sets)];
        while let Some(sets) = waiting.pop() {
            if !sets.is_empty() {
                waiting.extend(self.write_sets(sets, &pass.batches).await);
            }
        }
        let answered = pass
            .sets
            .iter()
            .flat_map(|s| s.answered.iter().map(move |a| (s.pipeline, a.key.as_str())));
        self.answers.stored(answered);
        let ids: Vec<BatchId> = pass.batches.iter().map(|b| b.id).collect();
        self.spool.done(Stage::Silver, &ids);
        let commits: Vec<Commit> = pass.sets.iter().map(commit).collect();
        self.hub.committed(&commits);
    }

    /// Writes these sets in one transaction; answers what has to be written in its place when that cannot be done.
    async fn write_sets(&self, sets: Arc<[WriteSet]>, batches: &[Batch]) -> Vec<Arc<[WriteSet]>> {
        let mut pause = Pause::default();
        loop {
            let error = match self.silver.write(Arc::clone(&sets)).await {
                Ok(_) => return Vec::new(),
                Err(error) => error,
            };
            match error {
                WriteError::AlreadyWritten { sets: known } => {
                    let mut rest = Vec::new();
                    for (i, set) in sets.iter().enumerate() {
                        match known.contains(&i) {
                            true => rest.extend(self.remainder(set, batches).await),
                            false => rest.push(set.clone()),
                        }
                    }
                    return rest.into_iter().map(|set| Arc::from([set])).collect();
                }
                error if error.is_transient() => pause.after("write Silver", &error).await,
                // One of them will never be taken: alone, so that it does not hold up the others.
                _ if sets.len() > 1 => return sets.iter().map(|set| Arc::from([set.clone()])).collect(),
                error => match mapped::quarantine(&sets[0], &error) {
                    Some(set) => return vec![Arc::from([set])],
                    // Not even that is taken: somebody has to look.
                    None => pause.after("write Silver", &error).await,
                },
            }
        }
    }

    /// What the ledger lacks of a set: nothing when only the answer of a commit was lost.
    async fn remainder(&self, set: &WriteSet, batches: &[Batch]) -> Vec<WriteSet> {
        let covered = retry("read the ledger", || {
            self.silver.covered(set.first_event, set.last_event)
        })
        .await;
        let covered = Coverage::new(covered.into_iter().map(|c| (c.version, c.first, c.last)));
        let entry = self.entry(set.pipeline).await;
        let mine = batches
            .iter()
            .filter(|b| b.pipeline == set.pipeline && b.id >= set.first_event && b.id <= set.last_event);
        let missing: Vec<Batch> = mine
            .filter(|b| !covered.contains(&set.version, b.id))
            .cloned()
            .collect();
        let mut sets = Vec::new();
        for batch in missing {
            let map = || map_on_pool(Arc::clone(&entry), vec![batch.clone()]);
            sets.push(retry("map a batch", map).await.0);
        }
        sets
    }
}

fn commit(set: &WriteSet) -> Commit {
    let times = set.points.time.iter().map(|t| t.0);
    let (first, last) = times.fold((i64::MAX, i64::MIN), |(first, last), t| (first.min(t), last.max(t)));
    Commit {
        pipeline: set.pipeline,
        times: (first <= last).then_some(first..=last),
    }
}

async fn map_on_pool(entry: Arc<Entry>, batches: Vec<Batch>) -> Result<(WriteSet, Vec<Batch>), Failure> {
    tokio::task::spawn_blocking(move || (mapped::map_batches(&entry, &batches), batches))
        .await
        .map_err(|e| Failure::internal(format!("a mapping ended early: {e}")))
}
