//! What can go wrong, and what to do about it.

use std::{io, path::PathBuf, time::Duration};

/// Why a spool does not open. Nothing was changed in it but what the message says.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("spool option {field}: {reason}")]
    Option { field: &'static str, reason: String },
    #[error("another process uses the spool in {}; stop it or choose another directory", dir.display())]
    Locked { dir: PathBuf },
    #[error("{action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "{}: {reason} at byte {offset}. Acknowledged events are in this file: restore it from a copy, or move it out of \
         the directory to start without them", path.display()
    )]
    Damaged { path: PathBuf, offset: u64, reason: String },
    #[error(
        "{}: written in format {found}, this program reads format {known}; start the newer program and let it empty the \
         spool", path.display()
    )]
    Version { path: PathBuf, found: u16, known: u16 },
    #[error("{}: written by node {found}, this is node {node}; give each node a directory of its own", path.display())]
    OtherNode { path: PathBuf, found: u8, node: u8 },
}

/// Why a batch was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    #[error("the spool holds {bytes} of {max_bytes} bytes that are still to be processed")]
    Full { bytes: u64, max_bytes: u64 },
    #[error("{queued} bytes wait for the disk; the queue holds {queue_bytes}")]
    Busy { queued: usize, queue_bytes: usize },
    #[error("the disk of the spool is full; free some space on it")]
    DiskFull,
    /// The outcome of a batch that was waiting when this happened is unknown: it may turn up after the restart.
    #[error("the spool takes nothing any more: {why}")]
    Stopped { why: String },
    #[error("a batch of {bytes} bytes exceeds the limit of {max_batch_bytes}; split it")]
    TooLarge { bytes: usize, max_batch_bytes: usize },
}

impl AppendError {
    /// When the same batch may be tried again; nothing when it never fits.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { .. } => Some(Duration::from_secs(1)),
            Self::Full { .. } => Some(Duration::from_secs(5)),
            Self::DiskFull => Some(Duration::from_secs(30)),
            // Somebody has to look at the disk and restart.
            Self::Stopped { .. } => Some(Duration::from_secs(60)),
            Self::TooLarge { .. } => None,
        }
    }

    pub fn is_retryable(&self) -> bool {
        self.retry_after().is_some()
    }
}

/// Why a reader has nothing more to give.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Everything committed was handed out and the spool is closed.
    #[error("the spool is closed")]
    Closed,
    /// Everything committed was handed out and nothing more will be: see [`AppendError::Stopped`].
    #[error("the spool takes nothing any more: {why}")]
    Stopped { why: String },
    #[error("reading {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The reader stays where it is.
    #[error("{}: {reason} at byte {offset}; check the disk, then restore the file from a copy", path.display())]
    Damaged { path: PathBuf, offset: u64, reason: String },
}
