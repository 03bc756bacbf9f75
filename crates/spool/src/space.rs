//! Whether the disk has room for what comes.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::disk::Disk;

/// Pause between two questions to a disk that was full.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What is known of the space on the spool's disk. Writing tells; once the disk was full, so does asking.
pub(crate) struct Space {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Bytes to leave free.
    reserve: u64,
    full: Mutex<Option<Full>>,
}

struct Full {
    /// Free bytes from which on the disk is taken to have space again.
    needs: u64,
    asked: Instant,
}

impl Space {
    pub fn new(disk: Arc<dyn Disk>, dir: PathBuf, reserve: u64) -> Self {
        Self {
            disk,
            dir,
            reserve,
            full: Mutex::new(None),
        }
    }

    /// Whether `size` bytes can be written without touching the reserve. Where the disk cannot be asked the write will
    /// tell.
    pub fn fits(&self, size: u64) -> bool {
        let needs = self.reserve.saturating_add(size);
        let fits = self.free().is_none_or(|free| free >= needs);
        if !fits {
            self.found_full(needs);
        }
        fits
    }

    /// The disk was asked, said that there is room for `size` bytes, and then took them not.
    pub fn refused(&self, size: u64) {
        // A quota does not show in what is free: what was not enough now is not enough later.
        let needs = match self.free() {
            Some(free) => self.reserve.max(free).saturating_add(size),
            None => u64::MAX,
        };
        self.found_full(needs);
    }

    /// Something was written.
    pub fn written(&self) {
        self.set(&mut self.full.lock(), None);
    }

    /// Whether the disk is full, as far as is known. Asks the disk again at most once a second, so that a disk that was
    /// cleared is found to have space although nothing is written.
    pub fn is_full(&self) -> bool {
        let mut full = self.full.lock();
        let Some(state) = full.as_mut() else {
            return false;
        };
        if state.asked.elapsed() < ASK_AGAIN {
            return true;
        }
        let asked = Instant::now();
        state.asked = asked;
        let needs = state.needs;
        // Not while holding it: the writer would wait for a disk that is slow to answer.
        drop(full);
        let has_space = self.free().is_some_and(|free| free >= needs);
        let mut full = self.full.lock();
        // Unless a write has told more in the meantime.
        if has_space && full.as_ref().is_some_and(|state| state.asked == asked) {
            self.set(&mut full, None);
        }
        full.is_some()
    }

    fn free(&self) -> Option<u64> {
        self.disk.free_bytes(&self.dir).ok()
    }

    fn found_full(&self, needs: u64) {
        let asked = Instant::now();
        self.set(&mut self.full.lock(), Some(Full { needs, asked }));
    }

    fn set(&self, full: &mut Option<Full>, now: Option<Full>) {
        let is_full = now.is_some();
        let was_full = std::mem::replace(full, now).is_some();
        match (was_full, is_full) {
            (false, true) => tracing::warn!(dir = %self.dir.display(), "the disk is full: nothing is accepted"),
            (true, false) => tracing::info!(dir = %self.dir.display(), "the disk has space again"),
            _ => {}
        }
    }
}
