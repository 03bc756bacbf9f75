//! The lake's manifest on PostgreSQL.

use async_trait::async_trait;
use dash_db::{Db, store::lake_objects};
use dash_lake::{Intent, Manifest, ManifestError};
use dash_model::{EventSeq, PipelineId};

/// Table `lake_objects`.
pub struct DatabaseManifest(pub Db);

#[async_trait]
impl Manifest for DatabaseManifest {
    async fn intend(&self, intent: &Intent) -> Result<(), ManifestError> {
        let object = lake_objects::Intent {
            organization: intent.organization,
            pipeline: intent.pipeline,
            key: intent.key.clone(),
            first_event: intent.first_event,
            last_event: intent.last_event,
            rows: intent.rows as i64,
            raw_bytes: intent.raw_bytes as i64,
        };
        lake_objects::intend(&mut *self.0.diesel().await?, &object).await?;
        Ok(())
    }

    async fn commit(&self, key: &str, bytes: u64) -> Result<(), ManifestError> {
        lake_objects::commit(&mut *self.0.diesel().await?, key, bytes as i64).await?;
        Ok(())
    }

    async fn intended(&self, from: EventSeq, to: EventSeq) -> Result<Vec<Intent>, ManifestError> {
        let objects = lake_objects::intended(&mut *self.0.diesel().await?, from..=to).await?;
        let intent = |o: lake_objects::Intent| Intent {
            organization: o.organization,
            pipeline: o.pipeline,
            key: o.key,
            first_event: o.first_event,
            last_event: o.last_event,
            rows: o.rows as u64,
            raw_bytes: o.raw_bytes as u64,
        };
        Ok(objects.into_iter().map(|o| intent(o.intent)).collect())
    }

    async fn committed_ranges(
        &self,
        from: EventSeq,
        to: EventSeq,
    ) -> Result<Vec<(PipelineId, EventSeq, EventSeq)>, ManifestError> {
        let ranges = lake_objects::committed_ranges(&mut *self.0.diesel().await?, from..=to).await?;
        Ok(ranges
            .into_iter()
            .map(|r| (r.pipeline, r.first_event, r.last_event))
            .collect())
    }
}
