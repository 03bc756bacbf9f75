//! Points into Silver, beside `psql \copy` of the very same rows into the very same table.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use dash_metrics::{Engine, Silver, WriteSet};

use crate::{
    context::Context,
    data::{
        cpu::Pinned,
        points::{Shape, Walk},
        postgres::{Database, Postgres},
    },
    row::{Better, Durability, Goal, Reference, Row, median},
};

const POINTS: usize = 500_000;
const SERIES: [usize; 2] = [100, 1_000];
/// Sets of 50,000 points in one transaction, about as many as the server writes at once.
const AS_THE_SERVER: usize = 2;
const DIRECT: &str = "timescaledb.enable_direct_compress_copy";

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let dir = ctx.scratch("silver-load")?;
    let postgres = Postgres::start(ctx, "silver-load-db").await?;
    let mut rows = Vec::new();
    for (name, title, engine) in [
        ("load_plain", "plain PostgreSQL", Engine::Plain),
        ("load_timescale", "TimescaleDB", Engine::Auto),
    ] {
        let Some(database) = postgres.database(name, engine).await? else {
            ctx.say("TimescaleDB is not installed: plain PostgreSQL alone is measured");
            continue;
        };
        let direct = direct(&database, name).await?;
        for series in SERIES {
            ctx.say(&format!("{title}, {series} series"));
            let load = Load {
                database: &database,
                direct: direct.as_ref(),
                file: &dir.path().join(format!("{name}-{series}.copy")),
            };
            rows.extend(load.rows(ctx, title, series).await?);
        }
    }
    Ok(rows)
}

/// Silver on connections that have direct compression, where the server knows of it.
async fn direct(database: &Database, name: &str) -> anyhow::Result<Option<Silver>> {
    let known = database
        .db
        .client()
        .await?
        .query_opt("SELECT FROM pg_settings WHERE name = $1", &[&DIRECT])
        .await?;
    if known.is_none() {
        return Ok(None);
    }
    database
        .run(&format!("ALTER DATABASE {name} SET {DIRECT} = on"))
        .await?;
    let silver = database.again().await?;
    database.run(&format!("ALTER DATABASE {name} RESET {DIRECT}")).await?;
    Ok(Some(silver))
}

struct Load<'a> {
    database: &'a Database,
    direct: Option<&'a Silver>,
    /// The rows in the format of COPY.
    file: &'a Path,
}

/// Rows a second of each way.
#[derive(Default)]
struct Runs {
    silver: Vec<f64>,
    parts: Vec<f64>,
    psql: Vec<f64>,
    silver_direct: Vec<f64>,
    psql_direct: Vec<f64>,
    /// Bytes a point, indexes included: as it is written, and written with direct compression.
    bytes: f64,
    bytes_direct: f64,
}

impl Load<'_> {
    async fn rows(&self, ctx: &Context, title: &str, series: usize) -> anyhow::Result<Vec<Row>> {
        let shape = Shape {
            devices: series / 2,
            metrics: &["temperature", "humidity"],
            start: 1_790_000_000_000_000,
            every: 10_000_000,
            jitter: 40_000,
            sites: 10,
        };
        let sets = Walk::new(shape).sets(self.database, POINTS);
        let points: usize = sets.iter().map(|set| set.points.len()).sum();
        self.database.empty().await?;
        self.database.silver.write(sets.clone()).await?;
        let expected = self.database.sum().await?;
        ensure!(
            expected.0 == points as i64,
            "{} of {points} points were written",
            expected.0
        );
        let file = self.file.display();
        self.database.psql(&[&format!(
            "\\copy (SELECT time, series_id, value, event FROM metrics ORDER BY event, series_id) TO '{file}' WITH (FORMAT binary)"
        )])?;

        let mut runs = Runs::default();
        let rate = |took: Duration| points as f64 / took.as_secs_f64();
        for _ in 0..ctx.runs {
            let one = sets.len();
            runs.silver
                .push(rate(self.silver(&self.database.silver, &sets, one, expected).await?));
            runs.psql.push(rate(self.psql(&[], expected).await?));
            let took = self
                .silver(&self.database.silver, &sets, AS_THE_SERVER, expected)
                .await?;
            runs.parts.push(rate(took));
            if let Some(direct) = self.direct {
                runs.bytes = self.bytes(points).await?;
                runs.silver_direct
                    .push(rate(self.silver(direct, &sets, one, expected).await?));
                runs.bytes_direct = self.bytes(points).await?;
                let set = format!("SET {DIRECT} = on");
                runs.psql_direct.push(rate(self.psql(&[&set], expected).await?));
            }
        }
        self.database.empty().await?;
        Ok(self.table(title, series, points, runs))
    }

    /// How long Silver takes for these sets, so many in each transaction.
    async fn silver(
        &self,
        silver: &Silver,
        sets: &[WriteSet],
        each: usize,
        expected: (i64, f64),
    ) -> anyhow::Result<Duration> {
        self.database.empty().await?;
        let calls: Vec<Vec<WriteSet>> = sets.chunks(each).map(<[_]>::to_vec).collect();
        let took = {
            let _core = Pinned::load()?;
            let begun = Instant::now();
            for call in calls {
                silver.write(call).await?;
            }
            begun.elapsed()
        };
        self.check("Silver", expected).await?;
        Ok(took)
    }

    /// How long `psql` takes, from its start to its end.
    async fn psql(&self, before: &[&str], expected: (i64, f64)) -> anyhow::Result<Duration> {
        self.database.empty().await?;
        let copy = format!("\\copy metrics FROM '{}' WITH (FORMAT binary)", self.file.display());
        let took = {
            let _core = Pinned::load()?;
            self.database.psql(&[before, &[&copy]].concat())?
        };
        self.check("psql", expected).await?;
        Ok(took)
    }

    /// What a point takes in TimescaleDB.
    async fn bytes(&self, points: usize) -> anyhow::Result<f64> {
        let client = self.database.db.client().await?;
        let size: i64 = client.query_one("SELECT hypertable_size('metrics')", &[]).await?.get(0);
        Ok(size as f64 / points as f64)
    }

    async fn check(&self, who: &str, expected: (i64, f64)) -> anyhow::Result<()> {
        let (points, sum) = self.database.sum().await?;
        // The order of addition differs.
        let close = (sum - expected.1).abs() <= 1e-9 * expected.1.abs();
        ensure!(
            points == expected.0 && close,
            "{who} wrote {points} points of sum {sum}; {} of {} were given",
            expected.0,
            expected.1
        );
        Ok(())
    }

    fn table(&self, title: &str, series: usize, points: usize, runs: Runs) -> Vec<Row> {
        let psql = |runs: &[f64]| Reference {
            what: "psql \\copy of the same rows from a binary file into the same table, one transaction".into(),
            durability: Durability::D2,
            runs: runs.to_vec(),
        };
        let note = format!(
            "{points} points, all series at one time and then at the next; fresh partitions or chunks; index (series_id, time) in place; fsync on; PostgreSQL on one core, who loads on another"
        );
        let text = |figures: &[f64]| format!("{:.0}", median(figures).unwrap_or(0.0));
        let row = |what: String, runs, reference, goal, notes| {
            Row {
            row: "silver-load",
            what,
            unit: "points/s",
            better: Better::Higher,
            durability: Durability::D2,
            runs,
            reference: Some(reference),
            goal: Some(Goal::Ratio(goal)),
            notes,
            left_out: vec!["rollups, which are brought up to date later; the ledger, dirty hours and totals are in Silver's figure, not in psql's".into()],
        }
        };
        let mut rows = vec![row(
            format!("Silver::write, {series} series, {title}"),
            runs.silver,
            psql(&runs.psql),
            0.8,
            vec![
                note.clone(),
                format!(
                    "in transactions of 100,000 points, as the server writes under load: {} points/s",
                    text(&runs.parts)
                ),
            ],
        )];
        if self.direct.is_some() {
            rows.push(row(
                format!("Silver::write, {series} series, {title}, direct compression"),
                runs.silver_direct,
                psql(&runs.psql),
                3.0,
                vec![
                    note,
                    format!(
                        "{DIRECT} set on its connections, which Dash does not do by itself; psql with the same setting: {} points/s; a point takes {:.1} bytes instead of {:.1}",
                        text(&runs.psql_direct),
                        runs.bytes_direct,
                        runs.bytes
                    ),
                ],
            ));
        }
        rows
    }
}
