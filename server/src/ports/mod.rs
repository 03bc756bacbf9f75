//! What pages may ask (`app::ports`), answered from [`State`].

mod compute;
mod dashboards;
mod metrics;
mod pipelines;
mod reconcile;

use std::sync::Arc;

use app::ports::{Ports, Viewer};
use dash_model::DEFAULT_ORGANIZATION;

pub use compute::Computer;
pub use metrics::answer;

use crate::state::State;

/// The ports of a request. Until there are accounts every viewer is the owner of this machine: the server listens on the
/// loopback only.
pub fn ports(state: &State) -> Ports {
    Ports {
        viewer: Viewer {
            organization: DEFAULT_ORGANIZATION,
        },
        pipelines: Arc::new(pipelines::FromState(state.clone())),
        dashboards: Arc::new(dashboards::FromDb(state.db.clone())),
        metrics: Arc::new(metrics::FromState(state.clone())),
        reconcile: Arc::new(reconcile::FromState::new(state.clone())),
    }
}
