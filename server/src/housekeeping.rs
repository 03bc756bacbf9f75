//! What has to be done again and again: rollups where the database has no continuous aggregates, old answers, new pipelines.

use std::{future::Future, time::Duration};

use dash_db::store;
use dash_model::Micros;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::state::State;

const ROLLUP_EVERY: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// The command line may have made a pipeline.
const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// Starts all of it; it ends when `stop` is cancelled.
pub fn start(state: &State, tasks: &TaskTracker, stop: &CancellationToken) {
    let s = state.clone();
    repeat(tasks, stop, "roll up", ROLLUP_EVERY, move || {
        let s = s.clone();
        async move { s.silver.rollup().await.map(drop).map_err(|e| e.to_string()) }
    });
    let s = state.clone();
    repeat(tasks, stop, "prune answers", PRUNE_EVERY, move || {
        let s = s.clone();
        async move { prune(&s).await.map_err(|e| e.to_string()) }
    });
    let s = state.clone();
    repeat(tasks, stop, "reload the pipelines", RELOAD_EVERY, move || {
        let s = s.clone();
        async move { s.catalog.reload().await.map_err(|e| e.to_string()) }
    });
}

async fn prune(state: &State) -> Result<(), dash_db::DbError> {
    let kept = i64::try_from(state.config.ingest.idempotency_age.as_micros()).unwrap_or(i64::MAX);
    let before = Micros(crate::clock::now().0.saturating_sub(kept));
    store::idempotency::prune(&mut *state.db.diesel().await?, before)
        .await
        .map(drop)
}

fn repeat<F>(
    tasks: &TaskTracker,
    stop: &CancellationToken,
    what: &'static str,
    every: Duration,
    work: impl Fn() -> F + Send + 'static,
) where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
        let mut clock = interval(every);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            if let Err(error) = work().await {
                tracing::warn!(error, "cannot {what}; it is tried again");
            }
        }
    }));
}
