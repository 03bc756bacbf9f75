//! The workers of one node.

use std::{sync::Arc, time::Duration};

use dash_db::{
    Db,
    store::jobs::{self, Limits},
};
use dash_model::Micros;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Figures, JobError, Registry, Waker, finisher::Finisher, keeper::Keeper, node::Node, producer::Producer,
    steward::Steward,
};

/// A queue as the program has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    pub name: &'static str,
    pub limits: Limits,
}

impl Queue {
    /// So many at once on each node.
    pub const fn new(name: &'static str, per_node: i32) -> Self {
        Self {
            name,
            limits: Limits {
                per_node: Some(per_node),
                global: None,
                per_key: None,
                rate: None,
            },
        }
    }

    /// And so many at once of the same key, on all nodes together.
    #[must_use]
    pub const fn per_key(mut self, jobs: i32) -> Self {
        self.limits.per_key = Some(jobs);
        self
    }

    /// And so many at once on all nodes together.
    #[must_use]
    pub const fn global(mut self, jobs: i32) -> Self {
        self.limits.global = Some(jobs);
        self
    }
}

/// How a node works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, for people.
    pub node: String,
    /// After so long without a word from it somebody else gets its jobs; it says one three times as often.
    pub lease: Duration,
    /// How often it looks for something to do when nobody tells it.
    pub poll: Duration,
    /// How long what was cancelled may take to stop by itself.
    pub patience: Duration,
}

impl Settings {
    /// As it is in production: whatever a node that is gone had is taken over within 20 seconds.
    pub fn new(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(1),
            patience: Duration::from_secs(10),
        }
    }
}

/// Runs until [`Engine::stop`]. When it is dropped without, its tasks end at once and others take over what it had.
pub struct Engine {
    node: Node,
    producers: TaskTracker,
    works: TaskTracker,
    finisher: JoinHandle<()>,
    others: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Engine {
    /// Declares the crons of `registry` and begins to work at `queues`; what the registry has beside them nobody works at here.
    ///
    /// # Errors
    /// [`JobError::Db`]
    pub async fn start<S: Clone + Send + Sync + 'static>(
        db: Db,
        state: S,
        registry: Arc<Registry<S>>,
        queues: &[Queue],
        settings: Settings,
        waker: Waker,
    ) -> Result<Self, JobError> {
        let node = Node::new(db, settings, waker);
        {
            let mut conn = node.db.diesel().await?;
            node.clock.set(&mut conn).await?;
            declare(&mut conn, &registry, node.clock.now()).await?;
            let names: Vec<_> = queues.iter().map(|queue| queue.name).collect();
            jobs::register(&mut conn, &names).await?;
        }
        let stop = CancellationToken::new();
        let (over, ended) = Finisher::channel();
        let (producers, works) = (TaskTracker::new(), TaskTracker::new());
        for queue in queues {
            let producer = Producer {
                node: node.clone(),
                queue: *queue,
                registry: Arc::clone(&registry),
                state: state.clone(),
                over: over.clone(),
                works: works.clone(),
                running: Arc::default(),
            };
            producers.spawn(producer.run(stop.clone()));
        }
        let steward = Steward {
            node: node.clone(),
            make: Box::new(move |worker, args| registry.enqueue(worker, args)),
        };
        let carrier = node.clone();
        Ok(Self {
            producers,
            works,
            finisher: tokio::spawn(Finisher(node.clone()).run(ended)),
            others: vec![
                tokio::spawn(Keeper(node.clone()).run()),
                tokio::spawn(steward.run(stop.clone())),
                tokio::spawn(async move { carrier.waker.carry(&carrier.db).await }),
            ],
            node,
            stop,
        })
    }

    pub fn figures(&self) -> &Figures {
        &self.node.figures
    }

    /// Takes nothing more, waits so long for what it has, and hands back the rest: somebody else begins that anew.
    pub async fn stop(mut self, patience: Duration) {
        self.stop.cancel();
        self.producers.close();
        self.producers.wait().await;
        self.works.close();
        let deadline = tokio::time::Instant::now() + patience;
        if tokio::time::timeout_at(deadline, self.works.wait()).await.is_err() {
            let left = self.node.held.give_up();
            tracing::info!(jobs = left.len(), "hands back jobs that are not done yet");
            let handed = async { jobs::hand_back(&mut *self.node.db.diesel().await?, &left).await };
            if let Err(error) = handed.await {
                tracing::warn!(%error, "cannot hand back jobs; others get them when their leases run out");
            }
            self.works.wait().await;
        }
        // Nobody can send any more: the finisher ends when all is written.
        let deadline = deadline.max(tokio::time::Instant::now() + Duration::from_secs(2));
        if tokio::time::timeout_at(deadline, &mut self.finisher).await.is_err() {
            self.finisher.abort();
            tracing::warn!("what came of some jobs is not written; they are done again");
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.cancel();
        // Nobody says any more that it works at them.
        self.node.held.give_up();
        self.others.iter().for_each(JoinHandle::abort);
    }
}

async fn declare<S: Send + 'static>(
    conn: &mut dash_db::AsyncPgConnection,
    registry: &Registry<S>,
    now: Micros,
) -> Result<(), JobError> {
    let crons = registry.crons().iter().map(|cron| {
        let (worker, args) = cron.job.parts();
        jobs::Cron {
            name: cron.name.clone(),
            worker: worker.to_owned(),
            args: args.clone(),
            expression: cron.schedule.expression().to_owned(),
            zone: cron.schedule.zone().to_owned(),
            missed: cron.missed,
            next_at: cron.schedule.after(now).unwrap_or(now),
        }
    });
    let crons: Vec<_> = crons.collect();
    Ok(jobs::declare(conn, &crons).await?)
}
