//! For tests of those who have jobs.

use std::{collections::BTreeMap, time::Duration};

use dash_db::{
    AsyncPgConnection, Db,
    store::jobs::{self, Finish, Limits, Row, State, Take, Which},
};
use tokio_util::sync::CancellationToken;

use crate::{Enqueue, Job, JobError, Registry, Working, attempt::attempt, clock::Clock, finisher::Said};

/// Leases of what is done here.
const LEASE: Duration = Duration::from_secs(3_600);

/// Inserts a job, does it at once in this task, and answers what became of it.
///
/// # Errors
/// [`JobError::Db`]; [`JobError::Lost`] when it is not due now.
pub async fn run_inline<S: Clone + Send + Sync + 'static>(
    db: &Db,
    registry: &Registry<S>,
    state: &S,
    job: Enqueue,
) -> Result<State, JobError> {
    // In a queue of its own nothing else is taken in its place.
    let queue = format!("inline-{}", uuid::Uuid::now_v7());
    let mut row = job.row(Clock::default().now());
    row.queue = &queue;
    jobs::insert(&mut *db.diesel().await?, &row).await?;
    let ended = drain_some(db, registry, state, &queue, 1).await?;
    ended.into_iter().next().ok_or(JobError::Lost)
}

/// Does everything that is available in a queue, also what that inserts, one after the other. Answers how many ended in which state.
pub async fn drain<S: Clone + Send + Sync + 'static>(
    db: &Db,
    registry: &Registry<S>,
    state: &S,
    queue: &str,
) -> Result<BTreeMap<State, usize>, JobError> {
    let mut all = BTreeMap::new();
    loop {
        let ended = drain_some(db, registry, state, queue, 100).await?;
        if ended.is_empty() {
            return Ok(all);
        }
        for state in ended {
            *all.entry(state).or_default() += 1;
        }
    }
}

async fn drain_some<S: Clone + Send + Sync + 'static>(
    db: &Db,
    registry: &Registry<S>,
    state: &S,
    queue: &str,
    most: i64,
) -> Result<Vec<State>, JobError> {
    let clock = Clock::default();
    let now = clock.now();
    let take = Take {
        queue,
        limits: &Limits::default(),
        most,
        node: "test",
        now,
        lease_until: now.plus(LEASE),
    };
    jobs::stage(&mut *db.diesel().await?, now).await?;
    let fetched = jobs::fetch(&mut *db.diesel().await?, &take).await?;
    let mut ended = Vec::new();
    for job in fetched {
        let (lease, worker) = ((job.id, job.lease), registry.get(&job.worker).cloned());
        let Some(worker) = worker else {
            panic!("nobody knows what a {:?} is", job.worker)
        };
        let (at, args) = Working::new(db.clone(), clock.clone(), job, CancellationToken::new());
        let state = match attempt(&worker, state.clone(), args, &at).await {
            Said::Settled { .. } => State::Completed,
            Said::Outcome(outcome) => match jobs::finish(&mut *db.diesel().await?, lease, &outcome, clock.now()).await?
            {
                Finish::As(state) => state,
                Finish::Lost => return Err(JobError::Lost),
            },
        };
        ended.push(state);
    }
    Ok(ended)
}

/// Jobs of a kind that have not ended, the newest first.
pub async fn enqueued<J: Job>(conn: &mut AsyncPgConnection) -> Result<Vec<(Row, J)>, JobError> {
    let which = Which {
        states: State::OPEN.to_vec(),
        worker: Some(J::WORKER.to_owned()),
        queue: None,
    };
    let rows = jobs::list(conn, &which, 1_000).await?;
    let read = |row: Row| {
        let args = serde_json::from_value(row.args.clone()).expect("arguments of this kind");
        (row, args)
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Asserts that a job of a kind with such arguments waits to be done.
///
/// # Panics
/// When there is none; it says which there are.
pub async fn assert_enqueued<J: Job>(conn: &mut AsyncPgConnection, is_it: impl Fn(&J) -> bool) {
    let all = enqueued::<J>(conn).await.expect("the jobs can be read");
    if !all.iter().any(|(_, job)| is_it(job)) {
        let there: Vec<_> = all.iter().map(|(row, _)| row.args.to_string()).collect();
        panic!("no such {} is enqueued, only {there:?}", J::WORKER);
    }
}

/// Asserts that nothing waits or is executing: what a test has left over it has not looked at.
///
/// # Panics
/// When something is; it says what.
pub async fn assert_none_left(conn: &mut AsyncPgConnection) {
    let which = Which {
        states: State::OPEN.to_vec(),
        ..Which::default()
    };
    let left = jobs::list(conn, &which, 20).await.expect("the jobs can be read");
    let words: Vec<_> = left
        .iter()
        .map(|row| format!("{} {} {}", row.worker, row.state, row.args))
        .collect();
    assert!(left.is_empty(), "jobs are left over: {words:#?}");
}
