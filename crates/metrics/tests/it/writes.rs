//! Exactly once, all or nothing, and every event accounted for.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use dash_metrics::{AnsweredKey, Covered, Engine, Silver, SilverOptions, WriteError, WriteSet};
use dash_model::{
    EventSeq, Micros,
    mapping::FieldReason,
    point::Quarantined,
    receipt::{Receipt, Rejection},
};

use crate::support::{Random, World, options, series, world, worlds, worlds_with};

const T: i64 = 1_700_000_000_000_000;

fn some(world: &World, first: i64, n: i64) -> WriteSet {
    let points: Vec<_> = (0..n)
        .map(|i| {
            (
                T + i * 1_000_000,
                series("v", &[("d", &format!("{}", i % 7))]),
                i as f64,
            )
        })
        .collect();
    world.set_of(first, &points)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_is_refused_and_changes_nothing() {
    for w in worlds().await {
        let set = some(&w, 100, 50);
        assert_eq!(w.silver.write(vec![set.clone()]).await.unwrap().points, 50);
        // The same, its beginning, its end, its middle, and more than it.
        for (first, n) in [(100, 50), (90, 11), (149, 5), (120, 3), (50, 200)] {
            let again = w.silver.write(vec![some(&w, first, n)]).await;
            assert!(
                matches!(again, Err(WriteError::AlreadyWritten { ref sets }) if *sets == [0]),
                "{first} {n} {again:?}"
            );
        }
        // Its neighbours are not it.
        w.silver.write(vec![some(&w, 90, 10), some(&w, 150, 10)]).await.unwrap();
        assert_eq!(w.count("SELECT count(*) FROM metrics").await, 70);
        assert_eq!(w.count("SELECT points FROM totals").await, 70);
        assert_eq!(w.count("SELECT sum(points)::bigint FROM ledger").await, 70);
        let done = w.silver.covered(EventSeq(0), EventSeq(1_000)).await.unwrap();
        assert_eq!(
            done,
            vec![Covered {
                version: w.version,
                first: EventSeq(90),
                last: EventSeq(159)
            }]
        );
        assert_eq!(w.silver.covered(EventSeq(160), EventSeq(1_000)).await.unwrap(), vec![]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_the_same_events_one_succeeds() {
    for w in worlds().await {
        let mut set = some(&w, 1, 200);
        set.events += 1;
        set.last_event = EventSeq(201);
        set.quarantined.push(quarantined(201));
        let sets: Arc<[WriteSet]> = vec![set].into();
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let (silver, sets) = (w.silver.clone(), sets.clone());
                tokio::spawn(async move { silver.write(sets).await })
            })
            .collect();
        let mut succeeded = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => succeeded += 1,
                Err(WriteError::AlreadyWritten { sets }) => assert_eq!(sets, [0]),
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(succeeded, 1);
        assert_eq!(w.count("SELECT count(*) FROM metrics").await, 200);
        assert_eq!(w.count("SELECT count(*) FROM quarantine").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_leaves_nothing_behind() {
    for w in worlds().await {
        w.silver.write(vec![some(&w, 1, 10)]).await.unwrap();
        w.silver.rollup().await.unwrap();
        let mut good = some(&w, 100, 50);
        good.answered.push(answered("k"));
        good.quarantined.push(quarantined(149));
        good.mapped -= 1;
        let failed = w.silver.write(vec![good.clone(), some(&w, 10, 3)]).await;
        assert!(
            matches!(failed, Err(WriteError::AlreadyWritten { ref sets }) if *sets == [1]),
            "{failed:?}"
        );
        for (table, rows) in [
            ("metrics", 10),
            ("ledger", 1),
            ("quarantine", 0),
            ("idempotency_keys", 0),
            ("rollup_invalidations", 0),
        ] {
            assert_eq!(w.count(&format!("SELECT count(*) FROM {table}")).await, rows, "{table}");
        }
        assert_eq!(w.count("SELECT events FROM totals").await, 10);
        w.silver.write(vec![good]).await.unwrap();
        assert_eq!(w.count("SELECT events FROM totals").await, 60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_goes_on_when_its_caller_is_gone() {
    let w = world(options()).await;
    let set = some(&w, 1, 1_000);
    let dropped = tokio::time::timeout(Duration::from_micros(1), w.silver.write(vec![set])).await;
    assert!(dropped.is_err(), "the caller left before the end");
    for _ in 0..500 {
        if w.count("SELECT count(*) FROM metrics").await == 1_000 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the write did not come to its end");
}

fn quarantined(event: i64) -> Quarantined {
    Quarantined {
        event: EventSeq(event),
        received_at: Micros(T),
        raw: Bytes::from_static(b"{\"a\":\0"),
        reasons: vec![FieldReason {
            field: "a".into(),
            reason: "found \0, a number is expected".into(),
        }],
    }
}

fn answered(key: &str) -> AnsweredKey {
    let rejected = vec![Rejection {
        index: 3,
        reason: "a \0 in it".into(),
    }];
    let receipt = Receipt {
        batch: EventSeq(1),
        accepted: 2,
        rejected,
        rejected_total: 1,
    };
    AnsweredKey {
        key: key.into(),
        body_hash: [7; 32],
        receipt,
        at: Micros(T),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_count_is_kept() {
    for w in worlds().await {
        let mut set = some(&w, 1, 5);
        set.events = 9;
        set.last_event = EventSeq(9);
        set.batches = 2;
        set.rejected = 3;
        set.filtered = 2;
        set.quarantined = vec![quarantined(6), quarantined(7)];
        set.answered = vec![answered("k1"), answered("k2"), answered("k1")];
        let written = w.silver.write(vec![set.clone()]).await.unwrap();
        assert_eq!(
            (written.points, written.quarantined, written.over_series_limit),
            (5, 2, 0)
        );
        let more = some(&w, 10, 4);
        w.silver.write(vec![more, some(&w, 14, 1)]).await.unwrap();

        let client = w.db.client().await.unwrap();
        let sql = "SELECT batches, events, rejected, mapped, filtered, quarantined, points FROM totals";
        let totals = client.query_one(sql, &[]).await.unwrap();
        let totals: Vec<i64> = (0..7).map(|i| totals.get(i)).collect();
        assert_eq!(totals, [4, 14, 3, 10, 2, 2, 10]);
        let sql = "SELECT sum(batches), sum(events), sum(rejected), sum(mapped), sum(filtered), sum(quarantined), sum(points) FROM ledger";
        let ledger = client.query_one(sql, &[]).await.unwrap();
        let ledger: Vec<i64> = (0..7).map(|i| ledger.get(i)).collect();
        assert_eq!(ledger, totals);

        let row = client.query_one("SELECT raw, reasons, received_at = 'epoch'::timestamptz + $1::float8 * interval '1 microsecond' FROM quarantine WHERE event = 6", &[&(T as f64)]).await.unwrap();
        assert_eq!(row.get::<_, Vec<u8>>(0), b"{\"a\":\0");
        assert_eq!(row.get::<_, serde_json::Value>(1)[0]["field"], "a");
        assert!(row.get::<_, bool>(2), "the received time");
        assert_eq!(w.count("SELECT count(*) FROM idempotency_keys").await, 2);
        let receipt: serde_json::Value = client
            .query_one("SELECT receipt FROM idempotency_keys WHERE key = 'k1'", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(receipt["accepted"], 2);

        // And the points themselves.
        let sql = "SELECT (extract(epoch FROM m.time) * 1000000)::bigint, s.tags ->> 'd', m.value, m.event
            FROM metrics m JOIN series s ON s.id = m.series_id WHERE m.event < 9 ORDER BY m.event";
        let rows = client.query(sql, &[]).await.unwrap();
        let found: Vec<(i64, String, f64, i64)> =
            rows.iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect();
        let expected: Vec<_> = (0..5)
            .map(|i| (T + i * 1_000_000, format!("{}", i % 7), i as f64, i + 1))
            .collect();
        assert_eq!(found, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_that_contradicts_itself_is_refused() {
    let w = world(options()).await;
    let set = some(&w, 1, 5);
    let wrong: [fn(&mut WriteSet); 5] = [
        |s| s.mapped = 4,
        |s| s.points.value.truncate(3),
        |s| s.series.truncate(2),
        |s| s.last_event = EventSeq(0),
        |s| s.points.time[0] = Micros(i64::MAX),
    ];
    for spoil in wrong {
        let mut set = set.clone();
        spoil(&mut set);
        assert!(matches!(
            w.silver.write(vec![set]).await,
            Err(WriteError::Invalid { set: 0, .. })
        ));
    }
    let overlap = w.silver.write(vec![some(&w, 1, 5), some(&w, 5, 5)]).await;
    assert!(matches!(overlap, Err(WriteError::Invalid { .. })));
    assert_eq!(w.silver.write(vec![]).await.unwrap().points, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_need_too_many_series_wait_in_quarantine() {
    for w in worlds_with(SilverOptions {
        max_series: 3,
        ..options()
    })
    .await
    {
        let points: Vec<_> = (0..10)
            .map(|i| (T, series("v", &[("d", &format!("{}", i % 5))]), 1.0))
            .collect();
        let mut set = w.set_of(1, &points);
        // Event 4 has a second point, of a series that fits: it must wait as well.
        set.points.time.push(Micros(T));
        set.points.series.push(0);
        set.points.value.push(9.0);
        set.points.event.push(EventSeq(4));
        set.records = Some(Arc::new(|e: EventSeq| {
            Some((Micros(T), Bytes::from(format!("event {e}"))))
        }));
        let written = w.silver.write(vec![set]).await.unwrap();
        assert_eq!(
            (written.points, written.quarantined, written.over_series_limit),
            (6, 4, 4)
        );
        let rows =
            w.db.client()
                .await
                .unwrap()
                .query(
                    "SELECT event, raw, reasons #>> '{0,reason}' FROM quarantine ORDER BY 1",
                    &[],
                )
                .await
                .unwrap();
        let events: Vec<i64> = rows.iter().map(|r| r.get(0)).collect();
        assert_eq!(events, [4, 5, 9, 10]);
        assert_eq!(rows[0].get::<_, Vec<u8>>(1), b"event 4");
        assert!(rows[0].get::<_, String>(2).contains("already has 3"));
        assert_eq!(w.count("SELECT mapped FROM totals").await, 6);
        assert_eq!(w.count("SELECT quarantined FROM totals").await, 4);
        assert_eq!(w.silver.stats(Some(w.version)).await.unwrap().series, 3);
        // Series that are there go on.
        w.silver.write(vec![w.set_of(100, &points[..3])]).await.unwrap();
        assert_eq!(w.count("SELECT count(*) FROM metrics").await, 9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_race_agree_on_the_numbers_of_series() {
    for w in worlds().await {
        // Each with a dictionary of its own, as two nodes have.
        let engine = if *w.silver.mode() == dash_metrics::Mode::Plain {
            Engine::Plain
        } else {
            Engine::Auto
        };
        let other = Silver::new(w.db.db().clone(), SilverOptions { engine, ..options() })
            .await
            .unwrap();
        let points = |seed: u64| -> Vec<_> {
            let mut random = Random(seed);
            (0..2_000)
                .map(|_| {
                    let d = random.below(500);
                    (T, series("v", &[("d", &format!("{d}"))]), d as f64)
                })
                .collect()
        };
        let tasks: Vec<_> = (0..6_u32)
            .map(|i| {
                let silver = if i % 2 == 0 { w.silver.clone() } else { other.clone() };
                let set = w.set_of(i64::from(i) * 10_000, &points(i.into()));
                tokio::spawn(async move { silver.write(vec![set]).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(w.count("SELECT count(*) FROM series").await, 500);
        assert_eq!(w.count("SELECT count(*) FROM metrics").await, 12_000);
        let wrong = "SELECT count(*) FROM metrics m LEFT JOIN series s ON s.id = m.series_id WHERE s.tags ->> 'd' IS DISTINCT FROM m.value::text";
        assert_eq!(w.count(wrong).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_postgresql_cannot_hold_do_not_stop_the_others() {
    for w in worlds().await {
        let long = "x".repeat(20_000);
        let points = [
            (T, series("v", &[("d", "a\0b")]), 1.0),
            (T, series("v", &[("d", &long)]), 2.0),
            (T, series("v", &[("d", "\u{1F600}\"\\")]), 3.0),
        ];
        w.silver.write(vec![w.set_of(1, &points)]).await.unwrap();
        w.silver.write(vec![w.set_of(10, &points)]).await.unwrap();
        assert_eq!(w.count("SELECT count(*) FROM series").await, 3);
        assert_eq!(w.count("SELECT count(*) FROM metrics").await, 6);
        assert_eq!(
            w.count("SELECT count(*) FROM series WHERE tags ->> 'd' = E'a\\uFFFDb'")
                .await,
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_of_any_year_are_kept() {
    for w in worlds().await {
        let years = [1601, 1969, 1970, 1999, 2024, 2100, 2101, 2262];
        let time = |year: i32| {
            chrono::NaiveDate::from_ymd_opt(year, 12, 31)
                .unwrap()
                .and_hms_opt(23, 59, 59)
                .unwrap()
                .and_utc()
                .timestamp_micros()
        };
        let points: Vec<_> = years
            .iter()
            .map(|y| (time(*y), series("v", &[]), f64::from(*y)))
            .collect();
        w.silver.write(vec![w.set_of(1, &points)]).await.unwrap();
        let wrong = "SELECT count(*) FROM metrics WHERE extract(year FROM time AT TIME ZONE 'UTC') <> value";
        assert_eq!(w.count(wrong).await, 0);
        assert_eq!(w.count("SELECT count(*) FROM metrics").await, 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_may_run_again_and_at_once() {
    for w in worlds().await {
        w.silver.write(vec![some(&w, 1, 5)]).await.unwrap();
        for _ in 0..2 {
            let (a, b) = tokio::join!(Silver::setup(w.db.db()), Silver::setup(w.db.db()));
            // What is there stays, also where TimescaleDB could be had.
            assert_eq!(
                (a.unwrap(), b.unwrap()),
                (w.silver.mode().clone(), w.silver.mode().clone())
            );
        }
        assert_eq!(w.count("SELECT count(*) FROM metrics").await, 5);
    }
    let fresh = dash_db::test_support::TestDatabase::new().await;
    let (a, b) = tokio::join!(Silver::setup(fresh.db()), Silver::setup(fresh.db()));
    assert_eq!(a.unwrap(), b.unwrap());
    let names: BTreeSet<String> = fresh
        .client()
        .await
        .unwrap()
        .query(
            "SELECT relname::text FROM pg_class WHERE relname ~ '^metrics(_1[mhd])?$'",
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|r| r.get(0))
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
}
