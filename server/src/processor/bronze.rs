//! Spool to Bronze: hands batches to the lake's writer and tells the spool what is safe there.

use std::time::{Duration, Instant};

use dash_lake::{LakeError, PendingBatch, Pushed, Writer};
use dash_model::BatchId;
use dash_spool::{Batch, ReadError, Spool, Stage};

use super::retry::retry;
use crate::{catalog::Catalog, failure::Failure, ingest::LakeAcks};

/// Bytes of the spool that are read at once.
const READ_BYTES: usize = 4 << 20;

/// Senders who wait for the lake share an object with those who come so soon after them.
const LINGER: Duration = Duration::from_millis(500);

/// What the stage works with.
pub struct BronzeStage {
    pub spool: Spool,
    pub catalog: Catalog,
    pub writer: Writer,
    pub acks: LakeAcks,
}

impl BronzeStage {
    /// Runs until the spool closes; then writes what is left, as far as the storage lets it.
    pub async fn run(mut self) -> Result<(), Failure> {
        let mut reader = self.spool.reader();
        // When an object that somebody waits for is written.
        let mut hurry: Option<Instant> = None;
        loop {
            let due = self.writer.next_deadline();
            tokio::select! {
                batches = reader.next(READ_BYTES) => match batches {
                    Ok(batches) => self.push_all(batches).await?,
                    Err(ReadError::Closed) => break,
                    Err(e) => return Err(Failure::internal(format!("the spool cannot be read: {e}"))),
                },
                () = until(due) => {
                    let finished = self.writer.flush_due(Instant::now()).await;
                    self.done(&finished);
                }
                () = self.acks.woken() => hurry = hurry.or_else(|| Some(Instant::now() + LINGER)),
                () = until(hurry) => {
                    hurry = None;
                    let finished = self.writer.flush_pipelines(&self.acks.pipelines()).await;
                    self.done(&finished);
                }
            }
        }
        let finished = self.writer.flush_all().await;
        self.done(&finished);
        Ok(())
    }

    async fn push_all(&mut self, batches: Vec<Batch>) -> Result<(), Failure> {
        let mut at_once = Vec::new();
        for batch in batches {
            let id = batch.id;
            let mut pending = self.pending(batch).await;
            loop {
                match self
                    .writer
                    .push(pending)
                    .map_err(|e: LakeError| Failure::internal(e.to_string()))?
                {
                    Pushed::Buffered => break,
                    Pushed::Finished => {
                        at_once.push(id);
                        break;
                    }
                    Pushed::Full(again) => {
                        pending = again;
                        self.make_room().await;
                    }
                }
            }
        }
        self.done(&at_once);
        if self.writer.next_deadline().is_some_and(|due| due <= Instant::now()) {
            let finished = self.writer.flush_due(Instant::now()).await;
            self.done(&finished);
        }
        Ok(())
    }

    async fn make_room(&mut self) {
        let finished = self.writer.flush_largest().await;
        if finished.is_empty() {
            // The storage is away: the spool keeps what follows, and refuses when it is full itself.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let finished = self.writer.flush_due(Instant::now()).await;
            self.done(&finished);
        }
        self.done(&finished);
    }

    async fn pending(&self, batch: Batch) -> PendingBatch {
        let entry = retry("find a pipeline", || self.catalog.known(batch.pipeline)).await;
        PendingBatch {
            id: batch.id,
            organization: entry.pipeline.organization,
            pipeline: batch.pipeline,
            received_at: batch.received_at,
            meta: batch.meta,
            records: batch.records,
        }
    }

    fn done(&self, finished: &[BatchId]) {
        if !finished.is_empty() {
            self.spool.done(Stage::Bronze, finished);
            self.acks.done(finished);
        }
    }
}

/// Until then; for ever without a time.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
