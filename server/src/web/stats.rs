//! `GET /api/v1/pipelines/{pipeline}/stats`

use axum::{
    Json,
    extract::{Path, State as Shared},
    http::HeaderMap,
};
use dash_accounts::policy::Action;
use dash_model::stats::PipelineStats;

use super::{problem::ProblemResponse, reader};
use crate::state::State;

/// Figures of a pipeline.
///
/// Once nothing is pending: received = mapped + filtered + quarantined + rejected.
#[utoipa::path(
    get,
    path = "/api/v1/pipelines/{pipeline}/stats",
    tag = "pipelines",
    params(("pipeline" = String, Path, description = "Slug or id of the pipeline")),
    responses(
        (status = 200, description = "As of now", body = super::openapi::StatsBody),
        (status = "4XX", description = "No key, or no such pipeline", body = super::openapi::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("api_key" = [])),
)]
pub async fn get_stats(
    Shared(state): Shared<State>,
    Path(pipeline): Path<String>,
    headers: HeaderMap,
) -> Result<Json<PipelineStats>, ProblemResponse> {
    let (viewer, _) = reader::of(&state, &headers).await?;
    let entry = state.access.pipeline(&viewer, Action::See, &pipeline).await?;
    Ok(Json(state.figures.of(&entry).await?))
}
