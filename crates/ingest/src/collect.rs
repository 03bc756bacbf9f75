//! Gathers records and rejections under the limits that count per record and per body.

use bytes::Bytes;
use dash_model::{
    RecordsPath,
    receipt::{MAX_LISTED, Rejection},
    record::RecordSet,
};

use crate::{Decoded, IngestError, Limits, limits::size, scan::Value};

/// What a body is decoded into, record by record.
pub struct Collector<'l> {
    pub limits: &'l Limits,
    spans: Vec<(u32, u32)>,
    rejected: Vec<Rejection>,
    rejected_total: u32,
    /// Size of the last record that was rejected for its size.
    oversized: Option<usize>,
}

impl<'l> Collector<'l> {
    pub fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            spans: Vec::new(),
            rejected: Vec::new(),
            rejected_total: 0,
            oversized: None,
        }
    }

    /// The place of the next record.
    fn index(&self) -> u32 {
        self.spans.len() as u32 + self.rejected_total
    }

    fn room(&self) -> Result<(), IngestError> {
        let allowed = self.limits.records_per_batch;
        if self.index() >= allowed {
            return Err(IngestError::TooManyRecords { allowed });
        }
        Ok(())
    }

    /// Takes bytes `start..end` of the body as the next record.
    pub fn accept(&mut self, start: usize, end: usize) -> Result<(), IngestError> {
        self.room()?;
        self.spans.push((start as u32, end as u32));
        Ok(())
    }

    /// Rejects the next record. `reason` is made only when it is listed.
    pub fn reject(&mut self, reason: impl FnOnce() -> String) -> Result<(), IngestError> {
        self.room()?;
        if self.rejected.len() < MAX_LISTED {
            self.rejected.push(Rejection {
                index: self.index(),
                reason: reason(),
            });
        }
        self.rejected_total += 1;
        Ok(())
    }

    /// Rejects the next record for its size.
    pub fn reject_size(&mut self, found: usize) -> Result<(), IngestError> {
        let allowed = self.limits.record_bytes;
        self.oversized = Some(found);
        self.reject(|| format!("the record has {}; {} are allowed", size(found), size(allowed)))
    }

    /// Takes a well-formed value as the next record when it is an object within the limits, rejects it otherwise.
    pub fn value(&mut self, text: &[u8], value: &Value) -> Result<(), IngestError> {
        let limits = self.limits;
        let length = value.end - value.start;
        let first = text[value.start];
        if first != b'{' {
            return self.reject(|| format!("it is {}; a record is a JSON object", crate::scan::kind(first)));
        }
        if length > limits.record_bytes {
            return self.reject_size(length);
        }
        if value.depth > limits.depth {
            return self.reject(|| {
                format!(
                    "objects and arrays are nested {} deep; {} are allowed",
                    value.depth, limits.depth
                )
            });
        }
        if value.fields > limits.fields_per_record {
            return self.reject(|| format!("it has {} keys; {} are allowed", value.fields, limits.fields_per_record));
        }
        self.accept(value.start, value.end)
    }

    /// The records within `data`.
    pub fn finish(self, data: Bytes) -> Result<Decoded, IngestError> {
        let Self {
            limits,
            spans,
            rejected,
            rejected_total,
            oversized,
        } = self;
        match (spans.is_empty(), rejected_total, oversized) {
            (true, 1, Some(found)) => Err(IngestError::RecordTooLarge {
                found,
                allowed: limits.record_bytes,
            }),
            (true, ..) => Err(IngestError::AllRejected {
                rejected,
                rejected_total,
            }),
            _ => Ok(Decoded {
                records: RecordSet::new(data, spans),
                rejected,
                rejected_total,
            }),
        }
    }
}

/// What a body without its records path is told.
pub fn path_missing(path: &RecordsPath, why: &str) -> String {
    format!(
        "the records of this pipeline are at {path:?}, {why}; send such a body or change the pipeline's records path",
        path = path.to_string()
    )
}
