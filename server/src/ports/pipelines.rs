//! Pipelines, their figures and newest events.

use app::{
    AppError,
    api::{GettingStarted, PipelineOverview, QuarantineEntry},
    ports::{Pipelines, Viewer},
};
use async_trait::async_trait;
use dash_accounts::policy::Action;
use dash_db::store;
use dash_model::{DEFAULT_ORGANIZATION, record::RecordSet, stats::RecentEvent};
use dash_transform::Input;

use crate::{access::allow, activity::RawEvent, catalog::Entry, failure::Failure, state::State};

/// Rows of a list on a page.
const MANY: usize = 100;
/// Bytes of a raw record that a page shows.
const SHOWN: usize = 4 << 10;

pub struct FromState(pub State);

#[async_trait]
impl Pipelines for FromState {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<PipelineOverview>, AppError> {
        allow(viewer, Action::SeePeople, None, ("organization", ""))?;
        let mut all = Vec::new();
        for entry in self.0.access.pipelines(viewer) {
            all.push(self.overview(&entry).await?);
        }
        Ok(all)
    }

    async fn get(&self, viewer: &Viewer, pipeline: &str) -> Result<PipelineOverview, AppError> {
        let entry = self.0.access.pipeline(viewer, Action::See, pipeline).await?;
        self.overview(&entry).await
    }

    async fn recent(&self, viewer: &Viewer, pipeline: &str) -> Result<Vec<RecentEvent>, AppError> {
        let entry = self.0.access.pipeline(viewer, Action::See, pipeline).await?;
        let mut events = self.0.activity.recent(entry.pipeline.id);
        if events.is_empty() {
            events = self.newest_of_lake(&entry).await?;
        }
        let mut shown = outcomes(&entry, events).await?;
        shown.reverse();
        Ok(shown)
    }

    async fn quarantine(&self, viewer: &Viewer, pipeline: &str) -> Result<Vec<QuarantineEntry>, AppError> {
        let entry = self.0.access.pipeline(viewer, Action::See, pipeline).await?;
        let mut connection = self.0.db.diesel().await.map_err(Failure::from)?;
        let rows = store::quarantine::list(&mut connection, entry.pipeline.id, MANY as i64)
            .await
            .map_err(Failure::from)?;
        let shown = rows.into_iter().map(|q| QuarantineEntry {
            event: q.event,
            received_at: q.received_at,
            raw: String::from_utf8_lossy(&q.raw[..q.raw.len().min(SHOWN)]).into_owned(),
            reasons: q.reasons,
        });
        Ok(shown.collect())
    }

    async fn getting_started(&self, viewer: &Viewer) -> Result<GettingStarted, AppError> {
        allow(viewer, Action::SeePeople, None, ("organization", ""))?;
        let mut start = crate::demo::getting_started(&self.0);
        // A key is for those who may send with it.
        let own = viewer.organization == DEFAULT_ORGANIZATION;
        if !own {
            let mut connection = self.0.db.diesel().await.map_err(Failure::from)?;
            let found = store::organizations::get(&mut connection, viewer.organization).await;
            start.organization = found.map_err(Failure::from)?.map(|o| o.slug);
        }
        if !own || allow(viewer, Action::Ingest, None, ("pipeline", "")).is_err() {
            start.ingest_key = None;
        }
        Ok(start)
    }
}

impl FromState {
    async fn overview(&self, entry: &Entry) -> Result<PipelineOverview, AppError> {
        Ok(PipelineOverview {
            pipeline: entry.pipeline.clone(),
            stats: self.0.figures.of(entry).await?,
        })
    }

    /// After a restart nothing is in memory yet.
    async fn newest_of_lake(&self, entry: &Entry) -> Result<Vec<RawEvent>, AppError> {
        let mut connection = self.0.db.diesel().await.map_err(Failure::from)?;
        let objects = store::lake_objects::newest(&mut connection, entry.pipeline.id, 3)
            .await
            .map_err(Failure::from)?;
        drop(connection);
        let objects: Vec<dash_lake::LakeObject> = objects
            .into_iter()
            .map(|o| dash_lake::LakeObject {
                key: o.intent.key,
                first_event: o.intent.first_event,
                last_event: o.intent.last_event,
                bytes: o.bytes.unwrap_or_default() as u64,
            })
            .collect();
        let rows = dash_lake::last_rows(&self.0.lake, &objects, MANY)
            .await
            .map_err(|error| {
                tracing::error!(%error, "the lake cannot be read");
                AppError::Unavailable {
                    what: "The lake".into(),
                }
            })?;
        let event = |r: dash_lake::LakeRow| RawEvent {
            event: r.event,
            received_at: r.received_at,
            raw: r.raw,
        };
        Ok(rows.into_iter().map(event).collect())
    }
}

/// Runs events through the active plan once more: what became of each.
async fn outcomes(entry: &std::sync::Arc<Entry>, events: Vec<RawEvent>) -> Result<Vec<RecentEvent>, AppError> {
    let plan = std::sync::Arc::clone(&entry.plan);
    let run = tokio::task::spawn_blocking(move || {
        let records: Vec<RecordSet> = events.iter().map(|e| RecordSet::from_iter([&e.raw[..]])).collect();
        let inputs: Vec<Input> = events
            .iter()
            .zip(&records)
            .map(|(e, records)| Input {
                first: e.event,
                received_at: e.received_at,
                records,
            })
            .collect();
        plan.outcomes(&inputs)
    });
    let ran = run
        .await
        .map_err(|e| Failure::internal(format!("a mapping ended early: {e}")))?;
    Ok(ran.map_err(|e| Failure::internal(e.to_string()))?)
}
