//! What the processor hands over to be written, and what comes back.

use std::sync::Arc;

use bytes::Bytes;
use dash_model::{
    EventSeq, MappingVersionId, Micros, OrganizationId, PipelineId,
    point::{Points, Quarantined, SeriesKey},
    receipt::Receipt,
};

/// One run of batches of one pipeline, mapped by one version.
///
/// `events = mapped + filtered + quarantined.len()`; the ledger holds to it.
#[derive(Clone)]
pub struct WriteSet {
    pub organization: OrganizationId,
    pub pipeline: PipelineId,
    pub version: MappingVersionId,
    /// The first and the last event of the run, both inclusive.
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    /// Batches in the run.
    pub batches: u32,
    /// Events in the run: records that were accepted.
    pub events: u32,
    /// Records that ingest rejected beside them.
    pub rejected: u32,
    /// Events that made points, or could have: neither filtered nor quarantined.
    pub mapped: u32,
    /// Events that the mapping's filter left out.
    pub filtered: u32,
    /// When the newest event of the run was received.
    pub last_event_at: Micros,
    /// What `points.series` counts into.
    pub series: Vec<SeriesKey>,
    pub points: Points,
    pub quarantined: Vec<Quarantined>,
    /// Answers given to requests that carried an idempotency key.
    pub answered: Vec<AnsweredKey>,
    /// Finds a record again when its points are refused after mapping (too many series).
    /// Without it the quarantine row holds no raw record; Bronze has it.
    pub records: Option<RecordLookup>,
}

/// The received time and raw record of an event.
pub type RecordLookup = Arc<dyn Fn(EventSeq) -> Option<(Micros, Bytes)> + Send + Sync>;

/// An answer that a repeated request gets again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredKey {
    pub key: String,
    /// SHA-256 of the body.
    pub body_hash: [u8; 32],
    pub receipt: Receipt,
    pub at: Micros,
}

/// What one write did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Points that are in `metrics` now.
    pub points: u64,
    /// Rows put into quarantine.
    pub quarantined: u64,
    /// Those of them that were refused because the version has too many series.
    pub over_series_limit: u64,
}

/// Events that are done under a mapping version; both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    pub version: MappingVersionId,
    pub first: EventSeq,
    pub last: EventSeq,
}
