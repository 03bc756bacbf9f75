//! Figures of a pipeline, and its last events with what became of them.

use serde::{Deserialize, Serialize};

use crate::{
    EventSeq, Micros,
    mapping::{FieldReason, Tags},
};

/// The sum that must hold once nothing is pending: received = mapped + filtered + quarantined + rejected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PipelineStats {
    /// accepted + rejected.
    pub received: u64,
    /// Acknowledged events.
    pub accepted: u64,
    pub rejected: u64,
    /// Events of which points were made.
    pub mapped: u64,
    pub filtered: u64,
    pub quarantined: u64,
    /// Accepted, on their way.
    pub pending: u64,
    pub silver_points: u64,
    pub series: u64,
    pub bronze_rows: u64,
    pub bronze_bytes: u64,
    /// What those rows were as they came.
    pub raw_bytes: u64,
    pub bronze_objects: u64,
    /// Accepted events a second over the last 10 seconds.
    pub events_per_second: f64,
    pub lag: Lag,
    pub last_event_at: Option<Micros>,
}

/// Age in milliseconds of the oldest event that a stage has still to do; 0 when it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    pub silver_ms: u64,
    pub bronze_ms: u64,
}

/// A raw event beside its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecentEvent {
    pub event: EventSeq,
    pub received_at: Micros,
    /// The record as it came, cut after 4 KiB.
    pub raw: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    Mapped { points: Vec<MappedPoint> },
    Filtered,
    Quarantined { reasons: Vec<FieldReason> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappedPoint {
    pub metric: String,
    pub tags: Tags,
    pub time: Micros,
    pub value: f64,
}
