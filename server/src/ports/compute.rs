//! States of live topics.

use app::AppError;
use async_trait::async_trait;
use dash_metrics::{Known, Silver};
use dash_model::{
    PipelineId,
    live::{State, Topic},
    query::QuerySpec,
};

use super::metrics::Question;
use crate::{
    catalog::Catalog,
    figures::Figures,
    live::{Before, Compute, Computed, PartsOf},
};

/// What the hub computes with.
pub struct Computer {
    pub catalog: Catalog,
    pub silver: Silver,
    pub figures: Figures,
}

#[async_trait]
impl Compute for Computer {
    async fn pipeline(&self, topic: &Topic) -> Result<PipelineId, AppError> {
        let name = match topic {
            Topic::Query(spec) => &spec.query.pipeline,
            Topic::Pipeline(name) => name,
        };
        Ok(self.catalog.find(name).await?.pipeline.id)
    }

    async fn compute(&self, topic: &Topic, before: Option<Before>) -> Result<Computed, AppError> {
        match topic {
            Topic::Query(spec) => self.follow(spec, before).await,
            Topic::Pipeline(name) => Ok(Computed {
                state: State::Pipeline(self.figures.of(&*self.catalog.find(name).await?).await?),
                parts: None,
            }),
        }
    }
}

impl Computer {
    async fn follow(&self, spec: &QuerySpec, before: Option<Before>) -> Result<Computed, AppError> {
        let question = Question::of(&self.catalog, spec).await?;
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
