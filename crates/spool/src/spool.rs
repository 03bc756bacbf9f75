//! The handle.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    thread,
};

use dash_model::{BatchId, EventSeq, PipelineId};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use crate::{
    AppendError, Depth, NewBatch, OpenError, Options, Pending, Reader, Stage, codec,
    disk::{Disk, RealDisk},
    ledger::Ledger,
    queue::{End, Queue, Waiting},
    recover::{Recovered, recover},
    space::Space,
    stage::Torn,
    writer::Writer,
};

/// A cheap handle on an open spool. When the last one is dropped the spool closes by itself; [`close`](Self::close)
/// says when it has.
#[derive(Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    max_bytes: u64,
    queue_bytes: usize,
    max_batch_bytes: usize,
}

/// What handle, readers and writer share.
pub(crate) struct Shared {
    pub queue: Queue,
    pub ledger: Mutex<Ledger>,
    /// Bytes of all segments.
    pub used: AtomicU64,
    pub space: Space,
    /// What crashes left, as found when the spool was opened: only then is there more of it.
    pub torn: Torn,
    pub progress: watch::Sender<Progress>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    pub commits: u64,
    pub end: Option<End>,
}

impl Spool {
    /// Opens the spool and checks every segment of it: blocking, up to seconds for a full one.
    ///
    /// `min_next` is the highest sequence that the database knows + 1: a lost directory then never reuses sequences.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: Options, min_next: EventSeq) -> Result<Self, OpenError> {
        Self::open_on(Arc::new(RealDisk), options, min_next)
    }

    pub(crate) fn open_on(disk: Arc<dyn Disk>, options: Options, min_next: EventSeq) -> Result<Self, OpenError> {
        let Recovered {
            ledger,
            active,
            torn,
            lock,
        } = recover(&*disk, &options, min_next)?;
        let shared = Arc::new(Shared {
            queue: Queue::default(),
            used: AtomicU64::new(ledger.bytes()),
            ledger: Mutex::new(ledger),
            space: Space::new(disk.clone(), options.dir.clone(), options.min_free_bytes),
            torn,
            progress: watch::Sender::default(),
        });
        let inner = Inner {
            shared: shared.clone(),
            max_bytes: options.max_bytes,
            queue_bytes: options.queue_bytes,
            max_batch_bytes: options.max_batch_bytes,
        };
        let dir = options.dir.clone();
        let writer = Writer::new(shared, disk, options, active);
        thread::Builder::new()
            .name("spool".into())
            .spawn(move || writer.run(lock))
            .map_err(|source| OpenError::Io {
                action: "starting the thread that writes to",
                path: dir,
                source,
            })?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Resolves when the batch is durable. A dropped future does not take the batch back: it may be committed.
    ///
    /// # Errors
    /// See [`AppendError`]; the batch is not acknowledged.
    pub async fn append(&self, batch: NewBatch) -> Result<BatchId, AppendError> {
        let inner = &*self.inner;
        let size = codec::frame_len(&batch);
        if size > inner.max_batch_bytes {
            return Err(AppendError::TooLarge {
                bytes: size,
                max_batch_bytes: inner.max_batch_bytes,
            });
        }
        let (ack, committed) = oneshot::channel();
        let waiting = Waiting { batch, size, ack };
        inner
            .shared
            .queue
            .push(waiting, inner.queue_bytes, &inner.shared.used, inner.max_bytes)?;
        // The writer answers everything that it takes, unless it dies of a fault.
        committed.await.unwrap_or_else(|_| {
            Err(AppendError::Stopped {
                why: "the thread that commits died of a fault in the program".into(),
            })
        })
    }

    /// A reader from the oldest batch that is kept.
    pub fn reader(&self) -> Reader {
        Reader::new(self.inner.shared.clone())
    }

    /// Says that `stage` needs these batches no more. Batches that are gone or were done before are ignored. This is
    /// kept in memory: after a restart whatever is in a segment that was not yet removed is handed out again.
    pub fn done(&self, stage: Stage, batches: &[BatchId]) {
        if self.inner.shared.ledger.lock().done(stage, batches) {
            self.inner.shared.queue.trim();
        }
    }

    /// The oldest sequence that the spool may still hold: what came before it is done for good.
    pub fn oldest(&self) -> EventSeq {
        self.inner.shared.ledger.lock().kept_from()
    }

    /// Whether `stage` has still to do this batch. False for a batch that was trimmed or never was.
    pub fn is_pending(&self, stage: Stage, batch: BatchId) -> bool {
        self.inner.shared.ledger.lock().is_pending(stage, batch)
    }

    /// The state of the whole spool. Asks the disk, at most once a second, when it was full.
    pub fn depth(&self) -> Depth {
        let shared = &*self.inner.shared;
        let queued_bytes = shared.queue.bytes();
        let stopped = match shared.queue.end() {
            Some(End::Stopped(why)) => Some(why.to_string()),
            _ => None,
        };
        let disk_full = shared.space.is_full();
        let mut ledger = shared.ledger.lock();
        Depth {
            segments: ledger.segments(),
            bytes: ledger.bytes(),
            queued_bytes,
            pending: ledger.pending(None),
            next: ledger.next(),
            disk_full,
            stopped,
            torn: shared.torn,
        }
    }

    #[cfg(test)]
    pub(crate) fn commits(&self) -> u64 {
        self.inner.shared.progress.borrow().commits
    }

    /// What is pending of one pipeline.
    pub fn pending(&self, pipeline: PipelineId) -> Pending {
        self.inner.shared.ledger.lock().pending(Some(pipeline))
    }

    /// Takes no more appends, commits what waits, and lets go of the directory. Readers end when they have handed out
    /// the rest; later [`done`](Self::done)s remove nothing.
    pub async fn close(&self) {
        let shared = &*self.inner.shared;
        shared.queue.close();
        // Fails only when the sender is gone, and that is `shared` itself.
        let _ = shared.progress.subscribe().wait_for(|p| p.end.is_some()).await;
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}
