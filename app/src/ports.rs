//! What pages may ask of the server: one small trait for each area. `server` implements them and provides a [`Ports`] by context.

use std::sync::Arc;

use async_trait::async_trait;
use leptos::prelude::use_context;

use crate::{
    AppError,
    api::{GettingStarted, PipelineOverview, QuarantineEntry},
    model::{
        dashboard::Dashboard,
        query::{QueryResult, QuerySpec},
        reconcile::Reconciliation,
        stats::RecentEvent,
    },
};

/// Who asks. Until there are accounts everybody is the one who owns this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    pub organization: crate::model::OrganizationId,
}

#[async_trait]
pub trait Pipelines: Send + Sync {
    /// All pipelines with their figures, by name.
    async fn list(&self, viewer: &Viewer) -> Result<Vec<PipelineOverview>, AppError>;
    /// One pipeline by slug or id.
    async fn get(&self, viewer: &Viewer, pipeline: &str) -> Result<PipelineOverview, AppError>;
    /// Its newest events beside what became of them, newest first, at most 100.
    async fn recent(&self, viewer: &Viewer, pipeline: &str) -> Result<Vec<RecentEvent>, AppError>;
    /// Its newest events in quarantine, newest first, at most 100.
    async fn quarantine(&self, viewer: &Viewer, pipeline: &str) -> Result<Vec<QuarantineEntry>, AppError>;
    /// What a newcomer needs to send data of their own.
    async fn getting_started(&self, viewer: &Viewer) -> Result<GettingStarted, AppError>;
}

#[async_trait]
pub trait Dashboards: Send + Sync {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<Dashboard>, AppError>;
    async fn get(&self, viewer: &Viewer, slug: &str) -> Result<Dashboard, AppError>;
}

#[async_trait]
pub trait Metrics: Send + Sync {
    /// Answers in the order of the questions; one failing question does not fail the others.
    async fn query(&self, viewer: &Viewer, specs: Vec<QuerySpec>) -> Vec<Result<QueryResult, AppError>>;
}

#[async_trait]
pub trait Reconcile: Send + Sync {
    /// Holds the books of one pipeline, by slug or id, or of all against each other, as far as that does not read every row.
    async fn reconcile(&self, viewer: &Viewer, pipeline: Option<&str>) -> Result<Reconciliation, AppError>;
}

/// Everything that pages may ask, and who asks.
#[derive(Clone)]
pub struct Ports {
    pub viewer: Viewer,
    pub pipelines: Arc<dyn Pipelines>,
    pub dashboards: Arc<dyn Dashboards>,
    pub metrics: Arc<dyn Metrics>,
    pub reconcile: Arc<dyn Reconcile>,
}

/// The ports of this request. Route generation runs the app without any, hence an error and not a panic.
pub fn ports() -> Result<Ports, AppError> {
    use_context().ok_or_else(|| AppError::Unavailable {
        what: "The server".into(),
    })
}
