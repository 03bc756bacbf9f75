//! The one thread that writes: group commit, rolling, trimming.

use std::{
    fs::File,
    io,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use dash_model::BatchId;
use tokio::sync::oneshot;

use crate::{
    AppendError, Options,
    codec::{self, FrameHead},
    disk::{Disk, is_full},
    queue::{End, Waiting},
    recover::{Active, create_segment},
    spool::Shared,
};

/// Bytes of one commit: enough to pay for its fdatasync, little enough to hold in memory.
const GROUP_BYTES: u64 = 8 << 20;

/// Pause after a segment could not be created for a reason that may pass.
const ROLL_RETRY: Duration = Duration::from_secs(1);

pub(crate) struct Writer {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    options: Options,
    active: Active,
    /// When the active segment's age seals it; nothing while it is empty.
    seal_at: Option<Instant>,
    /// A failed creation of a segment is not tried again before this.
    retry_at: Option<Instant>,
    /// Frames of one commit, reused.
    buffer: Vec<u8>,
}

/// Ends the spool however the thread ends, so that nobody waits for ever.
struct Farewell {
    shared: Arc<Shared>,
    /// Held while this thread may write.
    lock: Option<File>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let end = if std::thread::panicking() {
            End::Stopped("the thread that commits died of a fault in the program".into())
        } else {
            End::Closed
        };
        self.shared.queue.stop(end);
        let end = self.shared.queue.end();
        // First, so that whoever waits for the end can open the directory again.
        drop(self.lock.take());
        self.shared.progress.send_modify(|p| p.end = end);
    }
}

type Acks = Vec<oneshot::Sender<Result<BatchId, AppendError>>>;

impl Writer {
    pub fn new(shared: Arc<Shared>, disk: Arc<dyn Disk>, options: Options, active: Active) -> Self {
        Self {
            shared,
            disk,
            options,
            active,
            seal_at: None,
            retry_at: None,
            buffer: Vec::new(),
        }
    }

    /// Works until the spool is closed or stops.
    pub fn run(mut self, lock: File) {
        let shared = self.shared.clone();
        let _farewell = Farewell {
            shared: shared.clone(),
            lock: Some(lock),
        };
        let group_bytes = GROUP_BYTES.min(self.options.segment_bytes) as usize;
        loop {
            let work = shared.queue.take(group_bytes, self.seal_at);
            let mut worked = self.commit(work.group);
            if worked.is_ok() {
                worked = self.seal_by_age();
            }
            if worked.is_ok() && work.trim {
                worked = self.trim();
            }
            if let Err(why) = worked {
                self.stop(&why);
                return;
            }
            if work.last {
                return;
            }
        }
    }

    /// Makes a group durable and acknowledges it, or refuses it whole.
    ///
    /// # Errors
    /// What ends the spool.
    fn commit(&mut self, group: Vec<Waiting>) -> Result<(), String> {
        if group.is_empty() {
            return Ok(());
        }
        let size: u64 = group.iter().map(|w| w.size as u64).sum();
        let (batches, acks): (Vec<_>, Acks) = group.into_iter().map(|w| (w.batch, w.ack)).unzip();
        let outcome = self.write(batches, size);
        self.shared.queue.landed();
        let refusal = match outcome {
            Ok(Some(heads)) => {
                for (ack, head) in acks.into_iter().zip(heads) {
                    // Whoever does not wait any more knows that the outcome is open.
                    let _ = ack.send(Ok(head.id));
                }
                return Ok(());
            }
            Ok(None) => AppendError::DiskFull,
            Err(ref why) => {
                self.stop(why);
                AppendError::Stopped { why: why.clone() }
            }
        };
        for ack in acks {
            let _ = ack.send(Err(refusal.clone()));
        }
        outcome.map(|_| ())
    }

    /// Answers what was committed; nothing when the disk is full.
    fn write(&mut self, batches: Vec<crate::NewBatch>, size: u64) -> Result<Option<Vec<FrameHead>>, String> {
        if !self.shared.space.fits(size) {
            return Ok(None);
        }
        let holds_frames = self.active.end > codec::HEADER as u64;
        if holds_frames && self.active.end + size > self.options.segment_bytes {
            self.roll()?;
        }
        let mut next = self.shared.ledger.lock().next();
        if u32::try_from(next.0 - self.active.header.first.0).is_err() {
            return Err("no new segment could be created and the last one is full".into());
        }
        self.buffer.clear();
        let mut heads = Vec::with_capacity(batches.len());
        for batch in batches {
            let head = FrameHead::of(&batch, self.buffer.len() as u32, next);
            codec::encode_frame(&mut self.buffer, self.active.header.mark, next, &batch);
            next = head.end();
            heads.push(head);
        }
        if let Err(e) = self.active.file.write_all_at(&self.buffer, self.active.end) {
            // Nobody was told of these: they shall not turn up after a restart.
            let cut = self.active.file.set_len(self.active.end);
            return match cut {
                Ok(()) if is_full(&e) => {
                    self.shared.space.refused(size);
                    Ok(None)
                }
                _ => Err(format!("writing a segment failed: {e}")),
            };
        }
        if let Err(e) = self.active.file.sync() {
            // The kernel may have dropped the pages and forgotten the error: what a second fsync says means nothing.
            let _ = self.active.file.set_len(self.active.end);
            return Err(format!("flushing a segment failed: {e}"));
        }
        self.shared.space.written();
        self.active.end += self.buffer.len() as u64;
        self.seal_at
            .get_or_insert_with(|| Instant::now() + self.options.segment_age);
        // Before anybody is told, so that whoever is done with a batch finds it here.
        let mut ledger = self.shared.ledger.lock();
        ledger.commit(&heads, self.active.end);
        self.shared.used.store(ledger.bytes(), Ordering::Release);
        drop(ledger);
        self.shared.progress.send_modify(|p| p.commits += 1);
        Ok(Some(heads))
    }

    fn seal_by_age(&mut self) -> Result<(), String> {
        match self.seal_at {
            Some(at) if at <= Instant::now() => self.roll(),
            _ => Ok(()),
        }
    }

    /// Begins a new segment; when that fails for a reason that may pass, the old one goes on.
    fn roll(&mut self) -> Result<(), String> {
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| now < at) {
            return Ok(());
        }
        let next = self.shared.ledger.lock().next();
        match create_segment(&*self.disk, &self.options.dir, self.options.node, next) {
            Ok((active, path)) => {
                let mark = active.header.mark;
                self.active = active;
                (self.seal_at, self.retry_at) = (None, None);
                let mut ledger = self.shared.ledger.lock();
                ledger.begin(next, path, mark);
                self.shared.used.store(ledger.bytes(), Ordering::Release);
                drop(ledger);
                // The stages may have been done with it before it was sealed.
                self.shared.queue.trim();
                Ok(())
            }
            Err(e) if e.fatal => Err(e.to_string()),
            Err(e) => {
                tracing::warn!(error = %e, "no new segment could be created; the last one grows on");
                self.retry_at = Some(now + ROLL_RETRY);
                self.seal_at = self.seal_at.map(|at| at.max(now + ROLL_RETRY));
                Ok(())
            }
        }
    }

    /// Removes the segments that both stages are done with.
    fn trim(&self) -> Result<(), String> {
        let removable = self.shared.ledger.lock().removable();
        if removable.is_empty() {
            return Ok(());
        }
        for (first, path) in removable {
            match self.disk.remove(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(file = %path.display(), error = %e, "a segment that is done could not be removed");
                }
                _ => {
                    let mut ledger = self.shared.ledger.lock();
                    ledger.remove(first);
                    self.shared.used.store(ledger.bytes(), Ordering::Release);
                }
            }
        }
        let dir = &self.options.dir;
        self.disk
            .sync_dir(dir)
            .map_err(|e| format!("flushing {} failed: {e}", dir.display()))
    }

    /// For good; saying it twice does no harm.
    fn stop(&self, why: &str) {
        if self.shared.queue.stop(End::Stopped(why.into())) {
            tracing::error!(why, "the spool accepts nothing until it is opened again");
        }
    }
}
