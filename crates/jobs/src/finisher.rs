//! Writes down what came of attempts; of those that succeeded, many at once.

use std::time::Duration;

use dash_db::{
    Db, DbError,
    store::jobs::{self, Finish, Outcome},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    clock::Clock,
    figures::{Figures, Finished},
    held::{Held, Lease},
    wake::Waker,
};

/// Written at once, and waiting to be: who works waits when there are more.
const MANY: usize = 1_000;
const AGAIN: Duration = Duration::from_millis(500);

/// An attempt that is over.
pub struct Over {
    pub lease: Lease,
    pub worker: &'static str,
    pub queue: &'static str,
    /// Nothing: it is written already.
    pub outcome: Option<Outcome>,
    pub began: Instant,
}

pub struct Finisher {
    pub db: Db,
    pub clock: Clock,
    pub held: Held,
    pub figures: Figures,
    pub waker: Waker,
}

impl Finisher {
    pub fn channel() -> (mpsc::Sender<Over>, mpsc::Receiver<Over>) {
        mpsc::channel(MANY)
    }

    /// Until nobody works any more and everything is written.
    pub async fn run(self, mut over: mpsc::Receiver<Over>) {
        let mut buffer = Vec::with_capacity(MANY);
        while over.recv_many(&mut buffer, MANY).await > 0 {
            // The leases are beaten until it is written. When that takes too long somebody else gets the jobs, and this is refused.
            while let Err(error) = self.write(&mut buffer).await {
                tracing::warn!(%error, attempts = buffer.len(), "cannot write what came of jobs; it is tried again");
                tokio::time::sleep(AGAIN).await;
                // What was lost meanwhile need not be written.
                buffer.retain(|over| self.held.has(over.lease));
            }
        }
    }

    /// Takes from `buffer` what is written.
    async fn write(&self, buffer: &mut Vec<Over>) -> Result<(), DbError> {
        let mut conn = self.db.diesel().await?;
        let done: Vec<Lease> = buffer
            .iter()
            .filter(|over| matches!(over.outcome, Some(Outcome::Done)))
            .map(|over| over.lease)
            .collect();
        if !done.is_empty() {
            let completed = jobs::complete(&mut conn, &done, self.clock.now()).await?;
            let counts: std::collections::HashSet<i64> = completed.ids.into_iter().collect();
            if completed.freed {
                self.wake_freed(&mut conn).await?;
            }
            buffer.retain(|over| {
                let is_done = matches!(over.outcome, Some(Outcome::Done));
                if is_done {
                    let finished = match counts.contains(&over.lease.0) {
                        true => Finished::Done,
                        false => Finished::Lost,
                    };
                    self.note(over, finished);
                }
                !is_done
            });
        }
        // A job that settled itself may have freed others as well.
        if buffer.iter().any(|over| over.outcome.is_none()) {
            self.wake_freed(&mut conn).await?;
        }
        while let Some(over) = buffer.last() {
            let finished = match &over.outcome {
                None => Finished::Done,
                Some(outcome) => match jobs::finish(&mut conn, over.lease, outcome, self.clock.now()).await? {
                    Finish::Lost => Finished::Lost,
                    Finish::As(state) => Finished::of(outcome, state),
                },
            };
            self.note(over, finished);
            buffer.pop();
        }
        Ok(())
    }

    async fn wake_freed(&self, conn: &mut dash_db::AsyncPgConnection) -> Result<(), DbError> {
        for queue in jobs::stage(conn, self.clock.now()).await? {
            self.waker.wake_queue(&queue);
        }
        Ok(())
    }

    fn note(&self, over: &Over, finished: Finished) {
        self.held.remove(over.lease);
        let took = over.began.elapsed();
        self.figures.note(over.worker, over.queue, finished, took);
        let (job, worker) = (over.lease.0, over.worker);
        match &over.outcome {
            Some(Outcome::Retry { error, .. } | Outcome::Discard { error }) => {
                tracing::warn!(job, worker, %error, ?finished, "a job failed");
            }
            _ => tracing::debug!(job, worker, ?finished, ?took, "a job ended"),
        }
    }
}
