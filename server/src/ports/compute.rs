//! States of live topics.

use app::AppError;
use async_trait::async_trait;
use dash_metrics::Silver;
use dash_model::{
    PipelineId,
    live::{State, Topic},
};

use crate::{catalog::Catalog, figures::Figures, live::Compute};

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

    async fn compute(&self, topic: &Topic) -> Result<State, AppError> {
        Ok(match topic {
            Topic::Query(spec) => State::Query(super::answer(&self.catalog, &self.silver, spec).await?),
            Topic::Pipeline(name) => State::Pipeline(self.figures.of(&*self.catalog.find(name).await?).await?),
        })
    }
}
