//! All topics that somebody follows.

use std::{
    collections::HashMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::AppError;
use async_trait::async_trait;
use dash_model::{
    PipelineId,
    live::{State, Topic},
    query::{Shape, TimeRange},
};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::topic::History;

/// Where states come from.
#[async_trait]
pub trait Compute: Send + Sync + 'static {
    /// The pipeline whose writes change this topic.
    async fn pipeline(&self, topic: &Topic) -> Result<PipelineId, AppError>;
    /// The state as it is now.
    async fn compute(&self, topic: &Topic) -> Result<State, AppError>;
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    /// Of the next topic: a history that begins anew must not be taken for an earlier one, of this life or of another.
    epoch: AtomicU64,
    closing: CancellationToken,
    compute: Arc<dyn Compute>,
    topics: Mutex<HashMap<Topic, Weak<Followed>>>,
    /// Computations at one time; the others wait, so that viewers cannot starve the writers.
    permits: Semaphore,
}

/// A topic with at least one follower; its task ends with the last of them.
pub struct Followed {
    pub history: History,
    pipeline: PipelineId,
    woken: Notify,
}

/// Shortest time between two states of a topic: at most four a second.
const PACE: Duration = Duration::from_millis(250);

impl Hub {
    /// `epoch` must be higher than that of every topic of every earlier life of the server: microseconds since 1970 are.
    pub fn new(epoch: u64, compute: Arc<dyn Compute>) -> Self {
        Self(Arc::new(Inner {
            epoch: AtomicU64::new(epoch),
            closing: CancellationToken::new(),
            compute,
            topics: Mutex::default(),
            permits: Semaphore::new(4),
        }))
    }

    /// Follows a topic for as long as the answer is kept.
    pub async fn follow(&self, topic: &Topic) -> Result<Arc<Followed>, AppError> {
        if let Some(followed) = self.0.topics.lock().get(topic).and_then(Weak::upgrade) {
            return Ok(followed);
        }
        let pipeline = self.0.compute.pipeline(topic).await?;
        let mut topics = self.0.topics.lock();
        // Somebody may have been faster while the pipeline was looked up.
        if let Some(followed) = topics.get(topic).and_then(Weak::upgrade) {
            return Ok(followed);
        }
        let followed = Arc::new(Followed {
            history: History::new(self.0.epoch.fetch_add(1, Ordering::Relaxed)),
            pipeline,
            woken: Notify::new(),
        });
        topics.retain(|_, f| f.strong_count() > 0);
        topics.insert(topic.clone(), Arc::downgrade(&followed));
        tokio::spawn(self.clone().run(topic.clone(), Arc::downgrade(&followed)));
        Ok(followed)
    }

    /// Points of these pipelines were committed.
    pub fn committed(&self, pipelines: &[PipelineId]) {
        for followed in self.0.topics.lock().values().filter_map(Weak::upgrade) {
            if pipelines.contains(&followed.pipeline) {
                followed.woken.notify_one();
            }
        }
    }

    /// Ends all sessions: the server stops.
    pub fn close(&self) {
        self.0.closing.cancel();
    }

    /// Until [`Self::close`].
    pub async fn closed(&self) {
        self.0.closing.cancelled().await;
    }

    /// Distinct topics that somebody follows now.
    pub fn topics(&self) -> usize {
        self.0.topics.lock().values().filter(|f| f.strong_count() > 0).count()
    }

    async fn run(self, topic: Topic, followed: Weak<Followed>) {
        let total = matches!(&topic, Topic::Query(spec) if spec.shape == Shape::Total);
        loop {
            let begun = Instant::now();
            let state = {
                let _permit = self.0.permits.acquire().await;
                self.0.compute.compute(&topic).await
            };
            let Some(strong) = followed.upgrade() else { return };
            match state {
                Ok(state) => strong.history.publish(state, total),
                Err(error) => strong.history.refuse(error.to_string()),
            }
            drop(strong);
            sleep(PACE.saturating_sub(begun.elapsed()).max(PACE / 5)).await;
            if !wait(&followed, begun + drift(&topic)).await {
                return;
            }
        }
    }
}

/// Until the topic is woken or `deadline`; false when nobody follows any more.
async fn wait(followed: &Weak<Followed>, deadline: Instant) -> bool {
    loop {
        let Some(strong) = followed.upgrade() else { return false };
        // Looks up now and then, to end soon after the last follower.
        let look = (Instant::now() + Duration::from_secs(1)).min(deadline);
        if timeout_at(look, strong.woken.notified()).await.is_ok() || Instant::now() >= deadline {
            return true;
        }
    }
}

/// How long a state stays true without a write: ranges that end now move on, rates fall.
fn drift(topic: &Topic) -> Duration {
    match topic {
        Topic::Pipeline(_) => Duration::from_secs(1),
        Topic::Query(spec) => match spec.range {
            TimeRange::Last { seconds } => {
                Duration::from_secs(u64::from(seconds) / 100).clamp(Duration::from_secs(5), Duration::from_secs(60))
            }
            TimeRange::Between { .. } | TimeRange::All => Duration::from_secs(60),
        },
    }
}

#[cfg(test)]
mod tests {
    use dash_model::{
        query::{MetricQuery, QuerySpec},
        stats::PipelineStats,
    };

    use super::*;
    use crate::live::Update;

    #[derive(Default)]
    struct Counting(AtomicU64);

    #[async_trait]
    impl Compute for Counting {
        async fn pipeline(&self, _: &Topic) -> Result<PipelineId, AppError> {
            Ok(PipelineId(uuid::Uuid::nil()))
        }

        async fn compute(&self, _: &Topic) -> Result<State, AppError> {
            let n = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(State::Pipeline(PipelineStats {
                received: n,
                ..PipelineStats::default()
            }))
        }
    }

    fn topic() -> Topic {
        Topic::Query(QuerySpec {
            query: MetricQuery {
                pipeline: "p".into(),
                metric: "m".into(),
                agg: dash_model::query::Aggregation::Avg,
                by: vec![],
                only: vec![],
            },
            // Drifts every five seconds at the most: only writes wake it here.
            range: TimeRange::All,
            shape: Shape::Total,
        })
    }

    #[tokio::test]
    async fn a_hundred_viewers_cost_one_computation() {
        let compute = Arc::new(Counting::default());
        let hub = Hub::new(1, compute.clone());
        let mut viewers = Vec::new();
        for _ in 0..100 {
            viewers.push(hub.follow(&topic()).await.expect("follow"));
        }
        viewers[0]
            .history
            .changes()
            .wait_for(|s| *s >= 1)
            .await
            .expect("published");
        assert_eq!(compute.0.load(Ordering::SeqCst), 1);
        assert_eq!(hub.topics(), 1);
    }

    #[tokio::test]
    async fn writes_without_end_are_at_most_four_states_a_second() {
        let compute = Arc::new(Counting::default());
        let hub = Hub::new(1, compute.clone());
        let _viewer = hub.follow(&topic()).await.expect("follow");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1) {
            hub.committed(&[PipelineId(uuid::Uuid::nil())]);
            sleep(Duration::from_millis(1)).await;
        }
        let computed = compute.0.load(Ordering::SeqCst);
        // A busy machine makes fewer, none makes more.
        let most = begun.elapsed().as_millis() as u64 / PACE.as_millis() as u64 + 1;
        assert!((2..=most).contains(&computed), "{computed} computations");
    }

    /// A leaves at some state, nobody looks, B makes the topic begin anew and go further: A's place must not be taken
    /// for one of the new history.
    #[tokio::test]
    async fn who_comes_back_after_the_topic_ended_gets_a_snapshot() {
        let hub = Hub::new(1, Arc::new(Counting::default()));
        let a = hub.follow(&topic()).await.expect("follow");
        a.history.changes().wait_for(|s| *s >= 1).await.expect("published");
        let Some(Update::Snapshot { place, .. }) = a.history.since(None) else {
            panic!("a state was published")
        };
        drop(a);
        sleep(Duration::from_secs(2)).await;
        let b = hub.follow(&topic()).await.expect("follow");
        b.history
            .changes()
            .wait_for(|s| *s >= place.seq)
            .await
            .expect("published");
        assert!(matches!(b.history.since(Some(place)), Some(Update::Snapshot { .. })));
    }

    #[tokio::test]
    async fn a_topic_ends_with_its_last_follower() {
        let compute = Arc::new(Counting::default());
        let hub = Hub::new(1, compute.clone());
        drop(hub.follow(&topic()).await.expect("follow"));
        sleep(Duration::from_secs(2)).await;
        let computed = compute.0.load(Ordering::SeqCst);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(compute.0.load(Ordering::SeqCst), computed);
        assert_eq!(hub.topics(), 0);
    }
}
