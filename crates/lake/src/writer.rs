//! Gathers batches into objects and writes these, exactly once.
//!
//! The writer keeps no promise of its own: what is not committed yet is still in the spool, and a new writer over the
//! same manifest and store ends in the same objects. Failures are tried again for ever, with growing pauses; a
//! pipeline whose object fails does not hold up the others until the buffer is full.

mod lane;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use dash_model::{BatchId, EventSeq, Micros, PipelineId};
use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::watch;

use self::lane::{Lane, Place};
use crate::{LakeError, Manifest, PendingBatch, Store, backoff::backoff, object};

/// Objects that are encoded and put at the same time.
const CONCURRENT: usize = 4;

#[derive(Clone, Debug)]
pub struct WriterOptions {
    /// Raw bytes at which an object is written: 16 MiB.
    pub object_bytes: usize,
    /// An object is written at the latest this long after its first batch came: 60 s.
    pub object_age: Duration,
    /// What all pipelines together may hold back in memory: 256 MiB.
    pub max_buffer_bytes: usize,
    /// The oldest event that the spool still has: objects that end before it are not asked for at start-up.
    pub from: EventSeq,
    /// First and longest pause after a failure: 200 ms and 30 s.
    pub retry_first: Duration,
    pub retry_most: Duration,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            object_bytes: 16 << 20,
            object_age: Duration::from_secs(60),
            max_buffer_bytes: 256 << 20,
            from: EventSeq(0),
            retry_first: Duration::from_millis(200),
            retry_most: Duration::from_secs(30),
        }
    }
}

/// What became of a pushed batch.
#[derive(Debug)]
pub enum Pushed {
    /// On its way, by this push or by an earlier one.
    Buffered,
    /// Nothing (more) to do: its object is committed, or it has no events.
    Finished,
    /// There is no room: [`Writer::flush_largest`], then push it again.
    Full(PendingBatch),
}

/// What the writer is doing, for pages and `/readyz`.
#[derive(Clone, Debug, Default)]
pub struct WriterStatus {
    /// Memory that waiting batches take, nearly.
    pub buffered_bytes: usize,
    pub buffered_rows: u64,
    /// When the oldest waiting batch was received.
    pub oldest: Option<Micros>,
    /// Objects that are complete and not yet committed.
    pub waiting_objects: usize,
    /// Since this writer began.
    pub written_objects: u64,
    pub written_rows: u64,
    pub written_bytes: u64,
    /// Objects that could not be written so far; empty when all is well.
    pub failing: Vec<Failing>,
}

#[derive(Clone, Debug)]
pub struct Failing {
    pub pipeline: PipelineId,
    pub key: String,
    /// The last error, without secrets.
    pub error: String,
    /// When the first try failed.
    pub since: Micros,
    pub attempts: u32,
    /// Trying again alone will not help: somebody has to look.
    pub needs_attention: bool,
}

/// One for each node. Every method but [`Writer::new`] can be cancelled without loss.
pub struct Writer {
    store: Store,
    manifest: Arc<dyn Manifest>,
    options: WriterOptions,
    lanes: HashMap<PipelineId, Lane>,
    /// Sum of the weights of all batches in the lanes.
    buffered: usize,
    /// Committed and not reported yet.
    finished: Vec<BatchId>,
    status: watch::Sender<WriterStatus>,
}

impl Writer {
    /// Asks the manifest what an earlier life committed and intended of the events from `options.from` on.
    pub async fn new(store: Store, manifest: Arc<dyn Manifest>, options: WriterOptions) -> Result<Self, LakeError> {
        let last = EventSeq(options.from.0 | ((1 << EventSeq::COUNTER_BITS) - 1));
        let committed = manifest.committed_ranges(options.from, last).await;
        let intended = manifest
            .intended(options.from, last)
            .await
            .map_err(LakeError::Manifest)?;
        let mut lanes: HashMap<PipelineId, Lane> = HashMap::new();
        for (pipeline, first, last) in committed.map_err(LakeError::Manifest)? {
            lanes.entry(pipeline).or_default().add_committed(first, last);
        }
        for intent in intended {
            lanes.entry(intent.pipeline).or_default().add_intent(intent);
        }
        Ok(Self {
            store,
            manifest,
            options,
            lanes,
            buffered: 0,
            finished: Vec::new(),
            status: watch::Sender::default(),
        })
    }

    /// Follows what this writer does.
    pub fn status(&self) -> watch::Receiver<WriterStatus> {
        self.status.subscribe()
    }

    /// Takes a batch. Batches of a pipeline come by rising id; after a restart, or whenever it likes, the caller may
    /// go back and push them again.
    ///
    /// # Errors
    /// [`LakeError::OutOfOrder`]
    pub fn push(&mut self, batch: PendingBatch) -> Result<Pushed, LakeError> {
        if batch.records.is_empty() {
            return Ok(Pushed::Finished);
        }
        let weight = batch.weight();
        let lane = self.lanes.entry(batch.pipeline).or_default();
        match lane.place(batch.id)? {
            Place::Held => return Ok(Pushed::Buffered),
            Place::Committed => return Ok(Pushed::Finished),
            // Always taken: an intended object must become complete, and it fitted into memory once.
            Place::Intended(at) => lane.gather(at, batch),
            Place::New => {
                let no_room = self.buffered + weight > self.options.max_buffer_bytes;
                if no_room && self.lanes.values().any(Lane::is_writable) {
                    return Ok(Pushed::Full(batch));
                }
                let lane = self.lanes.entry(batch.pipeline).or_default();
                lane.append(batch, self.options.object_bytes);
            }
        }
        self.buffered += weight;
        self.status.send_modify(|s| s.buffered_bytes = self.buffered);
        Ok(Pushed::Buffered)
    }

    /// When [`Writer::flush_due`] has something to do again; nothing while nothing waits.
    pub fn next_deadline(&self) -> Option<Instant> {
        let age = self.options.object_age;
        self.lanes.values().filter_map(|lane| lane.deadline(age)).min()
    }

    /// Writes what is large or old enough, and tries again what failed and has paused. Answers the batches that are
    /// in the lake now.
    pub async fn flush_due(&mut self, now: Instant) -> Vec<BatchId> {
        let age = self.options.object_age;
        for lane in self.lanes.values_mut() {
            lane.seal_if(|opened| opened + age <= now);
        }
        self.write_sealed(Some(now)).await
    }

    /// Tries once to write everything, whatever its size or age: before a shutdown. What fails stays.
    pub async fn flush_all(&mut self) -> Vec<BatchId> {
        for lane in self.lanes.values_mut() {
            lane.seal_if(|_| true);
        }
        self.write_sealed(None).await
    }

    /// Makes room: writes the pipeline that holds most, and what is due. When the storage is down nothing is freed;
    /// then wait until [`Writer::next_deadline`].
    pub async fn flush_largest(&mut self) -> Vec<BatchId> {
        if let Some(lane) = self.lanes.values_mut().max_by_key(|lane| lane.open_bytes()) {
            lane.seal_if(|_| true);
        }
        self.write_sealed(Some(Instant::now())).await
    }

    /// Writes what these pipelines hold, whatever its size or age, and what is due: somebody waits for it.
    pub async fn flush_pipelines(&mut self, pipelines: &HashSet<PipelineId>) -> Vec<BatchId> {
        for (_, lane) in self.lanes.iter_mut().filter(|(id, _)| pipelines.contains(id)) {
            lane.seal_if(|_| true);
        }
        self.write_sealed(Some(Instant::now())).await
    }

    /// True when every batch that was pushed is in the lake.
    pub fn is_empty(&self) -> bool {
        self.buffered == 0
    }

    /// Writes the sealed objects, the lanes side by side and each lane in its order. With `now`, lanes that pause
    /// after a failure are left out.
    async fn write_sealed(&mut self, now: Option<Instant>) -> Vec<BatchId> {
        let due = |lane: &Lane| now.is_none_or(|now| lane.retry_at.is_none_or(|at| at <= now));
        let mut waiting: VecDeque<PipelineId> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.next_sealed().is_some() && due(lane))
            .map(|(pipeline, _)| *pipeline)
            .collect();
        let mut failed = 0;
        let mut running = FuturesUnordered::new();
        self.publish();
        loop {
            while running.len() < CONCURRENT
                && let Some(pipeline) = waiting.pop_front()
            {
                let Some(sealed) = self.lanes.get(&pipeline).and_then(Lane::next_sealed) else {
                    continue;
                };
                let (store, manifest) = (self.store.clone(), self.manifest.clone());
                running.push(Box::pin(async move {
                    (pipeline, object::write(&store, &*manifest, sealed).await)
                }));
            }
            let Some((pipeline, written)) = running.next().await else {
                break;
            };
            // No await from here on: a cancelled flush loses no result that it has seen.
            let ok = written.is_ok();
            self.settle(pipeline, written);
            if ok {
                waiting.push_back(pipeline);
            } else {
                failed += 1;
            }
            self.publish();
        }
        tracing::debug!(finished = self.finished.len(), failed, "lake flushed");
        std::mem::take(&mut self.finished)
    }

    fn settle(&mut self, pipeline: PipelineId, written: Result<u64, LakeError>) {
        let Some(lane) = self.lanes.get_mut(&pipeline) else {
            return;
        };
        match written {
            Ok(bytes) => {
                let Some(sealed) = lane.written() else { return };
                self.buffered -= sealed.weight();
                self.finished.extend(sealed.batches.iter().map(|b| b.id));
                let intent = &sealed.intent;
                tracing::info!(key = intent.key, rows = intent.rows, bytes, "object written");
                self.status.send_modify(|s| {
                    s.written_objects += 1;
                    s.written_rows += intent.rows;
                    s.written_bytes += bytes;
                });
            }
            Err(error) => {
                lane.attempts += 1;
                let pause = match error.needs_attention() {
                    true => self.options.retry_most,
                    false => backoff(lane.attempts, self.options.retry_first, self.options.retry_most),
                };
                lane.retry_at = Some(Instant::now() + pause);
                tracing::warn!(%pipeline, attempts = lane.attempts, %error, "object not written; trying again");
                let (key, attempts) = (lane.next_sealed().map(|s| s.intent.key.clone()), lane.attempts);
                lane.failing = Some(Failing {
                    pipeline,
                    key: key.unwrap_or_default(),
                    error: error.to_string(),
                    since: lane.failing.as_ref().map_or_else(now_micros, |f| f.since),
                    attempts,
                    needs_attention: error.needs_attention(),
                });
            }
        }
    }

    fn publish(&self) {
        self.status.send_modify(|s| {
            s.buffered_bytes = self.buffered;
            s.buffered_rows = self.lanes.values().map(Lane::rows).sum();
            s.oldest = self.lanes.values().filter_map(Lane::oldest).min();
            s.waiting_objects = self.lanes.values().map(Lane::waiting).sum();
            s.failing = self.lanes.values().filter_map(Lane::trouble).collect();
        });
    }
}

fn now_micros() -> Micros {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Micros(since.as_micros() as i64)
}
