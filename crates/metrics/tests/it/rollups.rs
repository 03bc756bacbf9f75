//! Rollups equal the points at any moment, whatever was written and rolled up in whatever order.

use std::time::Duration;

use dash_metrics::{Mode, QueryError, SilverOptions};
use dash_model::{
    Micros,
    query::{Aggregation, Shape, TimeRange},
};

use crate::{
    queries::{START, ask, fill, spec},
    support::{Random, World, options, series, version, worlds, worlds_with},
};

/// Buckets of a view that differ from those of the points.
pub async fn differences(w: &World, view: &str, width: &str) -> i64 {
    let sql = format!(
        "WITH truth AS (
            SELECT date_bin('{width}', time, 'epoch'::timestamptz) AS bucket, series_id, count(*) AS n, sum(value) AS sum,
                min(value) AS min, max(value) AS max,
                (array_agg(value ORDER BY time, event DESC))[1] AS first,
                (array_agg(value ORDER BY time DESC, event DESC))[1] AS last
            FROM metrics GROUP BY 1, 2),
        seen AS (SELECT bucket, series_id, n, sum, min, max, first, last FROM {view})
        SELECT (SELECT count(*) FROM (SELECT * FROM truth EXCEPT ALL SELECT * FROM seen) a)
            + (SELECT count(*) FROM (SELECT * FROM seen EXCEPT ALL SELECT * FROM truth) b)"
    );
    w.count(&sql).await
}

pub const VIEWS: [(&str, &str); 3] = [
    ("metrics_1m", "1 minute"),
    ("metrics_1h", "1 hour"),
    ("metrics_1d", "1 day"),
];

pub async fn views_equal_the_points(w: &World, when: &str) {
    for (view, width) in VIEWS {
        assert_eq!(differences(w, view, width).await, 0, "{view} {when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_equal_the_points_whatever_the_order() {
    for w in worlds().await {
        let plain = *w.silver.mode() == Mode::Plain;
        for seed in 0..3 {
            let mut random = Random(seed);
            let mut points = Vec::new();
            for round in 0..8 {
                let first = i64::try_from(seed).unwrap() * 1_000_000 + round * 10_000;
                let more = match random.below(3) {
                    0 => {
                        // At once.
                        let silver = w.silver.clone();
                        let pass = tokio::spawn(async move { silver.rollup().await });
                        let more = fill(&w, &mut random, first, 300, 3).await;
                        pass.await.unwrap().unwrap();
                        more
                    }
                    1 => {
                        w.silver.rollup().await.unwrap();
                        fill(&w, &mut random, first, 300, 3).await
                    }
                    _ => fill(&w, &mut random, first, 300, 3).await,
                };
                points.extend(more);
                if seed == 0 {
                    ask(&w, &points, &mut random, 12, 3).await;
                }
                // TimescaleDB's own views lag behind late points until the next pass; Silver's answers do not.
                if plain {
                    views_equal_the_points(&w, &format!("seed {seed} round {round}")).await;
                }
            }
            w.silver.rollup().await.unwrap();
            assert_eq!(w.silver.stats(None).await.unwrap().pending_hours, 0);
            views_equal_the_points(&w, &format!("seed {seed} at the end")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_and_passes_at_once_lose_nothing() {
    for w in worlds().await {
        let writers: Vec<_> = (0..3_i64)
            .map(|writer| {
                let silver = w.silver.clone();
                let sets: Vec<_> = (0..15)
                    .map(|i| {
                        let mut random = Random(u64::try_from(writer * 100 + i).unwrap());
                        let points: Vec<_> = (0..40)
                            .map(|_| {
                                (
                                    START + random.range(0, 7_200_000_000),
                                    series("v", &[("d", &random.below(3).to_string())]),
                                    random.value(),
                                )
                            })
                            .collect();
                        w.set_of(writer * 1_000_000 + i * 1_000, &points)
                    })
                    .collect();
                tokio::spawn(async move {
                    for set in sets {
                        silver.write(vec![set]).await.unwrap();
                    }
                })
            })
            .collect();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let passes: Vec<_> = (0..2)
            .map(|_| {
                let (silver, stop) = (w.silver.clone(), stop.clone());
                tokio::spawn(async move {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        silver.rollup().await.unwrap();
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                })
            })
            .collect();
        // Meanwhile no answer ever goes back: the count of points only grows.
        let count = spec(
            Aggregation::Count,
            &[],
            TimeRange::Between {
                from_ms: START / 1_000,
                to_ms: START / 1_000 + 86_400_000,
            },
            Shape::Total,
        );
        let mut seen = 0.0;
        while writers.iter().any(|w| !w.is_finished()) {
            let result = w.silver.query(w.version, None, &count, Micros(0)).await.unwrap();
            let now = result.series.first().map_or(0.0, |s| s.points[0].1);
            assert!(now >= seen, "{now} after {seen}");
            seen = now;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for pass in passes {
            pass.await.unwrap();
        }
        w.silver.rollup().await.unwrap();
        views_equal_the_points(&w, "at the end").await;
        let result = w.silver.query(w.version, None, &count, Micros(0)).await.unwrap();
        assert_eq!(result.series[0].points[0].1, 1_800.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_that_are_written_to_wait() {
    for w in worlds_with(SilverOptions {
        hot: Duration::from_secs(3_000),
        ..options()
    })
    .await
    {
        for i in 0..5 {
            let set = w.set_of(i * 10, &[(START, series("v", &[]), 1.0)]);
            w.silver.write(vec![set]).await.unwrap();
        }
        let done = w.silver.rollup().await.unwrap();
        assert_eq!((done.hours, done.hot), (0, 1));
        assert_eq!(
            w.count("SELECT count(*) FROM rollup_invalidations").await,
            2,
            "the oldest and the newest tell enough"
        );
        // One that never cools is rolled up all the same, once an hour.
        w.db.client().await.unwrap().execute("UPDATE rollup_invalidations SET written_at = written_at - interval '61 minutes' WHERE id = (SELECT min(id) FROM rollup_invalidations)", &[]).await.unwrap();
        assert_eq!(w.silver.rollup().await.unwrap().hours, 1);
        views_equal_the_points(&w, "after the pass").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_do_not_mix() {
    for w in worlds().await {
        let other = version(&w.db, w.pipeline, 2).await;
        let points = [(START, series("v", &[]), 1.0)];
        w.silver.write(vec![w.set_of(1, &points)]).await.unwrap();
        w.silver.rollup().await.unwrap();
        let mut set = w.set_of(
            1,
            &[(START, series("v", &[]), 10.0), (START + 1, series("v", &[]), 20.0)],
        );
        set.version = other;
        w.silver.write(vec![set]).await.unwrap();
        for _ in 0..2 {
            for (version, sum) in [(w.version, 1.0), (other, 30.0)] {
                let spec = spec(Aggregation::Sum, &[], TimeRange::All, Shape::Total);
                let result = w.silver.query(version, None, &spec, Micros(0)).await.unwrap();
                assert_eq!(result.series[0].points[0].1, sum);
            }
            w.silver.rollup().await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_too_large_stops_neither_the_other_hours_nor_other_aggregations() {
    for w in worlds().await {
        let hour = 3_600_000_000;
        let points: Vec<_> = (0..6)
            .map(|i| {
                (
                    START + i * hour / 2,
                    series("v", &[]),
                    if i < 2 { 1.7e308 } else { 1.0 },
                )
            })
            .collect();
        w.silver.write(vec![w.set_of(1, &points)]).await.unwrap();
        let done = w.silver.rollup().await.unwrap();
        assert!(done.failed > 0, "{done:?}");
        let from_ms = START / 1_000;
        let range = TimeRange::Between {
            from_ms,
            to_ms: from_ms + 3 * 3_600_000,
        };
        let max = spec(Aggregation::Max, &[], range, Shape::Total);
        assert_eq!(
            w.silver.query(w.version, None, &max, Micros(0)).await.unwrap().series[0].points[0].1,
            1.7e308
        );
        let sum = spec(Aggregation::Sum, &[], range, Shape::Total);
        let error = w.silver.query(w.version, None, &sum, Micros(0)).await.unwrap_err();
        assert!(matches!(error, QueryError::Overflow { .. }), "{error}");
        let later = TimeRange::Between {
            from_ms: from_ms + 3_600_000,
            to_ms: from_ms + 3 * 3_600_000,
        };
        let sum = spec(Aggregation::Sum, &[], later, Shape::Total);
        assert_eq!(
            w.silver.query(w.version, None, &sum, Micros(0)).await.unwrap().series[0].points[0].1,
            4.0
        );
    }
}
