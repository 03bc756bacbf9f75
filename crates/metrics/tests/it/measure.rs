//! Figures, not checks: `cargo test -p dash-metrics --test it -- --ignored --nocapture measure`. Needs `psql`.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use dash_metrics::WriteSet;
use dash_model::{
    EventSeq, Micros,
    query::{Aggregation, QueryResult, Shape, TimeRange},
};
use secrecy::ExposeSecret;

use crate::{
    queries::{START, spec},
    support::{World, options, series, worlds_with},
};

/// Sets of 10,000 events, in the order of time: all series at one time, then at the next.
fn sets(w: &World, first: i64, n_series: i64, times: i64, step_us: i64) -> Vec<WriteSet> {
    let keys: Vec<_> = (0..n_series)
        .map(|d| series("v", &[("d", &format!("{d:04}"))]))
        .collect();
    let all: Vec<i64> = (0..n_series * times).collect();
    let chunks = all.chunks(10_000).map(|rows| {
        let mut set = w.set(first + rows[0], u32::try_from(rows.len()).unwrap());
        set.series.clone_from(&keys);
        for &row in rows {
            set.points.time.push(Micros(START + row / n_series * step_us));
            set.points.series.push(u32::try_from(row % n_series).unwrap());
            set.points.value.push((row % 997) as f64 / 7.0);
            set.points.event.push(EventSeq(first + row));
        }
        set
    });
    chunks.collect()
}

fn psql(w: &World, command: &str) -> Duration {
    let start = Instant::now();
    let done = Command::new("psql")
        .args(["-qX", "-d", w.db.url().expose_secret(), "-c", command])
        .status()
        .unwrap();
    assert!(done.success(), "{command}");
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; prints figures"]
async fn measure_writes() {
    for w in worlds_with(options()).await {
        for round in 0..3 {
            let n = 1_000_000;
            for (how, per_write) in [("one write", 100), ("a write per 10,000", 1)] {
                psql(&w, "TRUNCATE metrics, ledger, totals, rollup_invalidations");
                let sets = sets(&w, 0, 1_000, 1_000, 1_000_000);
                let calls: Vec<Vec<WriteSet>> = sets.chunks(per_write).map(<[_]>::to_vec).collect();
                let start = Instant::now();
                for call in calls {
                    w.silver.write(call).await.unwrap();
                }
                report(&w, round, how, n, start.elapsed());
            }
            let file = std::env::temp_dir().join(format!("dash_measure_{}.bin", std::process::id()));
            let file = file.display();
            psql(
                &w,
                &format!(
                    "\\copy (SELECT time, series_id, value, event FROM metrics ORDER BY event) TO '{file}' WITH (FORMAT binary)"
                ),
            );
            psql(&w, "TRUNCATE metrics");
            report(
                &w,
                round,
                "psql \\copy",
                n,
                psql(&w, &format!("\\copy metrics FROM '{file}' WITH (FORMAT binary)")),
            );
            std::fs::remove_file(file.to_string()).unwrap();
        }
    }
}

fn report(w: &World, round: i32, how: &str, n: i32, took: Duration) {
    eprintln!(
        "{:?} round {round}: {how}: {:.0} rows/s",
        w.silver.mode(),
        f64::from(n) / took.as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; prints figures"]
async fn measure_queries() {
    for w in worlds_with(options()).await {
        // 3 million points: 100 series, 30,000 points each, over 30 days.
        for (i, chunk) in sets(&w, 0, 100, 30_000, 86_400_000).chunks(50).enumerate() {
            w.silver.write(chunk.to_vec()).await.unwrap();
            if i == 3 {
                w.silver.rollup().await.unwrap();
            }
        }
        let start = Instant::now();
        let done = w.silver.rollup().await.unwrap();
        eprintln!(
            "{:?}: rollup of {} hours: {:?}",
            w.silver.mode(),
            done.hours,
            start.elapsed()
        );
        // The newest hour is being written to.
        let newest = START + 30_000 * 86_400_000;
        let mut late = sets(&w, 10_000_000, 100, 2, 1_000_000);
        late[0]
            .points
            .time
            .iter_mut()
            .for_each(|t| t.0 += newest - START - 10_000_000);
        w.silver.write(late).await.unwrap();
        psql(&w, "VACUUM ANALYZE");
        let hour = 3_600;
        for (what, agg, by, seconds, shape) in [
            (
                "5 minutes, 100 lines",
                Aggregation::Avg,
                &["d"][..],
                300,
                Shape::Series { width: 800 },
            ),
            (
                "1 hour, 100 lines",
                Aggregation::Avg,
                &["d"],
                hour,
                Shape::Series { width: 800 },
            ),
            (
                "1 day, 100 lines",
                Aggregation::Avg,
                &["d"],
                24 * hour,
                Shape::Series { width: 800 },
            ),
            (
                "1 day, one line of 100 series",
                Aggregation::Avg,
                &[],
                24 * hour,
                Shape::Series { width: 800 },
            ),
            (
                "1 day, last of each",
                Aggregation::Last,
                &["d"],
                24 * hour,
                Shape::Total,
            ),
            (
                "7 days, one line of 100 series",
                Aggregation::Sum,
                &[],
                168 * hour,
                Shape::Series { width: 800 },
            ),
            (
                "30 days, 100 lines",
                Aggregation::Max,
                &["d"],
                720 * hour,
                Shape::Series { width: 800 },
            ),
            ("30 days, one number", Aggregation::Avg, &[], 720 * hour, Shape::Total),
        ] {
            let spec = spec(agg, by, TimeRange::Last { seconds }, shape);
            let mut times = Vec::new();
            let mut last: Option<QueryResult> = None;
            for _ in 0..31 {
                let start = Instant::now();
                last = Some(w.silver.query(w.version, None, &spec, Micros(newest)).await.unwrap());
                times.push(start.elapsed());
            }
            times.sort();
            let last = last.unwrap();
            let points: usize = last.series.iter().map(|s| s.points.len()).sum();
            eprintln!(
                "{:?}: {what}: p50 {:.1} ms, max {:.1} ms, {points} points, {:?}",
                w.silver.mode(),
                times[15].as_secs_f64() * 1e3,
                times[30].as_secs_f64() * 1e3,
                last.resolution
            );
        }
    }
}
