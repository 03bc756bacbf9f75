//! Questions to the metrics.

use std::sync::Arc;

use app::{
    AppError,
    ports::{Metrics, Viewer},
};
use async_trait::async_trait;
use dash_metrics::{Known, Parts, Silver};
use dash_model::{
    MappingVersionId,
    query::{QueryResult, QuerySpec},
};
use futures::{StreamExt, stream};

use crate::{catalog::Entry, failure::Failure, state::State};

/// Questions of one page that are asked at the same time.
const AT_ONCE: usize = 4;

pub struct FromState(pub State);

#[async_trait]
impl Metrics for FromState {
    async fn query(&self, viewer: &Viewer, specs: Vec<QuerySpec>) -> Vec<Result<QueryResult, AppError>> {
        let ask = |spec: QuerySpec| async move { answer(&self.0, viewer, &spec).await.map_err(AppError::from) };
        stream::iter(specs).map(ask).buffered(AT_ONCE).collect().await
    }
}

/// Answers from the active mapping version of the pipeline that is asked about.
///
/// # Errors
/// When the viewer may not ask, or there is no such pipeline or metric; the words list what there is.
pub async fn answer(state: &State, viewer: &Viewer, spec: &QuerySpec) -> Result<QueryResult, Failure> {
    let entry = state.access.question(viewer, spec).await?;
    Question::of(entry, spec)?.ask(&state.silver).await
}

/// A question whose pipeline and metric exist.
pub struct Question<'a> {
    spec: &'a QuerySpec,
    entry: Arc<Entry>,
    unit: Option<String>,
}

impl<'a> Question<'a> {
    pub fn of(entry: Arc<Entry>, spec: &'a QuerySpec) -> Result<Self, Failure> {
        let unit = unit(&entry, &spec.query.metric)?;
        Ok(Self { spec, entry, unit })
    }

    /// The mapping version that answers.
    pub fn version(&self) -> MappingVersionId {
        self.entry.pipeline.active_version.id
    }

    async fn ask(self, silver: &Silver) -> Result<QueryResult, Failure> {
        let (version, now) = (self.version(), crate::clock::now());
        Ok(silver.query(version, self.unit, self.spec, now).await?)
    }

    pub async fn follow(
        self,
        silver: &Silver,
        known: Option<Known<'_>>,
    ) -> Result<(QueryResult, Option<Parts>), Failure> {
        let (version, now) = (self.version(), crate::clock::now());
        Ok(silver.follow(version, self.unit, self.spec, now, known).await?)
    }
}

/// The unit of a metric that the mapping has.
fn unit(entry: &Entry, metric: &str) -> Result<Option<String>, Failure> {
    let metrics = &entry.pipeline.active_version.mapping.metrics;
    match metrics.iter().find(|m| m.name == metric) {
        Some(rule) => Ok(rule.unit.clone()),
        None => {
            let known: Vec<&str> = metrics.iter().map(|m| m.name.as_str()).collect();
            Err(AppError::Invalid {
                field: "metric".into(),
                reason: format!(
                    "{metric:?} is no metric of pipeline {}; it has {}",
                    entry.pipeline.slug,
                    known.join(", ")
                ),
            }
            .into())
        }
    }
}
