//! Takes jobs of one queue as there is room for them, and has them done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dash_db::{
    DbError,
    store::jobs::{self, Fetched, Limits, Outcome, Take},
};
use dash_model::Micros;
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Queue, Registry, Working,
    attempt::attempt,
    finisher::{Over, Said},
    node::Node,
};

/// Taken at once.
const MOST: i64 = 500;
/// So long it waits for others to end as well before it takes what one that ended has made room for.
const GATHER: Duration = Duration::from_millis(1);
/// When a job of a kind that is not known here is tried again.
const LATER: Duration = Duration::from_secs(60);

pub struct Producer<S> {
    pub node: Node,
    pub queue: Queue,
    pub registry: Arc<Registry<S>>,
    pub state: S,
    pub over: mpsc::Sender<Over>,
    pub works: TaskTracker,
    pub running: Arc<Running>,
}

/// What this node does of a queue.
#[derive(Default)]
pub struct Running {
    many: AtomicUsize,
    ended: Notify,
}

impl<S: Clone + Send + Sync + 'static> Producer<S> {
    /// Until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let woken = self.node.waker.of(self.queue.name);
        while !stop.is_cancelled() {
            let room = self.room();
            let mut more = false;
            if room > 0 {
                let most = room.min(MOST);
                match self.take(most).await {
                    Ok(fetched) => {
                        more = i64::try_from(fetched.len()).is_ok_and(|many| many == most);
                        fetched.into_iter().for_each(|job| self.start(job));
                    }
                    Err(error) => {
                        tracing::warn!(queue = self.queue.name, %error, "cannot take jobs; it is tried again")
                    }
                }
            }
            if more && self.room() > 0 {
                continue;
            }
            // When all that was asked for came, there may be more: it goes on as soon as there is room. Where a limit is shared, one that ended may
            // have made room for another of its key.
            let may_be_more = more || room == 0 || self.limits().are_shared();
            tokio::select! {
                () = woken.notified() => {}
                () = self.running.ended.notified(), if may_be_more => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(self.node.settings.poll) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn limits(&self) -> Limits {
        let all = self.node.overrides.read();
        let own = self.queue.limits;
        all.get(self.queue.name).map_or(own, |over| own.with(over))
    }

    fn room(&self) -> i64 {
        let running = i64::try_from(self.running.many.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        i64::from(self.limits().per_node.unwrap_or(10)) - running
    }

    async fn take(&self, most: i64) -> Result<Vec<Fetched>, DbError> {
        let mut conn = self.node.db.diesel().await?;
        let now = self.node.clock.now();
        let take = Take {
            queue: self.queue.name,
            limits: &self.limits(),
            most,
            node: &self.node.settings.node,
            now,
            lease_until: self.node.lease_until(now),
        };
        jobs::fetch(&mut conn, &take).await
    }

    fn start(&self, job: Fetched) {
        let (cancel, stop) = (CancellationToken::new(), CancellationToken::new());
        let lease = (job.id, job.lease);
        self.node.held.add(lease, cancel.clone(), stop.clone());
        self.running.many.fetch_add(1, Ordering::Relaxed);
        let one = One {
            running: Arc::clone(&self.running),
        };
        let worker = self.registry.get(&job.worker).cloned();
        let (over, queue, state) = (self.over.clone(), self.queue.name, self.state.clone());
        let named = job.worker.clone();
        let (at, args) = Working::new(self.node.db.clone(), self.node.clock.clone(), job, cancel);
        let held = self.node.held.clone();
        self.works.spawn(async move {
            let began = Instant::now();
            let (worker, outcome) = match &worker {
                Some(worker) => {
                    let outcome = tokio::select! {
                        outcome = attempt::<S>(worker, state, args, &at) => outcome,
                        () = stop.cancelled() => stopped(),
                    };
                    (worker.name, outcome)
                }
                None => ("unknown", Said::Outcome(unknown(&named, at.now()))),
            };
            drop(one);
            // Of what is lost or handed back there is nothing to say.
            if !held.has(lease) {
                return;
            }
            let ended = Over {
                lease,
                worker,
                queue,
                outcome,
                began,
            };
            // Refused only when the engine has been given up.
            let _ = over.send(ended).await;
        });
    }
}

/// What was cancelled and did not stop when it was asked to.
fn stopped() -> Said {
    Said::Outcome(Outcome::Cancel {
        reason: "it was cancelled, and did not stop by itself".into(),
    })
}

/// A job of a kind that this program does not know: a newer one put it there, and another node may know it.
fn unknown(worker: &str, now: Micros) -> Outcome {
    Outcome::Retry {
        error: format!("this node does not know what a {worker:?} is; it may have an older version of Dash"),
        at: now.plus(LATER),
    }
}

/// One that runs, until dropped.
struct One {
    running: Arc<Running>,
}

impl Drop for One {
    fn drop(&mut self) {
        self.running.many.fetch_sub(1, Ordering::Relaxed);
        self.running.ended.notify_one();
    }
}
