//! Writes down what came of attempts; of those that succeeded, many at once.

use std::{collections::HashSet, time::Duration};

use dash_db::{
    AsyncPgConnection, DbError,
    store::jobs::{self, Finish, Outcome},
};
use tokio::{sync::mpsc, time::Instant};

use crate::{figures::Finished, held::Lease, node::Node};

/// Written at once, and waiting to be: who works waits when there are more.
const MANY: usize = 1_000;
const AGAIN: Duration = Duration::from_millis(500);

/// What came of an attempt.
#[derive(Debug)]
pub enum Said {
    /// It is still to be written.
    Outcome(Outcome),
    /// It is written; something that waited does not wait any more.
    Settled { freed: bool },
}

impl Said {
    fn is_done(&self) -> bool {
        matches!(self, Self::Outcome(Outcome::Done))
    }
}

/// An attempt that is over.
pub struct Over {
    pub lease: Lease,
    pub worker: &'static str,
    pub queue: &'static str,
    pub outcome: Said,
    pub began: Instant,
}

pub struct Finisher(pub Node);

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
                buffer.retain(|over| self.0.held.has(over.lease));
            }
        }
    }

    /// Takes from `buffer` what is written.
    async fn write(&self, buffer: &mut Vec<Over>) -> Result<(), DbError> {
        let mut conn = self.0.db.diesel().await?;
        let done: Vec<Lease> = buffer
            .iter()
            .filter(|over| over.outcome.is_done())
            .map(|over| over.lease)
            .collect();
        let mut freed = buffer
            .iter()
            .any(|over| matches!(over.outcome, Said::Settled { freed: true }));
        if !done.is_empty() {
            let completed = jobs::complete(&mut conn, &done, self.0.clock.now()).await?;
            freed |= completed.freed;
            let counts: HashSet<i64> = completed.ids.into_iter().collect();
            for over in buffer.extract_if(.., |over| over.outcome.is_done()) {
                match counts.contains(&over.lease.0) {
                    true => self.note(&over, Finished::Done),
                    false => self.note(&over, Finished::Lost),
                }
            }
        }
        if freed {
            self.wake_freed(&mut conn).await?;
        }
        while let Some(over) = buffer.last() {
            let finished = match &over.outcome {
                Said::Settled { .. } => Finished::Done,
                Said::Outcome(outcome) => {
                    match jobs::finish(&mut conn, over.lease, outcome, self.0.clock.now()).await? {
                        Finish::Lost => Finished::Lost,
                        Finish::As(state) => Finished::of(outcome, state),
                    }
                }
            };
            self.note(over, finished);
            buffer.pop();
        }
        Ok(())
    }

    async fn wake_freed(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        for queue in jobs::stage(conn, self.0.clock.now()).await? {
            self.0.waker.wake_queue(&queue);
        }
        Ok(())
    }

    fn note(&self, over: &Over, finished: Finished) {
        self.0.held.remove(over.lease);
        let took = over.began.elapsed();
        self.0.figures.note(over.worker, over.queue, finished, took);
        let (job, worker) = (over.lease.0, over.worker);
        match &over.outcome {
            Said::Outcome(Outcome::Retry { error, .. } | Outcome::Discard { error }) => {
                tracing::warn!(job, worker, %error, ?finished, "a job failed");
            }
            _ => tracing::debug!(job, worker, ?finished, ?took, "a job ended"),
        }
    }
}
