use dash_model::{BatchId, EventSeq};

use crate::manifest::ManifestError;

/// What can go wrong between a batch and its object. No text here carries a secret.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A setting that cannot work; the text names the variable and what is allowed.
    #[error("{0}")]
    Config(String),
    /// The storage did not do what was asked; worth another try.
    #[error("object storage, {action} {key:?}: {reason}")]
    Storage {
        action: &'static str,
        key: String,
        reason: String,
    },
    #[error("object {key:?} is not there")]
    Missing { key: String },
    /// Somebody else's content lies under our key. Nothing is overwritten and the events stay in the spool.
    #[error(
        "object {key:?} exists with other content ({found_bytes} bytes); the events are kept: move that object away and it is written again"
    )]
    Conflict { key: String, found_bytes: u64 },
    /// The spool no longer holds everything that an intended object was to hold.
    #[error("object {key:?} was intended with {intended} events, of which only {found} are still there")]
    Incomplete { key: String, intended: u64, found: u64 },
    /// Batches of a pipeline come in the order of their events; anything else could be taken for written.
    #[error("batch {batch} came after batch {after} of the same pipeline; batches come in order")]
    OutOfOrder { batch: BatchId, after: BatchId },
    #[error("event {0} occurs twice in one object")]
    Duplicate(EventSeq),
    /// The bytes are no Parquet object of ours.
    #[error("object {key:?} cannot be read: {reason}")]
    Unreadable { key: String, reason: String },
    #[error("Parquet: {0}")]
    Encode(#[from] parquet::errors::ParquetError),
    #[error("the lake's manifest: {0}")]
    Manifest(#[source] ManifestError),
    /// A blocking task ended early: the runtime is shutting down.
    #[error("interrupted by the end of the process")]
    Interrupted,
}

impl LakeError {
    /// Trying again alone will not help: somebody has to look.
    pub fn needs_attention(&self) -> bool {
        matches!(
            self,
            Self::Conflict { .. } | Self::Incomplete { .. } | Self::Config(_) | Self::Duplicate(_)
        )
    }
}
