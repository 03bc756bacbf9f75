use bytes::Bytes;
use dash_model::{BatchId, EventSeq, Micros, OrganizationId, PipelineId, record::RecordSet};

/// A durable batch on its way to the lake.
#[derive(Clone, Debug)]
pub struct PendingBatch {
    /// Also the event of its first record; the others follow without a gap.
    pub id: BatchId,
    pub organization: OrganizationId,
    pub pipeline: PipelineId,
    pub received_at: Micros,
    /// JSON about the request. Bytes that are no UTF-8 are replaced.
    pub meta: Bytes,
    pub records: RecordSet,
}

impl PendingBatch {
    /// The event of its last record; nothing when every record was rejected.
    pub fn last_event(&self) -> Option<EventSeq> {
        self.records.len().checked_sub(1).map(|last| self.id.offset(last))
    }

    /// What it takes in memory, nearly.
    pub(crate) fn weight(&self) -> usize {
        self.records.bytes() + self.records.len() * size_of::<(u32, u32)>() + self.meta.len() + size_of::<Self>()
    }
}
