//! Jobs: nobody has one that somebody else has, and what was said under a lost lease does not count.

use std::collections::{BTreeMap, HashSet};

use dash_db::{
    AsyncPgConnection,
    store::jobs::{self, Beat, Fetched, Finish, Inserted, Limits, NewJob, Outcome, Rate, State, Take, Unique, Which},
    test_support::TestDatabase,
};
use dash_model::Micros;
use serde_json::json;

const NOW: Micros = Micros(1_800_000_000_000_000);

fn later(seconds: i64) -> Micros {
    Micros(NOW.0 + seconds * 1_000_000)
}

fn job(number: i64) -> NewJob<'static> {
    NewJob {
        organization: None,
        worker: "count",
        queue: "default",
        args: json!({"number": number}),
        meta: json!({}),
        tags: vec!["test".into()],
        priority: 5,
        max_attempts: 2,
        now: NOW,
        at: NOW,
        unique: None,
        pipeline: None,
        limit_key: None,
        workflow: None,
        needs: Vec::new(),
    }
}

async fn insert(conn: &mut AsyncPgConnection, job: &NewJob<'_>) -> i64 {
    jobs::insert(conn, job).await.unwrap().id()
}

/// All that is available, by the node `node`, with leases of ten seconds.
async fn fetch(conn: &mut AsyncPgConnection, node: &str, now: Micros) -> Vec<Fetched> {
    fetch_most(conn, node, now, 100, &Limits::default()).await
}

async fn fetch_most(conn: &mut AsyncPgConnection, node: &str, now: Micros, most: i64, limits: &Limits) -> Vec<Fetched> {
    let take = Take {
        queue: "default",
        limits,
        most,
        node,
        now,
        lease_until: Micros(now.0 + 10_000_000),
    };
    jobs::fetch(conn, &take).await.unwrap()
}

async fn state(conn: &mut AsyncPgConnection, id: i64) -> State {
    jobs::get(conn, id).await.unwrap().unwrap().state
}

fn retry(at: i64) -> Outcome {
    Outcome::Retry {
        error: "the other side hung up".into(),
        at: later(at),
    }
}

#[tokio::test]
async fn the_urgent_come_first_and_among_them_the_oldest() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    for (number, priority, at) in [(1, 5, 0), (2, 1, 0), (3, 5, -60), (4, 5, 60)] {
        let job = NewJob {
            priority,
            at: later(at),
            ..job(number)
        };
        insert(conn, &job).await;
    }
    insert(
        conn,
        &NewJob {
            queue: "other",
            ..job(5)
        },
    )
    .await;
    let numbers: Vec<_> = fetch(conn, "a", NOW).await.into_iter().map(|f| f.args).collect();
    assert_eq!(
        numbers,
        [2, 3, 1].map(|n| json!({ "number": n })),
        "the fourth is not due, the fifth is of another queue"
    );

    assert_eq!(jobs::next_at(conn).await.unwrap(), Some(later(60)));
    assert_eq!(jobs::stage(conn, later(59)).await.unwrap(), [""; 0]);
    assert_eq!(jobs::stage(conn, later(60)).await.unwrap(), ["default"]);
    assert_eq!(jobs::next_at(conn).await.unwrap(), None);
    assert_eq!(fetch(conn, "a", later(60)).await.len(), 1);
}

#[tokio::test]
async fn many_workers_share_the_jobs_and_nobody_waits() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let mut all = HashSet::new();
    for number in 0..200 {
        all.insert(insert(conn, &job(number)).await);
    }
    let worker = async |node: &str| {
        let conn = &mut db.diesel().await.unwrap();
        let (mut had, mut leases) = (Vec::new(), Vec::new());
        loop {
            let fetched = fetch_most(conn, node, NOW, 7, &Limits::default()).await;
            // What others have locked is not seen: empty only counts when all is taken.
            if fetched.is_empty() && !jobs::counts(conn, "default").await.unwrap().contains_key("available") {
                break;
            }
            for job in fetched {
                had.push(job.id);
                leases.push(job.lease);
                let done = jobs::finish(conn, (job.id, job.lease), &Outcome::Done, NOW)
                    .await
                    .unwrap();
                assert_eq!(done, Finish::As(State::Completed));
            }
        }
        (had, leases)
    };
    let (a, b, c) = tokio::join!(worker("a"), worker("b"), worker("c"));
    let had = [a.0, b.0, c.0].concat();
    let leases: HashSet<i64> = [a.1, b.1, c.1].concat().into_iter().collect();
    assert_eq!(had.len(), all.len(), "each once");
    assert_eq!(had.into_iter().collect::<HashSet<_>>(), all);
    assert_eq!(leases.len(), all.len(), "no two leases are the same");
    assert_eq!(
        jobs::counts(conn, "default").await.unwrap(),
        BTreeMap::from([("completed", 200)])
    );
}

#[tokio::test]
async fn a_worker_that_wakes_up_after_its_lease_is_refused() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let id = insert(conn, &job(1)).await;
    let first = fetch(conn, "sleepy", NOW).await.remove(0);
    assert!(fetch(conn, "other", NOW).await.is_empty(), "it has a holder");

    // As long as it says that it works, nobody takes the job.
    let held = [(first.id, first.lease)];
    let beats = jobs::beat(conn, &held, later(20)).await.unwrap();
    let [beat] = beats[..] else { panic!("{beats:?}") };
    assert_eq!(
        beat,
        Beat {
            id,
            lease: first.lease,
            cancel: false
        }
    );
    assert_eq!(jobs::rescue(conn, later(15), 100).await.unwrap(), (0, vec![]));
    assert_eq!(
        jobs::rescue(conn, later(21), 100).await.unwrap(),
        (1, vec!["default".into()])
    );
    assert_eq!(state(conn, id).await, State::Available);

    let second = fetch(conn, "other", later(21)).await.remove(0);
    assert!(second.lease > first.lease && second.attempt == 2, "{second:?}");
    assert!(jobs::beat(conn, &held, later(40)).await.unwrap().is_empty());
    assert!(!jobs::progress(conn, held[0], 1, None, None).await.unwrap());
    for outcome in [Outcome::Done, retry(60), Outcome::Snooze { at: later(60) }] {
        assert_eq!(
            jobs::finish(conn, (id, first.lease), &outcome, later(22))
                .await
                .unwrap(),
            Finish::Lost,
            "{outcome:?}"
        );
    }
    assert_eq!(state(conn, id).await, State::Executing, "the second still has it");
    assert_eq!(
        jobs::finish(conn, (id, second.lease), &Outcome::Done, later(22))
            .await
            .unwrap(),
        Finish::As(State::Completed)
    );
    assert_eq!(
        jobs::finish(conn, (id, second.lease), &Outcome::Done, later(22))
            .await
            .unwrap(),
        Finish::Lost,
        "an end is said once"
    );
    let attempts = jobs::attempts(conn, id).await.unwrap();
    let outcomes: Vec<_> = attempts
        .iter()
        .map(|a| (a.node.as_str(), a.outcome.as_str(), a.ended_at))
        .collect();
    assert_eq!(outcomes, [("sleepy", "lost", later(21))]);
    let row = jobs::get(conn, id).await.unwrap().unwrap();
    assert_eq!(
        (row.node.as_deref(), row.attempted_at, row.ended_at),
        (Some("other"), Some(later(21)), Some(later(22))),
        "the attempt that succeeded stands in the job"
    );
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_discarded_after_its_last_attempt() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let id = insert(conn, &job(1)).await;
    for at in [0, 20] {
        assert_eq!(fetch(conn, "a", later(at)).await.len(), 1);
        assert_eq!(jobs::rescue(conn, later(at + 11), 100).await.unwrap().0, 1);
    }
    let row = jobs::get(conn, id).await.unwrap().unwrap();
    assert_eq!((row.state, row.ended_at), (State::Discarded, Some(later(31))));
}

#[tokio::test]
async fn an_attempt_ends_as_its_worker_says() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let reason = || "nobody needs it".to_owned();
    let cases = [
        (Outcome::Done, State::Completed, 1, None),
        (
            Outcome::Cancel { reason: reason() },
            State::Cancelled,
            1,
            Some("nobody needs it"),
        ),
        (
            Outcome::Discard { error: reason() },
            State::Discarded,
            1,
            Some("nobody needs it"),
        ),
        (retry(60), State::Retryable, 1, Some("the other side hung up")),
        (Outcome::Snooze { at: later(60) }, State::Scheduled, 0, None),
    ];
    for (number, (outcome, expected, attempt, error)) in (0..).zip(cases) {
        let id = insert(conn, &job(number)).await;
        let held = fetch(conn, "a", NOW).await.remove(0);
        let finish = jobs::finish(conn, (id, held.lease), &outcome, later(1)).await.unwrap();
        assert_eq!(finish, Finish::As(expected));
        let row = jobs::get(conn, id).await.unwrap().unwrap();
        assert_eq!((row.state, row.attempt), (expected, attempt), "{outcome:?}");
        match expected.has_ended() {
            true => assert_eq!(row.ended_at, Some(later(1))),
            false => assert_eq!((row.ended_at, row.scheduled_at), (None, later(60))),
        }
        let attempts = jobs::attempts(conn, id).await.unwrap();
        match outcome {
            Outcome::Done => assert!(attempts.is_empty()),
            _ => assert_eq!(attempts.last().unwrap().error.as_deref(), error),
        }
    }
}

#[tokio::test]
async fn the_last_attempt_that_fails_discards_and_a_person_may_try_again() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let id = insert(conn, &job(1)).await;
    for (at, expected) in [(0, State::Retryable), (60, State::Discarded)] {
        jobs::stage(conn, later(at)).await.unwrap();
        let held = fetch(conn, "a", later(at)).await.remove(0);
        assert_eq!(jobs::retry(conn, &[id], later(at)).await.unwrap(), 0, "it is executing");
        let finish = jobs::finish(conn, (id, held.lease), &retry(at + 60), later(at))
            .await
            .unwrap();
        assert_eq!(finish, Finish::As(expected));
    }
    assert_eq!(jobs::retry(conn, &[id], later(90)).await.unwrap(), 1);
    let again = fetch(conn, "a", later(90)).await.remove(0);
    assert_eq!((again.id, again.attempt, again.max_attempts), (id, 3, 3));
    assert_eq!(
        jobs::attempts(conn, id).await.unwrap().len(),
        2,
        "nothing of what was is forgotten"
    );
}

#[tokio::test]
async fn cancelling_ends_what_waits_and_asks_who_works() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let executing = insert(conn, &job(1)).await;
    let held = fetch(conn, "a", NOW).await.remove(0);
    let waiting = insert(conn, &job(2)).await;
    assert_eq!(jobs::cancel(conn, &[executing, waiting], later(1)).await.unwrap(), 2);
    assert_eq!(state(conn, waiting).await, State::Cancelled);
    assert_eq!(
        jobs::cancel(conn, &[waiting], later(2)).await.unwrap(),
        0,
        "it has ended"
    );
    assert!(fetch(conn, "b", later(2)).await.is_empty());
    assert_eq!(state(conn, executing).await, State::Executing);
    let beats = jobs::beat(conn, &[(held.id, held.lease)], later(10)).await.unwrap();
    assert!(beats[0].cancel, "its worker is told");

    // A worker that is gone cannot do as it is asked; nobody begins anew what somebody cancelled.
    assert_eq!(jobs::rescue(conn, later(11), 100).await.unwrap(), (1, vec![]));
    assert_eq!(state(conn, executing).await, State::Cancelled);
}

#[tokio::test]
async fn of_what_is_unique_there_is_one_also_when_many_insert_it_at_once() {
    let db = TestDatabase::new().await;
    let unique = |since| {
        Some(Unique {
            key: [7; 32],
            since: later(since),
            states: vec![State::Scheduled, State::Available, State::Executing, State::Retryable],
        })
    };
    let inserted = futures::future::join_all((0..8).map(async |number| {
        let conn = &mut db.diesel().await.unwrap();
        let job = NewJob {
            unique: unique(-60),
            ..job(number)
        };
        jobs::insert(conn, &job).await.unwrap()
    }))
    .await;
    let new: Vec<_> = inserted.iter().filter(|i| matches!(i, Inserted::New(_))).collect();
    assert_eq!(new.len(), 1, "{inserted:?}");
    let ids: HashSet<i64> = inserted.iter().map(|i| i.id()).collect();
    assert_eq!(ids.len(), 1, "the others are told which one is there");

    let conn = &mut db.diesel().await.unwrap();
    let after = NewJob {
        now: later(120),
        unique: unique(60),
        ..job(9)
    };
    let after = jobs::insert(conn, &after).await.unwrap();
    assert!(matches!(after, Inserted::New(_)), "the window is over");
    for held in fetch(conn, "a", later(120)).await {
        jobs::finish(conn, (held.id, held.lease), &Outcome::Done, later(121))
            .await
            .unwrap();
    }
    let done = NewJob {
        now: later(121),
        unique: unique(60),
        ..job(10)
    };
    let done = jobs::insert(conn, &done).await.unwrap();
    assert!(
        matches!(done, Inserted::New(_)),
        "completed is none of the states that count"
    );
}

#[tokio::test]
async fn a_job_is_there_when_what_it_follows_from_is() {
    let db = TestDatabase::new().await;
    let (conn, other) = (&mut db.diesel().await.unwrap(), &mut db.diesel().await.unwrap());
    let rolled_back: Result<(), dash_db::DbError> = diesel_async::AsyncConnection::transaction(conn, async |conn| {
        insert(conn, &job(1)).await;
        assert!(fetch(other, "a", NOW).await.is_empty(), "not before it is committed");
        Err(diesel::result::Error::RollbackTransaction.into())
    })
    .await;
    rolled_back.unwrap_err();
    assert!(jobs::counts(conn, "default").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_paused_queue_hands_out_nothing() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    insert(conn, &job(1)).await;
    jobs::pause(conn, "default", true).await.unwrap();
    assert!(jobs::queues(conn).await.unwrap()[0].paused);
    let limits = Limits {
        global: Some(5),
        ..Limits::default()
    };
    assert!(fetch_most(conn, "a", NOW, 5, &limits).await.is_empty());
    assert!(fetch(conn, "a", NOW).await.is_empty());
    jobs::pause(conn, "default", false).await.unwrap();
    assert_eq!(fetch(conn, "a", NOW).await.len(), 1);
}

#[tokio::test]
async fn pruning_forgets_what_ended_long_ago_with_its_attempts() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let mut ids = Vec::new();
    let discard = || Outcome::Discard { error: "no".into() };
    for (number, outcome) in (0..).zip([Outcome::Done, Outcome::Done, Outcome::Done, discard()]) {
        let id = insert(conn, &job(number)).await;
        let held = fetch(conn, "a", NOW).await.remove(0);
        assert!(
            jobs::progress(conn, (id, held.lease), number, Some(4), Some("half"))
                .await
                .unwrap()
        );
        jobs::finish(conn, (id, held.lease), &outcome, later(number))
            .await
            .unwrap();
        ids.push(id);
    }
    ids.push(insert(conn, &job(9)).await);
    let row = jobs::get(conn, ids[1]).await.unwrap().unwrap();
    assert_eq!(
        (row.done, row.total, row.message.as_deref()),
        (Some(1), Some(4), Some("half"))
    );

    let completed = [State::Completed];
    assert_eq!(
        jobs::prune(conn, &completed, later(2), 1).await.unwrap(),
        1,
        "a few at a time"
    );
    assert_eq!(jobs::prune(conn, &completed, later(2), 100).await.unwrap(), 1);
    assert!(jobs::get(conn, ids[0]).await.unwrap().is_none());
    assert!(jobs::attempts(conn, ids[0]).await.unwrap().is_empty());
    assert_eq!(
        jobs::counts(conn, "default").await.unwrap(),
        BTreeMap::from([("available", 1), ("completed", 1), ("discarded", 1)])
    );
}

#[tokio::test]
async fn limits_hold_for_all_nodes_together() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    for number in 0..40 {
        // One key has most of what waits, and all of what waits longest.
        let key = match number {
            0..30 => "greedy".to_owned(),
            _ => format!("modest {}", number % 2),
        };
        let job = NewJob {
            limit_key: Some(key),
            at: later(number - 100),
            ..job(number)
        };
        insert(conn, &job).await;
    }
    insert(conn, &job(99)).await;
    let limits = Limits {
        per_key: Some(2),
        ..Limits::default()
    };
    let (other, third) = (&mut db.diesel().await.unwrap(), &mut db.diesel().await.unwrap());
    let (a, b, c) = tokio::join!(
        fetch_most(conn, "a", NOW, 3, &limits),
        fetch_most(other, "b", NOW, 3, &limits),
        fetch_most(third, "c", NOW, 100, &limits)
    );
    let mut numbers: Vec<i64> = [a, b, c]
        .concat()
        .iter()
        .map(|f| f.args["number"].as_i64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        [0, 1, 30, 31, 32, 33, 99],
        "two of each key, and what has none"
    );
    assert!(fetch_most(conn, "a", NOW, 100, &limits).await.is_empty());

    let global = Limits {
        global: Some(9),
        ..Limits::default()
    };
    assert_eq!(
        fetch_most(conn, "a", NOW, 100, &global).await.len(),
        2,
        "seven are executing"
    );
    assert!(fetch_most(conn, "a", NOW, 100, &global).await.is_empty());

    let rate = Limits {
        rate: Some(Rate { jobs: 4, seconds: 2 }),
        ..Limits::default()
    };
    assert_eq!(fetch_most(conn, "a", NOW, 3, &rate).await.len(), 3);
    assert_eq!(fetch_most(conn, "b", NOW, 3, &rate).await.len(), 1);
    assert!(fetch_most(conn, "a", NOW, 3, &rate).await.is_empty());
    assert_eq!(
        fetch_most(conn, "a", later(1), 100, &rate).await.len(),
        2,
        "one each half second"
    );
}

#[tokio::test]
async fn a_job_waits_for_others_and_is_given_up_with_them() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let workflow = uuid::Uuid::from_u128(7);
    let waiting = |number, needs: &[i64]| NewJob {
        workflow: Some(workflow),
        needs: needs.to_vec(),
        ..job(number)
    };
    let first = insert(conn, &waiting(1, &[])).await;
    let second = insert(conn, &waiting(2, &[])).await;
    let last = insert(conn, &waiting(3, &[first, second])).await;
    let after = insert(conn, &waiting(4, &[last])).await;
    let held = fetch(conn, "a", NOW).await;
    assert_eq!(held.iter().map(|f| f.id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(
        jobs::run_now(conn, &[last], NOW).await.unwrap(),
        0,
        "it goes on waiting"
    );

    let done = jobs::complete(conn, &[(first, held[0].lease)], later(1)).await.unwrap();
    assert_eq!((done.ids, done.freed), (vec![first], false));
    assert!(jobs::stage(conn, later(1)).await.unwrap().is_empty());
    jobs::progress(conn, (second, held[1].lease), 1, Some(2), None)
        .await
        .unwrap();
    let overall = jobs::overall(conn, workflow).await.unwrap();
    assert_eq!((overall.jobs, overall.completed, overall.failed), (4, 1, 0));
    assert!((overall.progress - 1.5 / 4.0).abs() < 1e-9, "{overall:?}");

    let done = jobs::complete(conn, &[(second, held[1].lease)], later(1))
        .await
        .unwrap();
    assert!(done.freed);
    assert_eq!(jobs::stage(conn, later(1)).await.unwrap(), ["default"]);
    let held = fetch(conn, "a", later(1)).await;
    assert_eq!(held.iter().map(|f| f.id).collect::<Vec<_>>(), [last]);
    let no = Outcome::Discard { error: "no".into() };
    jobs::finish(conn, (last, held[0].lease), &no, later(2)).await.unwrap();
    let row = jobs::get(conn, after).await.unwrap().unwrap();
    assert_eq!(row.state, State::Cancelled);
    assert!(row.message.unwrap().contains(&last.to_string()), "it says why");

    // When somebody tries both again, they come in their order.
    assert_eq!(jobs::retry(conn, &[last, after], later(3)).await.unwrap(), 2);
    let held = fetch(conn, "a", later(3)).await;
    assert_eq!(held.iter().map(|f| f.id).collect::<Vec<_>>(), [last]);
    assert!(
        jobs::complete(conn, &[(last, held[0].lease)], later(3))
            .await
            .unwrap()
            .freed
    );
    jobs::stage(conn, later(3)).await.unwrap();
    assert_eq!(fetch(conn, "a", later(3)).await[0].id, after);
}

#[tokio::test]
async fn what_is_handed_back_was_not_attempted() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let id = insert(conn, &job(1)).await;
    let held = fetch(conn, "a", NOW).await.remove(0);
    assert_eq!(jobs::hand_back(conn, &[(id, held.lease)]).await.unwrap(), 1);
    assert_eq!(jobs::hand_back(conn, &[(id, held.lease)]).await.unwrap(), 0);
    let again = fetch(conn, "b", NOW).await.remove(0);
    assert_eq!((again.id, again.attempt), (id, 1));
    let both = [(id, held.lease), (id, again.lease)];
    let beats = jobs::beat(conn, &both, later(10)).await.unwrap();
    assert_eq!(beats.iter().map(|beat| beat.lease).collect::<Vec<_>>(), [again.lease]);
}

#[tokio::test]
async fn tallies_say_what_counting_says() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let many: Vec<_> = (0..50).map(job).collect();
    let inserted = jobs::insert_many(conn, &many).await.unwrap();
    let ids: Vec<i64> = inserted.iter().map(|i| i.id()).collect();
    assert!(ids.is_sorted(), "in their order");
    let held = fetch_most(conn, "a", NOW, 20, &Limits::default()).await;
    let leases: Vec<_> = held.iter().map(|f| (f.id, f.lease)).collect();
    jobs::complete(conn, &leases[..10], later(1)).await.unwrap();
    jobs::beat(conn, &leases[10..], later(30)).await.unwrap();
    jobs::finish(conn, leases[10], &retry(60), later(1)).await.unwrap();
    jobs::cancel(conn, &ids[40..], later(1)).await.unwrap();
    assert_eq!(jobs::delete(conn, &ids[..15]).await.unwrap(), 10, "only what has ended");
    let expected = BTreeMap::from([("available", 20), ("cancelled", 10), ("executing", 9), ("retryable", 1)]);
    assert_eq!(jobs::counts(conn, "default").await.unwrap(), expected);
    let listed = jobs::list(conn, &Which::default(), 100).await.unwrap();
    assert_eq!(listed.len(), 40);
    let now = Micros(chrono::Utc::now().timestamp_micros());
    assert!(jobs::compact(conn, now).await.unwrap() > 0);
    assert_eq!(jobs::counts(conn, "default").await.unwrap(), expected);
    // Long after, only the sums are left.
    jobs::compact(conn, Micros(now.0 + 86_400 * 1_000_000)).await.unwrap();
    assert_eq!(jobs::counts(conn, "default").await.unwrap(), expected);
}
