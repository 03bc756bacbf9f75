//! What has to be done again and again: rollups where the database has no continuous aggregates, old answers, new pipelines.

use std::{fmt::Display, future::Future, sync::Arc, time::Duration};

use dash_db::store;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{accounts::post, state::State};

/// A session that ended elsewhere has its websockets closed within this time and that of a look.
const WATCH_EVERY: Duration = Duration::from_secs(2);
const COUNT_EVERY: Duration = Duration::from_secs(10);
const NOTE_EVERY: Duration = Duration::from_secs(30);
const SEND_EVERY: Duration = Duration::from_secs(2);
/// How long a way in that nobody has gone to its end is kept.
const NOBODYS_KEPT: Duration = Duration::from_secs(3_600);
/// How long letters are kept at most.
const LETTERS_KEPT: Duration = Duration::from_secs(7 * 86_400);
const ROLLUP_EVERY: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(600);
/// The command line may have made a pipeline.
const RELOAD_EVERY: Duration = Duration::from_secs(10);

/// Starts all of it; it ends when `stop` is cancelled.
pub fn start(state: &State, tasks: &TaskTracker, stop: &CancellationToken) {
    let start = Start { state, tasks, stop };
    start.repeat(
        "roll up",
        ROLLUP_EVERY,
        |s| async move { s.silver.rollup().await.map(drop) },
    );
    start.repeat("prune answers", PRUNE_EVERY, |s| async move { prune(&s).await });
    start.repeat("see which sessions have ended", WATCH_EVERY, |s| async move {
        s.watch.check(&s.db).await
    });
    start.repeat("count what organizations have", COUNT_EVERY, |s| async move {
        s.quotas.refresh().await
    });
    start.repeat("note which keys are used", NOTE_EVERY, |s| async move {
        s.rates.forget();
        s.keys.note().await
    });
    match post::mailer(&state.config.accounts.mail) {
        Ok(Some(mailer)) => {
            let mailer = Arc::new(mailer);
            start.repeat("send letters", SEND_EVERY, move |s| {
                let mailer = Arc::clone(&mailer);
                async move { post::send_due(&s, &mailer).await.map(drop) }
            });
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "no letters are sent"),
    }
    start.repeat("reload the pipelines", RELOAD_EVERY, |s| async move {
        s.catalog.reload().await
    });
}

async fn prune(state: &State) -> Result<(), dash_db::DbError> {
    let now = crate::clock::now();
    let mut connection = state.db.diesel().await?;
    store::sessions::prune(&mut connection, now, now.minus(NOBODYS_KEPT)).await?;
    store::tokens::forget(&mut connection, now).await?;
    store::mails::prune(&mut connection, now.minus(LETTERS_KEPT)).await?;
    store::idempotency::prune(&mut connection, now.minus(state.config.ingest.idempotency_age)).await?;
    Ok(())
}

struct Start<'a> {
    state: &'a State,
    tasks: &'a TaskTracker,
    stop: &'a CancellationToken,
}

impl Start<'_> {
    fn repeat<F, E>(&self, what: &'static str, every: Duration, work: impl Fn(State) -> F + Send + 'static)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send,
    {
        let state = self.state.clone();
        self.tasks
            .spawn(self.stop.clone().run_until_cancelled_owned(async move {
                let mut clock = interval(every);
                clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    clock.tick().await;
                    if let Err(error) = work(state.clone()).await {
                        tracing::warn!(%error, "cannot {what}; it is tried again");
                    }
                }
            }));
    }
}
