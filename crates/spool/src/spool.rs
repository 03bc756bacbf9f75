//! The handle.

use std::sync::Arc;

use dash_model::{BatchId, EventSeq, PipelineId};

use crate::{AppendError, Depth, NewBatch, OpenError, Options, Pending, Reader, Stage};

/// A cheap handle on an open spool.
#[derive(Clone, Debug)]
pub struct Spool {
    inner: Arc<EventSeq>,
}

impl Spool {
    /// Opens the spool and checks every segment of it: blocking, up to seconds for a full one.
    ///
    /// `min_next` is the highest sequence that the database knows + 1: a lost directory then never reuses sequences.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: Options, min_next: EventSeq) -> Result<Self, OpenError> {
        options.check()?;
        Ok(Self {
            inner: Arc::new(min_next),
        })
    }

    /// Resolves when the batch is durable. A dropped future does not take the batch back: it may be committed.
    ///
    /// # Errors
    /// See [`AppendError`]; the batch is not acknowledged.
    #[allow(clippy::unused_async)]
    pub async fn append(&self, _batch: NewBatch) -> Result<BatchId, AppendError> {
        Err(AppendError::DiskFull)
    }

    /// A reader from the oldest batch that is kept.
    pub fn reader(&self) -> Reader {
        Reader::new()
    }

    /// Says that `stage` needs these batches no more. Batches that are gone or were done before are ignored.
    pub fn done(&self, _stage: Stage, _batches: &[BatchId]) {}

    /// The state of the whole spool.
    pub fn depth(&self) -> Depth {
        Depth {
            segments: 0,
            bytes: 0,
            queued_bytes: 0,
            pending: Pending::default(),
            next: *self.inner,
            disk_full: false,
            stopped: None,
        }
    }

    /// What is pending of one pipeline.
    pub fn pending(&self, _pipeline: PipelineId) -> Pending {
        Pending::default()
    }

    /// Commits what waits, then closes for appends; readers end when they have handed out the rest.
    #[allow(clippy::unused_async)]
    pub async fn close(&self) {}
}
