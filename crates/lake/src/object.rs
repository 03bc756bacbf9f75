//! One object from intent to commit. Every step may be repeated, so a crash between any two ends in the same object.

use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use dash_model::{EventSeq, Micros, OrganizationId, PipelineId};

use crate::{
    LakeError, Manifest, PendingBatch, Store,
    codec::{self, RowRef},
    manifest::Intent,
};

/// Batches that make one object, and nothing else ever will.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub intent: Intent,
    /// By rising event; each has a record.
    pub batches: Vec<PendingBatch>,
}

impl Sealed {
    /// Nothing when there are no events.
    pub fn new(mut batches: Vec<PendingBatch>) -> Option<Self> {
        batches.retain(|b| !b.records.is_empty());
        batches.sort_by_key(|b| b.id);
        let (first, last) = (batches.first()?, batches.last()?.last_event()?);
        let intent = Intent {
            organization: first.organization,
            pipeline: first.pipeline,
            key: object_key(first.organization, first.pipeline, first.received_at, first.id, last),
            first_event: first.id,
            last_event: last,
            rows: batches.iter().map(|b| b.records.len() as u64).sum(),
            raw_bytes: batches.iter().map(|b| b.records.bytes() as u64).sum(),
        };
        Some(Self { intent, batches })
    }

    pub fn weight(&self) -> usize {
        self.batches.iter().map(PendingBatch::weight).sum()
    }

    fn encode(&self) -> Result<Bytes, LakeError> {
        let metas: Vec<_> = self.batches.iter().map(|b| String::from_utf8_lossy(&b.meta)).collect();
        let rows = self.batches.iter().zip(&metas).flat_map(|(batch, meta)| {
            batch.records.iter().enumerate().map(move |(row, raw)| RowRef {
                event: batch.id.offset(row),
                batch: batch.id,
                received_at: batch.received_at,
                raw,
                meta,
            })
        });
        codec::encode_refs(self.intent.pipeline, rows.collect())
    }
}

/// Where an object lies; follows from what it holds.
fn object_key(
    organization: OrganizationId,
    pipeline: PipelineId,
    received_at: Micros,
    first: EventSeq,
    last: EventSeq,
) -> String {
    let day = DateTime::from_timestamp_micros(received_at.0)
        .unwrap_or_default()
        .format("%Y-%m-%d");
    format!("{organization}/{pipeline}/{day}/{:020}-{:020}.parquet", first.0, last.0)
}

/// Writes the object once and commits it. Answers its size in bytes.
pub(crate) async fn write(store: &Store, manifest: &dyn Manifest, sealed: Arc<Sealed>) -> Result<u64, LakeError> {
    manifest.intend(&sealed.intent).await.map_err(LakeError::Manifest)?;
    let encoding = sealed.clone();
    let object = blocking(move || encoding.encode()).await??;
    let key = &sealed.intent.key;
    let bytes = if store.put_new(key, object.clone()).await? {
        object.len() as u64
    } else {
        ours(store, key, object).await?
    };
    manifest.commit(key, bytes).await.map_err(LakeError::Manifest)?;
    Ok(bytes)
}

/// Whether what lies under `key` is what we meant to write, byte for byte or (another release may have written
/// it, with another compressor) row for row. Answers its size.
async fn ours(store: &Store, key: &str, object: Bytes) -> Result<u64, LakeError> {
    let found_bytes = match store.size(key).await {
        // 409 stands for a write that is under way, perhaps our own that we gave up.
        Err(LakeError::Missing { .. }) => {
            return Err(LakeError::Storage {
                action: "writing",
                key: key.into(),
                reason: "another write of this object is under way".into(),
            });
        }
        size => size?,
    };
    let conflict = || LakeError::Conflict {
        key: key.into(),
        found_bytes,
    };
    // Something of quite another size is not even fetched.
    if found_bytes > 4 * object.len() as u64 + (1 << 20) {
        return Err(conflict());
    }
    let found = store.get(key).await?;
    if found == object {
        return Ok(found_bytes);
    }
    let same = blocking(move || match (codec::decode(found), codec::decode(object)) {
        (Ok(theirs), Ok(ours)) => theirs == ours,
        _ => false,
    });
    if same.await? { Ok(found_bytes) } else { Err(conflict()) }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, LakeError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| LakeError::Interrupted)
}
