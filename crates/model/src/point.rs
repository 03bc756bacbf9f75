//! What a mapping makes of records: points of series, and records that did not fit.

use bytes::Bytes;

use crate::{
    EventSeq, Micros,
    mapping::{FieldReason, Tags},
};

/// A series within one mapping version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    pub metric: String,
    pub tags: Tags,
}

/// Points by column; all four have the same length. Values are finite.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Points {
    pub time: Vec<Micros>,
    /// Index into the list of [`SeriesKey`]s beside these points.
    pub series: Vec<u32>,
    pub value: Vec<f64>,
    /// The event a point was made of.
    pub event: Vec<EventSeq>,
}

impl Points {
    pub fn len(&self) -> usize {
        self.time.len()
    }

    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }
}

/// A record that waits in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    pub event: EventSeq,
    pub received_at: Micros,
    pub raw: Bytes,
    pub reasons: Vec<FieldReason>,
}
