//! States of live topics.

use std::sync::Arc;

use app::{AppError, ports::Viewer};
use async_trait::async_trait;
use dash_accounts::policy::Action;
use dash_metrics::{Known, Silver};
use dash_model::{
    PipelineId,
    live::{State, Topic},
    query::QuerySpec,
};

use super::metrics::Question;
use crate::{
    access::Access,
    catalog::{Catalog, Entry},
    figures::Figures,
    live::{Before, Compute, Computed, PartsOf},
};

/// What the hub computes with.
pub struct Computer {
    pub access: Access,
    pub catalog: Catalog,
    pub silver: Silver,
    pub figures: Figures,
}

#[async_trait]
impl Compute for Computer {
    async fn admit(&self, viewer: &Viewer, topic: Topic) -> Result<(Topic, PipelineId), AppError> {
        // By id from here on: a slug is one pipeline here and another one in another organization.
        match topic {
            Topic::Query(mut spec) => {
                let id = self.access.question(viewer, &spec).await?.pipeline.id;
                spec.query.pipeline = id.to_string();
                Ok((Topic::Query(spec), id))
            }
            Topic::Pipeline(name) => {
                let id = self.access.pipeline(viewer, Action::See, &name).await?.pipeline.id;
                Ok((Topic::Pipeline(id.to_string()), id))
            }
        }
    }

    async fn compute(&self, topic: &Topic, before: Option<Before>) -> Result<Computed, AppError> {
        match topic {
            Topic::Query(spec) => self.follow(spec, before).await,
            Topic::Pipeline(name) => Ok(Computed {
                state: State::Pipeline(self.figures.of(&*self.entry(name).await?).await?),
                parts: None,
            }),
        }
    }
}

impl Computer {
    /// Of an admitted topic.
    async fn entry(&self, id: &str) -> Result<Arc<Entry>, AppError> {
        let id = id.parse().map_err(|_| AppError::Internal)?;
        self.catalog.known(id).await
    }

    async fn follow(&self, spec: &QuerySpec, before: Option<Before>) -> Result<Computed, AppError> {
        let question = Question::of(self.entry(&spec.query.pipeline).await?, spec)?;
        let version = question.version();
        let known = before.as_ref().filter(|before| before.of.version == version);
        let known = known.map(|before| Known {
            parts: &before.of.parts,
            changed: before.changed.clone(),
        });
        let (result, parts) = question.follow(&self.silver, known).await?;
        Ok(Computed {
            state: State::Query(result),
            parts: parts.map(|parts| PartsOf { version, parts }),
        })
    }
}
