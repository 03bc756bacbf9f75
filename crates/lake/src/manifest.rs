//! What the lake holds and is about to hold, kept outside of the lake: in PostgreSQL, or in memory for tests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dash_model::{EventSeq, OrganizationId, PipelineId};
use parking_lot::Mutex;

/// Whatever the keeper of the manifest failed with.
pub type ManifestError = Box<dyn std::error::Error + Send + Sync>;

/// An object before it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub organization: OrganizationId,
    pub pipeline: PipelineId,
    pub key: String,
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    pub rows: u64,
    /// Bytes of the records as they came.
    pub raw_bytes: u64,
}

/// Every call may come again after a crash or a lost answer: each is idempotent.
#[async_trait]
pub trait Manifest: Send + Sync {
    /// Durable before the object is put. A key that is known already stays as it is.
    async fn intend(&self, intent: &Intent) -> Result<(), ManifestError>;

    /// The object exists with so many bytes. A committed key stays as it is; an unknown one is an error.
    async fn commit(&self, key: &str, bytes: u64) -> Result<(), ManifestError>;

    /// Intended and not committed objects with an event in `from..=to`.
    async fn intended(&self, from: EventSeq, to: EventSeq) -> Result<Vec<Intent>, ManifestError>;

    /// Pipeline, first and last event of the committed objects with an event in `from..=to`.
    async fn committed_ranges(
        &self,
        from: EventSeq,
        to: EventSeq,
    ) -> Result<Vec<(PipelineId, EventSeq, EventSeq)>, ManifestError>;
}

/// A manifest that dies with the process: for tests.
#[derive(Debug, Default)]
pub struct MemoryManifest {
    objects: Mutex<BTreeMap<String, (Intent, Option<u64>)>>,
}

impl MemoryManifest {
    /// Every object by rising first event, with its bytes once it is committed.
    pub fn objects(&self) -> Vec<(Intent, Option<u64>)> {
        let mut all: Vec<_> = self.objects.lock().values().cloned().collect();
        all.sort_by_key(|(intent, _)| intent.first_event);
        all
    }

    fn between(&self, from: EventSeq, to: EventSeq, committed: bool) -> Vec<Intent> {
        self.objects()
            .into_iter()
            .filter(|(i, bytes)| bytes.is_some() == committed && i.first_event <= to && i.last_event >= from)
            .map(|(intent, _)| intent)
            .collect()
    }
}

#[async_trait]
impl Manifest for MemoryManifest {
    async fn intend(&self, intent: &Intent) -> Result<(), ManifestError> {
        let mut objects = self.objects.lock();
        let known = objects
            .entry(intent.key.clone())
            .or_insert_with(|| (intent.clone(), None));
        if known.0 != *intent {
            return Err(format!("{:?} was intended otherwise", intent.key).into());
        }
        Ok(())
    }

    async fn commit(&self, key: &str, bytes: u64) -> Result<(), ManifestError> {
        let mut objects = self.objects.lock();
        let known = objects
            .get_mut(key)
            .ok_or_else(|| format!("{key:?} was never intended"))?;
        known.1.get_or_insert(bytes);
        Ok(())
    }

    async fn intended(&self, from: EventSeq, to: EventSeq) -> Result<Vec<Intent>, ManifestError> {
        Ok(self.between(from, to, false))
    }

    async fn committed_ranges(
        &self,
        from: EventSeq,
        to: EventSeq,
    ) -> Result<Vec<(PipelineId, EventSeq, EventSeq)>, ManifestError> {
        let ranges = self.between(from, to, true);
        Ok(ranges
            .into_iter()
            .map(|i| (i.pipeline, i.first_event, i.last_event))
            .collect())
    }
}
