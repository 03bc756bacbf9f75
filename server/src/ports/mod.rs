//! What pages may ask (`app::ports`), answered from [`State`].

mod compute;
mod dashboards;
mod keys;
mod links;
mod metrics;
mod organizations;
mod passkeys;
mod people;
mod pipelines;
mod profile;
mod reconcile;
mod ways;

use std::sync::Arc;

use app::ports::Ports;
use dash_db::RowConnection;

pub use compute::Computer;
pub use metrics::answer;
pub use organizations::{make as make_organization, of as audit_filter};

use crate::{access::caller::Caller, failure::Failure, state::State};

/// What the ports of every request share.
#[derive(Clone)]
pub struct Shared {
    state: State,
    pipelines: Arc<pipelines::FromState>,
    dashboards: Arc<dashboards::FromState>,
    metrics: Arc<metrics::FromState>,
    reconcile: Arc<reconcile::FromState>,
}

impl Shared {
    pub fn new(state: &State) -> Self {
        Self {
            state: state.clone(),
            pipelines: Arc::new(pipelines::FromState(state.clone())),
            dashboards: Arc::new(dashboards::FromState(state.clone())),
            metrics: Arc::new(metrics::FromState(state.clone())),
            reconcile: Arc::new(reconcile::FromState::new(state.clone())),
        }
    }

    /// The ports of a request.
    pub fn of(&self, caller: Arc<Caller>) -> Ports {
        let request = Arc::new(Asked {
            state: self.state.clone(),
            caller: Arc::clone(&caller),
        });
        Ports {
            viewer: caller.viewer.clone(),
            here: caller.here.clone(),
            pipelines: self.pipelines.clone(),
            dashboards: self.dashboards.clone(),
            metrics: self.metrics.clone(),
            reconcile: self.reconcile.clone(),
            ways: request.clone(),
            links: request.clone(),
            passkeys: request.clone(),
            profile: request.clone(),
            keys: request.clone(),
            people: request.clone(),
            organizations: request,
        }
    }
}

/// A request by somebody: what has to do with people also has to do with their session and with where they are.
pub struct Asked {
    state: State,
    caller: Arc<Caller>,
}

impl Asked {
    async fn connection(&self) -> Result<RowConnection, Failure> {
        Ok(self.state.db.diesel().await?)
    }

    /// Websockets of sessions that ended here close at once; other nodes find out within seconds.
    async fn sessions_changed(&self) {
        // What a person's key may do follows from what they may.
        self.state.keys.forget();
        if let Err(error) = self.state.watch.check(&self.state.db).await {
            tracing::warn!(%error, "cannot see which sessions have ended; it is tried again");
        }
    }
}
