//! Workers over a real PostgreSQL: what is done, how often, and what becomes of what is not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use dash_db::{AsyncConnection, Db, store::jobs, test_support::TestDatabase};
use dash_jobs::{
    Engine, Enqueue, Finished, Halt, Job, JobError, Missed, Queue, Registry, Schedule, Settings, State, UniqueBy,
    Waker, Work, Workflow, Working, testing,
};
use dash_model::Micros;
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use serde::{Deserialize, Serialize};

#[derive(Clone, Default)]
struct Seen {
    db: Option<Db>,
    begun: Arc<AtomicUsize>,
    stopped: Arc<AtomicUsize>,
}

/// Writes its number down and is completed, in one transaction.
#[derive(Serialize, Deserialize)]
struct Count {
    number: i64,
}

impl Job for Count {
    const WORKER: &'static str = "count";
}

impl Work<Seen> for Count {
    async fn work(self, seen: Seen, at: Working) -> Result<(), Halt> {
        seen.begun.fetch_add(1, Ordering::Relaxed);
        let db = seen.db.expect("a database");
        let work = async |conn: &mut dash_db::AsyncPgConnection| {
            diesel_async::RunQueryDsl::execute(
                sql_query("INSERT INTO effects VALUES ($1)").bind::<BigInt, _>(self.number),
                conn,
            )
            .await?;
            at.settle(conn).await
        };
        let mut conn = db.diesel().await?;
        let conn: &mut dash_db::AsyncPgConnection = &mut conn;
        conn.transaction(work).await?;
        Ok(())
    }
}

/// Goes on until it is told to stop.
#[derive(Serialize, Deserialize)]
struct Endless;

impl Job for Endless {
    const WORKER: &'static str = "endless";
    const QUEUE: &'static str = "slow";
}

impl Work<Seen> for Endless {
    async fn work(self, seen: Seen, at: Working) -> Result<(), Halt> {
        seen.begun.fetch_add(1, Ordering::Relaxed);
        at.cancelled().await;
        seen.stopped.fetch_add(1, Ordering::Relaxed);
        at.progress(1, None, None).await
    }
}

/// Does not hear when it is told to stop.
#[derive(Serialize, Deserialize)]
struct Deaf;

impl Job for Deaf {
    const WORKER: &'static str = "deaf";
    const QUEUE: &'static str = "slow";
}

impl Work<Seen> for Deaf {
    async fn work(self, seen: Seen, _: Working) -> Result<(), Halt> {
        /// Sees its end.
        struct End(Seen);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.stopped.fetch_add(1, Ordering::Relaxed);
            }
        }
        seen.begun.fetch_add(1, Ordering::Relaxed);
        let _end = End(seen);
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        Ok(())
    }
}

/// Ends as it is told.
#[derive(Serialize, Deserialize)]
enum End {
    Panic,
    Snooze,
    Cancel,
    Fail,
    TooLong,
}

impl Job for End {
    const WORKER: &'static str = "end";
    const MAX_ATTEMPTS: i32 = 2;
    const TIMEOUT: Duration = Duration::from_millis(50);
}

impl Work<Seen> for End {
    async fn work(self, _: Seen, _: Working) -> Result<(), Halt> {
        match self {
            Self::Panic => panic!("out of cheese"),
            Self::Snooze => Err(Halt::Snooze(Duration::from_secs(60))),
            Self::Cancel => Err(Halt::Cancel("nobody needs it".into())),
            Self::Fail => Ok("x".parse::<i32>().map(drop)?),
            Self::TooLong => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(())
            }
        }
    }
}

fn registry() -> Arc<Registry<Seen>> {
    Arc::new(
        Registry::default()
            .with::<Count>()
            .with::<Endless>()
            .with::<Deaf>()
            .with::<End>(),
    )
}

async fn effects() -> (TestDatabase, Seen) {
    let db = TestDatabase::new().await;
    let client = db.client().await.unwrap();
    client
        .batch_execute("CREATE TABLE effects (number bigint NOT NULL)")
        .await
        .unwrap();
    let seen = Seen {
        db: Some(db.db().clone()),
        ..Seen::default()
    };
    (db, seen)
}

fn now() -> Micros {
    Micros(chrono::Utc::now().timestamp_micros())
}

/// A node with short leases.
async fn node(db: &Db, seen: &Seen, name: &str) -> (Engine, Waker) {
    let queues = [Queue::new("default", 20), Queue::new("slow", 5)];
    node_with(db, seen, name, &queues, Duration::from_millis(100)).await
}

async fn node_with(db: &Db, seen: &Seen, name: &str, queues: &[Queue], poll: Duration) -> (Engine, Waker) {
    let settings = Settings {
        lease: Duration::from_millis(900),
        poll,
        patience: Duration::from_millis(500),
        ..Settings::new(name)
    };
    let waker = Waker::default();
    let engine = Engine::start(db.clone(), seen.clone(), registry(), queues, settings, waker.clone()).await;
    (engine.unwrap(), waker)
}

async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come true within ten seconds");
}

async fn counts(db: &Db, queue: &str) -> BTreeMap<&'static str, i64> {
    jobs::counts(&mut db.diesel().await.unwrap(), queue).await.unwrap()
}

#[tokio::test]
async fn two_nodes_do_each_job_once() {
    let (db, seen) = effects().await;
    let ((a, waker), (b, _)) = (node(&db, &seen, "a").await, node(&db, &seen, "b").await);
    let all = (0..300).map(|number| Enqueue::new(&Count { number }).unwrap());
    Enqueue::insert_many(&mut db.diesel().await.unwrap(), all, now())
        .await
        .unwrap();
    waker.wake::<Count>();
    eventually("all are completed", async || {
        counts(&db, "default").await == BTreeMap::from([("completed", 300)])
    })
    .await;
    #[derive(QueryableByName)]
    struct Effects {
        #[diesel(sql_type = BigInt)]
        all: i64,
        #[diesel(sql_type = BigInt)]
        different: i64,
    }
    let sql = "SELECT count(*) AS all, count(DISTINCT number) AS different FROM effects";
    let mut conn = db.diesel().await.unwrap();
    let effects: Effects = diesel_async::RunQueryDsl::get_result(sql_query(sql), &mut conn)
        .await
        .unwrap();
    assert_eq!((effects.all, effects.different), (300, 300));
    testing::assert_none_left(&mut conn).await;
    let figures = [a.figures().clone(), b.figures().clone()];
    a.stop(Duration::from_secs(5)).await;
    b.stop(Duration::from_secs(5)).await;
    let done: u64 = figures.iter().map(|figures| figures.count(Finished::Done)).sum();
    assert_eq!(done, 300);
}

#[tokio::test]
async fn what_was_cancelled_stops_and_what_is_not_done_is_handed_back() {
    let (db, seen) = effects().await;
    let (engine, waker) = node(&db, &seen, "a").await;
    let two = [Enqueue::new(&Endless).unwrap(), Enqueue::new(&Endless).unwrap()];
    let ids = Enqueue::insert_many(&mut db.diesel().await.unwrap(), two, now())
        .await
        .unwrap();
    waker.wake::<Endless>();
    eventually("both are begun", async || seen.begun.load(Ordering::Relaxed) == 2).await;
    jobs::cancel(&mut db.diesel().await.unwrap(), &[ids[0].id()], now())
        .await
        .unwrap();
    eventually("one is cancelled", async || {
        counts(&db, "slow").await == BTreeMap::from([("cancelled", 1), ("executing", 1)])
    })
    .await;
    assert_eq!(seen.stopped.load(Ordering::Relaxed), 1, "it stopped by itself");
    engine.stop(Duration::from_millis(100)).await;
    assert_eq!(
        counts(&db, "slow").await,
        BTreeMap::from([("available", 1), ("cancelled", 1)])
    );
    let row = jobs::get(&mut db.diesel().await.unwrap(), ids[1].id())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.state, row.attempt), (State::Available, 0));
}

#[tokio::test]
async fn what_a_node_had_that_is_gone_another_one_does() {
    let (db, seen) = effects().await;
    let id = Enqueue::new(&Count { number: 1 })
        .unwrap()
        .insert(&mut db.diesel().await.unwrap(), now())
        .await
        .unwrap()
        .id();
    let take = jobs::Take {
        queue: "default",
        limits: &jobs::Limits::default(),
        most: 1,
        node: "gone",
        now: now(),
        lease_until: Micros(now().0 + 500_000),
    };
    let held = jobs::fetch(&mut db.diesel().await.unwrap(), &take)
        .await
        .unwrap()
        .remove(0);
    let (engine, _) = node(&db, &seen, "a").await;
    eventually("it is done", async || {
        counts(&db, "default").await == BTreeMap::from([("completed", 1)])
    })
    .await;
    let mut conn = db.diesel().await.unwrap();
    let attempts = jobs::attempts(&mut conn, id).await.unwrap();
    assert_eq!(
        (attempts[0].node.as_str(), attempts[0].outcome.as_str()),
        ("gone", "lost")
    );
    let late = jobs::finish(&mut conn, (id, held.lease), &jobs::Outcome::Done, now())
        .await
        .unwrap();
    assert_eq!(late, jobs::Finish::Lost);
    engine.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn attempts_end_as_they_say_or_fail() {
    let (db, seen) = effects().await;
    let cases = [
        (End::Panic, State::Retryable, Some("out of cheese")),
        (End::Fail, State::Retryable, Some("invalid digit")),
        (End::TooLong, State::Retryable, Some("took longer than 50ms")),
        (End::Cancel, State::Cancelled, Some("nobody needs it")),
        (End::Snooze, State::Scheduled, None),
    ];
    for (end, expected, says) in cases {
        let job = Enqueue::new(&end).unwrap();
        let state = testing::run_inline(&db, &registry(), &seen, job).await.unwrap();
        assert_eq!(state, expected);
        let mut conn = db.diesel().await.unwrap();
        let row = jobs::list(&mut conn, &jobs::Which::default(), 1)
            .await
            .unwrap()
            .remove(0);
        let attempt = jobs::attempts(&mut conn, row.id).await.unwrap().remove(0);
        assert!(
            says.is_none_or(|says| attempt.error.clone().unwrap().contains(says)),
            "{attempt:?}"
        );
    }
}

#[tokio::test]
async fn a_workflow_goes_on_when_its_steps_are_done() {
    let (db, seen) = effects().await;
    let count = |number| Enqueue::new(&Count { number }).unwrap();
    let mut flow = Workflow::default();
    let plan = flow.add(count(1), &[]);
    let slices: Vec<_> = (2..5).map(|number| flow.add(count(number), &[plan])).collect();
    flow.add(count(5), &slices);
    let id = flow.id();
    flow.insert(&mut db.diesel().await.unwrap(), now()).await.unwrap();
    let mut conn = db.diesel().await.unwrap();
    testing::assert_enqueued::<Count>(&mut conn, |job| job.number == 5).await;
    assert_eq!(
        counts(&db, "default").await,
        BTreeMap::from([("available", 1), ("scheduled", 4)])
    );
    let ended = testing::drain(&db, &registry(), &seen, "default").await.unwrap();
    assert_eq!(ended, BTreeMap::from([(State::Completed, 5)]));
    let overall = jobs::overall(&mut conn, id).await.unwrap();
    assert_eq!((overall.jobs, overall.completed), (5, 5));
}

#[tokio::test]
async fn a_tick_is_one_job_however_many_nodes_there_are() -> Result<(), JobError> {
    let (db, seen) = effects().await;
    let every_second = Schedule::new("* * * * * *", "UTC").expect("a schedule");
    let mut nodes = Vec::new();
    for name in ["a", "b", "c"] {
        let registry = Registry::default().cron("count", every_second.clone(), Missed::All, &Count { number: 7 })?;
        let settings = Settings {
            poll: Duration::from_millis(50),
            ..Settings::new(name)
        };
        let queues = [Queue::new("default", 5)];
        nodes.push(
            Engine::start(
                db.db().clone(),
                seen.clone(),
                Arc::new(registry),
                &queues,
                settings,
                Waker::default(),
            )
            .await?,
        );
    }
    eventually("three ticks are done", async || seen.begun.load(Ordering::Relaxed) >= 3).await;
    for node in nodes {
        node.stop(Duration::from_secs(2)).await;
    }
    let sql = "SELECT meta->>'tick' FROM jobs GROUP BY 1 HAVING count(*) > 1";
    assert!(db.client().await.unwrap().query(sql, &[]).await.unwrap().is_empty());
    Ok(())
}

#[tokio::test]
async fn what_does_not_stop_by_itself_is_stopped_and_is_cancelled() {
    let (db, seen) = effects().await;
    let (engine, waker) = node(&db, &seen, "a").await;
    let id = Enqueue::new(&Deaf)
        .unwrap()
        .insert(&mut db.diesel().await.unwrap(), now())
        .await
        .unwrap()
        .id();
    waker.wake::<Deaf>();
    eventually("it is begun", async || seen.begun.load(Ordering::Relaxed) == 1).await;
    jobs::cancel(&mut db.diesel().await.unwrap(), &[id], now())
        .await
        .unwrap();
    eventually("it is cancelled", async || {
        counts(&db, "slow").await == BTreeMap::from([("cancelled", 1)])
    })
    .await;
    assert_eq!(seen.stopped.load(Ordering::Relaxed), 1);
    assert_eq!(engine.figures().count(Finished::Cancelled), 1);
    engine.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn an_engine_that_is_dropped_leaves_nothing_running() {
    let (db, seen) = effects().await;
    let (engine, waker) = node(&db, &seen, "a").await;
    Enqueue::new(&Deaf)
        .unwrap()
        .insert(&mut db.diesel().await.unwrap(), now())
        .await
        .unwrap();
    waker.wake::<Deaf>();
    eventually("it is begun", async || seen.begun.load(Ordering::Relaxed) == 1).await;
    drop(engine);
    eventually("it has ended", async || seen.stopped.load(Ordering::Relaxed) == 1).await;
    assert_eq!(
        counts(&db, "slow").await,
        BTreeMap::from([("executing", 1)]),
        "until its lease runs out"
    );
}

#[tokio::test]
async fn jobs_of_one_key_follow_each_other_without_a_wait() {
    let (db, seen) = effects().await;
    let queues = [Queue::new("default", 20).per_key(1)];
    let (engine, waker) = node_with(&db, &seen, "a", &queues, Duration::from_secs(60)).await;
    let mut rows = Vec::new();
    for number in 0..20 {
        rows.push(Enqueue::new(&Count { number }).unwrap().limit_key("one"));
    }
    Enqueue::insert_many(&mut db.diesel().await.unwrap(), rows, now())
        .await
        .unwrap();
    waker.wake::<Count>();
    // It looks once a minute.
    eventually("all are completed", async || {
        counts(&db, "default").await == BTreeMap::from([("completed", 20)])
    })
    .await;
    engine.stop(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_schedule_of_one_organization_is_not_in_the_way_of_anothers() {
    let (db, seen) = effects().await;
    let client = db.client().await.unwrap();
    let sql = "
        INSERT INTO organizations (id, name, slug) VALUES (gen_random_uuid(), 'One', 'one'), (gen_random_uuid(), 'Two', 'two');
        INSERT INTO job_crons (organization_id, name, worker, args, expression, zone, missed, declared, next_at)
        SELECT id, 'once', 'only', '{}', '* * * * *', 'UTC', 'once', false, now() FROM organizations WHERE slug IN ('one', 'two')";
    client.batch_execute(sql).await.unwrap();
    let registry = Arc::new(Registry::default().with::<Only>());
    let settings = Settings {
        poll: Duration::from_millis(100),
        ..Settings::new("a")
    };
    let engine = Engine::start(db.db().clone(), seen, registry, &[], settings, Waker::default())
        .await
        .unwrap();
    eventually("each has its job", async || {
        let sql = "SELECT count(DISTINCT organization_id) FROM jobs WHERE worker = 'only'";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == 2
    })
    .await;
    engine.stop(Duration::from_secs(1)).await;
}

/// Of which there is one at a time.
#[derive(Serialize, Deserialize)]
struct Only;

impl Job for Only {
    const WORKER: &'static str = "only";
    const UNIQUE: Option<UniqueBy> = Some(UniqueBy::UNTIL_ENDED);
}

impl Work<Seen> for Only {
    async fn work(self, _: Seen, _: Working) -> Result<(), Halt> {
        Ok(())
    }
}
