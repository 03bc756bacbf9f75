//! Who reads by the API.

use app::ports::Viewer;
use axum::http::{HeaderMap, header};
use dash_ingest::ProblemKind;
use dash_model::DEFAULT_ORGANIZATION;
use uuid::Uuid;

use crate::{access::keys::Bearer, failure::Failure, state::State};

/// Whoever's key came, and its id; without one, somebody who sees what is shared with everybody.
///
/// # Errors
/// When the key is none, when it is one of a pipeline, which reads nothing, or when it asks too often.
pub async fn of(state: &State, headers: &HeaderMap) -> Result<(Viewer, Option<Uuid>), Failure> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    if authorization.is_none() {
        return Ok((Viewer::nobody(DEFAULT_ORGANIZATION), None));
    }
    let bearer = state.keys.bearer(authorization).await?;
    let key = match &bearer {
        Bearer::Api { id, .. } => Some(*id),
        Bearer::Pipeline { .. } => None,
    };
    key.map_or(Ok(()), |id| state.rates.api(id))?;
    let viewer = bearer.viewer().ok_or_else(|| {
        let detail = "this is a key for events and reads nothing; make one that may read";
        Failure::problem(ProblemKind::Forbidden, detail)
    })?;
    Ok((viewer, key))
}
