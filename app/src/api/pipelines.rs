//! Pipelines, their figures, their newest events.

use leptos::{prelude::*, server_fn::codec::GetUrl};
use serde::{Deserialize, Serialize};

use crate::{
    AppError,
    model::{
        EventSeq, Micros,
        mapping::FieldReason,
        pipeline::Pipeline,
        stats::{PipelineStats, RecentEvent},
    },
};

/// A pipeline and its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PipelineOverview {
    pub pipeline: Pipeline,
    pub stats: PipelineStats,
}

/// An event in quarantine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantineEntry {
    pub event: EventSeq,
    pub received_at: Micros,
    /// The record as it came, cut after 4 KiB.
    pub raw: String,
    pub reasons: Vec<FieldReason>,
}

/// What a newcomer needs to send data of their own: a pipeline that waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GettingStarted {
    /// Where this server is reached, without a slash at the end.
    pub base_url: String,
    /// Slug of the pipeline to try with.
    pub pipeline: String,
    /// Slug of the dashboard that shows it.
    pub dashboard: String,
    /// Its ingest key; absent when the server does not know it any more.
    pub ingest_key: Option<String>,
    /// A record that its mapping understands.
    pub example: String,
    /// Slug of the organization, where commands have to name it.
    pub organization: Option<String>,
    /// The program that serves this page, as a shell on its machine takes it.
    pub program: String,
}

#[server(endpoint = "pipelines", input = GetUrl)]
pub async fn list_pipelines() -> Result<Vec<PipelineOverview>, AppError> {
    let ports = crate::ports::ports()?;
    ports.pipelines.list(&ports.viewer).await
}

#[server(endpoint = "pipeline", input = GetUrl)]
pub async fn get_pipeline(pipeline: String) -> Result<PipelineOverview, AppError> {
    let ports = crate::ports::ports()?;
    ports.pipelines.get(&ports.viewer, &pipeline).await
}

#[server(endpoint = "recent-events", input = GetUrl)]
pub async fn recent_events(pipeline: String) -> Result<Vec<RecentEvent>, AppError> {
    let ports = crate::ports::ports()?;
    ports.pipelines.recent(&ports.viewer, &pipeline).await
}

#[server(endpoint = "quarantine", input = GetUrl)]
pub async fn quarantine(pipeline: String) -> Result<Vec<QuarantineEntry>, AppError> {
    let ports = crate::ports::ports()?;
    ports.pipelines.quarantine(&ports.viewer, &pipeline).await
}

#[server(endpoint = "getting-started", input = GetUrl)]
pub async fn how_to_start() -> Result<GettingStarted, AppError> {
    let ports = crate::ports::ports()?;
    ports.pipelines.getting_started(&ports.viewer).await
}
