//! All topics that somebody follows.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::{AppError, ports::Viewer};
use async_trait::async_trait;
use dash_metrics::Parts;
use dash_model::{
    MappingVersionId, PipelineId,
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
    /// The topic in the one way to name it, if the viewer may follow it, and the pipeline whose writes change it.
    async fn admit(&self, viewer: &Viewer, topic: Topic) -> Result<(Topic, PipelineId), AppError>;
    /// The state as it is now. What is known of an earlier one may save work.
    async fn compute(&self, topic: &Topic, before: Option<Before>) -> Result<Computed, AppError>;
}

/// A state, and what the next one may go on from.
#[derive(Clone, Debug)]
pub struct Computed {
    pub state: State,
    pub parts: Option<PartsOf>,
}

/// What was read of the points of a mapping version.
#[derive(Clone, Debug)]
pub struct PartsOf {
    pub version: MappingVersionId,
    pub parts: Parts,
}

/// What the computation of an earlier state left.
#[derive(Clone, Debug)]
pub struct Before {
    pub of: PartsOf,
    /// Times (microseconds since 1970) between which all points lie that were committed since.
    pub changed: Option<Times>,
}

/// First and last.
pub type Times = RangeInclusive<i64>;

/// What a transaction wrote of a pipeline: between which times its points lie, if it made any.
#[derive(Clone, Debug)]
pub struct Commit {
    pub pipeline: PipelineId,
    pub times: Option<Times>,
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
    /// Committed since the last computation began.
    changed: Mutex<Option<Times>>,
}

/// Shortest pause between two states of a topic: two frames and a bit, more than what a chart needs to seem to move.
const PAUSE: Duration = Duration::from_millis(40);
/// A topic pauses for so many times what its state cost, so that some live charts do not take the machine from the writers.
const REST: u32 = 8;
/// However much it cost.
const LONGEST: Duration = Duration::from_secs(10);
/// What it costs to send a state to a viewer.
const SEND: Duration = Duration::from_micros(12);
/// A state is computed from nothing now and then, in case that somebody else wrote to the database.
const ANEW: Duration = Duration::from_secs(60);

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
    ///
    /// # Errors
    /// When the viewer may not, or there is nothing of this name for them.
    pub async fn follow(&self, viewer: &Viewer, topic: Topic) -> Result<Arc<Followed>, AppError> {
        let (topic, pipeline) = self.0.compute.admit(viewer, topic).await?;
        let mut topics = self.0.topics.lock();
        if let Some(followed) = topics.get(&topic).and_then(Weak::upgrade) {
            return Ok(followed);
        }
        let followed = Arc::new(Followed {
            history: History::new(self.0.epoch.fetch_add(1, Ordering::Relaxed)),
            pipeline,
            woken: Notify::new(),
            changed: Mutex::default(),
        });
        topics.retain(|_, f| f.strong_count() > 0);
        topics.insert(topic.clone(), Arc::downgrade(&followed));
        tokio::spawn(self.clone().run(topic.clone(), Arc::downgrade(&followed)));
        Ok(followed)
    }

    /// Whether the viewer may follow this.
    ///
    /// # Errors
    /// Why not.
    pub async fn admits(&self, viewer: &Viewer, topic: Topic) -> Result<(), AppError> {
        self.0.compute.admit(viewer, topic).await.map(drop)
    }

    /// This was committed.
    pub fn committed(&self, commits: &[Commit]) {
        for followed in self.0.topics.lock().values().filter_map(Weak::upgrade) {
            for commit in commits.iter().filter(|c| c.pipeline == followed.pipeline) {
                if let Some(times) = &commit.times {
                    let mut changed = followed.changed.lock();
                    *changed = Some(changed.as_ref().map_or_else(|| times.clone(), |c| span(c, times)));
                }
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
        let mut parts: Option<PartsOf> = None;
        // When a state is computed from nothing the next time.
        let mut anew = Instant::now();
        loop {
            let permit = self.0.permits.acquire().await;
            let begun = Instant::now();
            let Some(strong) = followed.upgrade() else { return };
            // Before the snapshot of the computation: what is committed after this will wake the topic again.
            let changed = strong.changed.lock().take();
            drop(strong);
            let before = parts.take().filter(|_| begun < anew).map(|of| Before { of, changed });
            let from_nothing = before.is_none();
            let computed = self.0.compute.compute(&topic, before).await;
            drop(permit);
            let took = begun.elapsed();
            let Some(strong) = followed.upgrade() else { return };
            match computed {
                Ok(computed) => {
                    strong.history.publish(computed.state, total);
                    parts = computed.parts;
                    if from_nothing {
                        anew = begun + ANEW.max(took * 50);
                    }
                }
                // The parts are gone, and the times of what changed: the next one begins from nothing.
                Err(error) => strong.history.refuse(error.to_string()),
            }
            drop(strong);
            sleep(rest(took, followed.strong_count())).await;
            if !wait(&followed, begun + drift(&topic)).await {
                return;
            }
        }
    }
}

/// How long a topic pauses after a state that took so long and goes to so many.
fn rest(took: Duration, viewers: usize) -> Duration {
    let viewers = u32::try_from(viewers).unwrap_or(u32::MAX);
    let cost = took.saturating_add(SEND.saturating_mul(viewers));
    cost.saturating_mul(REST).clamp(PAUSE, LONGEST)
}

fn span(a: &Times, b: &Times) -> Times {
    *a.start().min(b.start())..=*a.end().max(b.end())
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
    use std::sync::atomic::AtomicBool;

    use dash_model::{
        query::{MetricQuery, QuerySpec},
        stats::PipelineStats,
    };

    use super::*;
    use crate::live::Update;

    #[derive(Default)]
    struct Counting {
        computed: AtomicU64,
        /// What each computation was told.
        told: Mutex<Vec<Option<Option<Times>>>>,
        fails: AtomicBool,
    }

    #[async_trait]
    impl Compute for Counting {
        async fn admit(&self, _: &Viewer, topic: Topic) -> Result<(Topic, PipelineId), AppError> {
            Ok((topic, PipelineId(uuid::Uuid::nil())))
        }

        async fn compute(&self, _: &Topic, before: Option<Before>) -> Result<Computed, AppError> {
            self.told.lock().push(before.map(|b| b.changed));
            if self.fails.load(Ordering::SeqCst) {
                return Err(AppError::Internal);
            }
            let n = self.computed.fetch_add(1, Ordering::SeqCst) + 1;
            Ok(Computed {
                state: State::Pipeline(PipelineStats {
                    received: n,
                    ..PipelineStats::default()
                }),
                parts: Some(PartsOf {
                    version: MappingVersionId(1),
                    parts: Parts::default(),
                }),
            })
        }
    }

    fn commit(times: Option<Times>) -> Commit {
        Commit {
            pipeline: PipelineId(uuid::Uuid::nil()),
            times,
        }
    }

    fn nobody() -> Viewer {
        Viewer::nobody(dash_model::DEFAULT_ORGANIZATION)
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
            viewers.push(hub.follow(&nobody(), topic()).await.expect("follow"));
        }
        viewers[0]
            .history
            .changes()
            .wait_for(|s| *s >= 1)
            .await
            .expect("published");
        assert_eq!(compute.computed.load(Ordering::SeqCst), 1);
        assert_eq!(hub.topics(), 1);
    }

    #[test]
    fn a_topic_rests_by_what_it_costs() {
        let ms = Duration::from_millis;
        assert_eq!(rest(ms(1), 1), PAUSE);
        assert_eq!(rest(ms(100), 0), ms(800));
        assert_eq!(rest(ms(0), 1_000), ms(96), "sending costs, too");
        assert_eq!(rest(Duration::from_secs(3_600), 1), LONGEST);
        assert_eq!(rest(Duration::MAX, usize::MAX), LONGEST);
    }

    #[tokio::test]
    async fn writes_without_end_leave_pauses() {
        let compute = Arc::new(Counting::default());
        let hub = Hub::new(1, compute.clone());
        let _viewer = hub.follow(&nobody(), topic()).await.expect("follow");
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1) {
            hub.committed(&[commit(None)]);
            sleep(Duration::from_millis(1)).await;
        }
        let computed = compute.computed.load(Ordering::SeqCst);
        // A busy machine makes fewer, none makes more.
        let most = begun.elapsed().as_millis() as u64 / PAUSE.as_millis() as u64 + 1;
        assert!((2..=most).contains(&computed), "{computed} computations");
    }

    #[tokio::test]
    async fn a_computation_is_told_the_times_of_all_commits_since_the_last() {
        let compute = Arc::new(Counting::default());
        let hub = Hub::new(1, compute.clone());
        let viewer = hub.follow(&nobody(), topic()).await.expect("follow");
        let mut changes = viewer.history.changes();
        changes.wait_for(|s| *s >= 1).await.expect("published");
        hub.committed(&[commit(Some(5..=6)), commit(None), commit(Some(1..=2))]);
        changes.wait_for(|s| *s >= 2).await.expect("published");
        compute.fails.store(true, Ordering::SeqCst);
        hub.committed(&[commit(Some(3..=3))]);
        while viewer.history.refused().is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        compute.fails.store(false, Ordering::SeqCst);
        hub.committed(&[commit(Some(4..=4))]);
        changes.wait_for(|s| *s >= 3).await.expect("published");
        // What was known is of no use after a failure: the times it was told of are gone.
        assert_eq!(*compute.told.lock(), [None, Some(Some(1..=6)), Some(Some(3..=3)), None]);
    }

    /// A leaves at some state, nobody looks, B makes the topic begin anew and go further: A's place must not be taken
    /// for one of the new history.
    #[tokio::test]
    async fn who_comes_back_after_the_topic_ended_gets_a_snapshot() {
        let hub = Hub::new(1, Arc::new(Counting::default()));
        let a = hub.follow(&nobody(), topic()).await.expect("follow");
        a.history.changes().wait_for(|s| *s >= 1).await.expect("published");
        let Some(Update::Snapshot { place, .. }) = a.history.since(None) else {
            panic!("a state was published")
        };
        drop(a);
        sleep(Duration::from_secs(2)).await;
        let b = hub.follow(&nobody(), topic()).await.expect("follow");
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
        drop(hub.follow(&nobody(), topic()).await.expect("follow"));
        sleep(Duration::from_secs(2)).await;
        let computed = compute.computed.load(Ordering::SeqCst);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(compute.computed.load(Ordering::SeqCst), computed);
        assert_eq!(hub.topics(), 0);
    }
}
