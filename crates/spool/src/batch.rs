//! What is appended and what is read back.

use bytes::Bytes;
use dash_model::{BatchId, EventSeq, Micros, PipelineId, receipt::Rejection, record::RecordSet};

/// A batch that asks to be made durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    pub pipeline: PipelineId,
    pub received_at: Micros,
    pub idempotency: Option<IdempotencyKey>,
    /// JSON of the request's metadata; the spool does not look into it.
    pub meta: Bytes,
    pub records: RecordSet,
    /// Records that were not taken, in all.
    pub rejected: u32,
    /// Those of them that the receipt lists.
    pub rejections: Vec<Rejection>,
}

/// What a client sent to make a repeat harmless, and the hash of the body that came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    pub key: String,
    pub body_hash: [u8; 32],
}

/// A durable batch. Its events are `id`, `id + 1` ...; without any record it still takes one sequence, so that
/// its name stays its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub id: BatchId,
    pub pipeline: PipelineId,
    pub received_at: Micros,
    pub idempotency: Option<IdempotencyKey>,
    pub meta: Bytes,
    /// Slices of what was read in one go: keeping one record keeps that whole buffer, copy it to keep it long.
    pub records: RecordSet,
    pub rejected: u32,
    pub rejections: Vec<Rejection>,
}

impl Batch {
    /// The sequence after this batch.
    pub fn end(&self) -> EventSeq {
        self.id.offset(self.records.len().max(1))
    }
}
