//! A database as it is after some days of devices.

use std::time::Instant;

use anyhow::ensure;
use dash_metrics::Mode;
use dash_model::Micros;

use crate::{
    context::Context,
    data::{
        points::{Shape, Walk},
        postgres::Database,
    },
};

/// Points of a series.
const ROUNDS: usize = 100_000;
const EVERY: i64 = 10_000_000;
pub const METRICS: [&str; 2] = ["temperature", "humidity"];
pub const SITES: usize = 10;
/// Points of one transaction while it is loaded.
const CALL: usize = 1_000_000;
/// Rounds that come after the rollups: ten minutes, a transaction each.
const LATE: usize = 60;

pub struct Loaded {
    pub database: Database,
    pub points: usize,
    pub devices: usize,
    /// The moment at which everything is asked: right after the newest point.
    pub now: Micros,
}

impl Loaded {
    /// Writes so many points, up to this moment, and rolls up all but the newest.
    pub async fn new(ctx: &Context, database: Database, points: usize) -> anyhow::Result<Self> {
        let devices = points / ROUNDS / METRICS.len();
        let end = chrono::Utc::now().timestamp_micros() / EVERY * EVERY;
        let mut walk = Walk::new(Shape {
            devices,
            metrics: &METRICS,
            start: end - ROUNDS as i64 * EVERY,
            every: EVERY,
            jitter: 40_000,
            sites: SITES,
        });
        let begun = Instant::now();
        let late = LATE * devices * METRICS.len();
        // The index, made at once from everything, is the same; it takes a third of the time.
        database.run("DROP INDEX metrics_series_time").await?;
        let mut left = points - late;
        while left > 0 {
            let call = left.min(CALL);
            database.silver.write(walk.sets(&database, call)).await?;
            left -= call;
        }
        ctx.say(&format!(
            "{} points written after {:.0} s",
            points - late,
            begun.elapsed().as_secs_f64()
        ));
        database
            .run("CREATE INDEX metrics_series_time ON metrics (series_id, time)")
            .await?;
        database.run("VACUUM (ANALYZE) metrics, series").await?;
        ctx.say(&format!("indexed after {:.0} s", begun.elapsed().as_secs_f64()));
        loop {
            let done = database.silver.rollup().await?;
            ensure!(done.failed == 0, "{} hours cannot be rolled up", done.failed);
            if done.hours == 0 && done.hot == 0 && !done.busy {
                break;
            }
        }
        let rollups: &[&str] = match database.silver.mode() {
            Mode::Plain => &["VACUUM (ANALYZE) rollup_1m, rollup_1h, rollup_1d, rollup_invalidations"],
            // A statement cannot name what TimescaleDB made behind the views.
            Mode::Timescale { .. } => &["VACUUM (ANALYZE)"],
        };
        for sql in rollups {
            database.run(sql).await?;
        }
        for _ in 0..LATE {
            database.silver.write(walk.sets(&database, 1)).await?;
        }
        database.run("CHECKPOINT").await?;
        ctx.say(&format!("rolled up after {:.0} s", begun.elapsed().as_secs_f64()));
        let (written, _) = database.sum().await?;
        ensure!(written == points as i64, "{written} of {points} points are there");
        Ok(Self {
            database,
            points,
            devices,
            now: Micros(walk.now()),
        })
    }
}
