//! What has to be done again and again: rollups where the database has no continuous aggregates, old answers, new pipelines.

use std::{future::Future, sync::Arc, time::Duration};

use dash_db::store;
use dash_model::Micros;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{accounts::post, state::State};

/// A session that ended elsewhere has its websockets closed within this time and that of a look.
const WATCH_EVERY: Duration = Duration::from_secs(2);
const COUNT_EVERY: Duration = Duration::from_secs(10);
const NOTE_EVERY: Duration = Duration::from_secs(30);
const SEND_EVERY: Duration = Duration::from_secs(2);
/// How long a way in that nobody has gone to its end is kept, in microseconds.
const NOBODYS_KEPT: i64 = 3_600 * 1_000_000;
/// How long letters are kept at most, in microseconds.
const LETTERS_KEPT: i64 = 7 * 86_400 * 1_000_000;
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
    repeat(tasks, stop, "see which sessions have ended", WATCH_EVERY, move || {
        let s = s.clone();
        async move { s.watch.check(&s.db).await.map_err(|e| e.to_string()) }
    });
    let s = state.clone();
    repeat(tasks, stop, "count what organizations have", COUNT_EVERY, move || {
        let s = s.clone();
        async move { s.quotas.refresh().await.map_err(|e| e.to_string()) }
    });
    let s = state.clone();
    repeat(tasks, stop, "note which keys are used", NOTE_EVERY, move || {
        let s = s.clone();
        async move {
            s.rates.forget();
            s.keys.note().await.map_err(|e| e.to_string())
        }
    });
    match post::mailer(&state.config.accounts.mail) {
        Ok(Some(mailer)) => {
            let (s, mailer) = (state.clone(), Arc::new(mailer));
            repeat(tasks, stop, "send letters", SEND_EVERY, move || {
                let (s, mailer) = (s.clone(), Arc::clone(&mailer));
                async move { post::send_due(&s, &mailer).await.map(drop).map_err(|e| e.to_string()) }
            });
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "no letters are sent"),
    }
    let s = state.clone();
    repeat(tasks, stop, "reload the pipelines", RELOAD_EVERY, move || {
        let s = s.clone();
        async move { s.catalog.reload().await.map_err(|e| e.to_string()) }
    });
}

async fn prune(state: &State) -> Result<(), dash_db::DbError> {
    let now = crate::clock::now();
    let mut connection = state.db.diesel().await?;
    store::sessions::prune(&mut connection, now, Micros(now.0.saturating_sub(NOBODYS_KEPT))).await?;
    store::tokens::forget(&mut connection, now).await?;
    store::mails::prune(&mut connection, Micros(now.0.saturating_sub(LETTERS_KEPT))).await?;
    drop(connection);
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
