//! Sources that the server runs itself. Each sends through the same way in as everybody else.

mod machine;

use dash_model::pipeline::Source;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::state::State;

/// Starts the source of every pipeline that has one; each ends when `stop` is cancelled.
pub fn start(state: &State, tasks: &TaskTracker, stop: &CancellationToken) {
    for entry in state.catalog.all() {
        if let Source::Machine { interval_ms } = entry.pipeline.source {
            tasks.spawn(
                stop.clone()
                    .run_until_cancelled_owned(machine::run(state.clone(), entry, interval_ms)),
            );
        }
    }
}
