//! Where a spool lives and how much it may take.

use std::{path::PathBuf, time::Duration};

use crate::OpenError;

const MIB: u64 = 1 << 20;

/// Limits are bytes and age, never a count of events.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of this spool alone; made when it is absent.
    pub dir: PathBuf,
    /// The node in whose name sequences are handed out.
    pub node: u8,
    /// A segment is sealed before it grows beyond this. Default 64 MiB.
    pub segment_bytes: u64,
    /// A segment that holds anything is sealed at this age, so that it can be trimmed. Default 60 s.
    pub segment_age: Duration,
    /// Bytes of all segments; beyond this appends get [`Full`](crate::AppendError::Full). Default 4 GiB.
    pub max_bytes: u64,
    /// Free bytes to leave on the file system; below this appends get
    /// [`DiskFull`](crate::AppendError::DiskFull). Default 256 MiB.
    pub min_free_bytes: u64,
    /// Bytes that wait for a commit; beyond this appends get [`Busy`](crate::AppendError::Busy). Default 32 MiB.
    pub queue_bytes: usize,
    /// Bytes of one batch in the spool, its metadata included. Default 16 MiB, at most `queue_bytes`.
    pub max_batch_bytes: usize,
}

impl Options {
    /// The defaults.
    pub fn new(dir: impl Into<PathBuf>, node: u8) -> Self {
        Self {
            dir: dir.into(),
            node,
            segment_bytes: 64 * MIB,
            segment_age: Duration::from_secs(60),
            max_bytes: 4096 * MIB,
            min_free_bytes: 256 * MIB,
            queue_bytes: 32 << 20,
            max_batch_bytes: 16 << 20,
        }
    }

    pub(crate) fn check(&self) -> Result<(), OpenError> {
        let wrong = |field, reason: String| Err(OpenError::Option { field, reason });
        if !(1..=4096 * MIB).contains(&self.segment_bytes) {
            return wrong(
                "segment_bytes",
                format!("{} is out of range; allowed are 1 to 4 GiB", self.segment_bytes),
            );
        }
        if self.segment_age.is_zero() {
            return wrong("segment_age", "must be longer than nothing".into());
        }
        if !(1..=1 << 30).contains(&self.max_batch_bytes) {
            return wrong(
                "max_batch_bytes",
                format!("{} is out of range; allowed are 1 to 1 GiB", self.max_batch_bytes),
            );
        }
        if self.queue_bytes < self.max_batch_bytes {
            return wrong(
                "queue_bytes",
                format!(
                    "{} is less than max_batch_bytes, {}",
                    self.queue_bytes, self.max_batch_bytes
                ),
            );
        }
        if self.max_bytes < self.max_batch_bytes as u64 {
            return wrong(
                "max_bytes",
                format!(
                    "{} is less than max_batch_bytes, {}",
                    self.max_bytes, self.max_batch_bytes
                ),
            );
        }
        Ok(())
    }
}
