//! What a point takes in Silver, before and after compression.

use anyhow::{Context as _, ensure};
use dash_metrics::Engine;

use crate::{
    context::Context,
    data::{
        points::{Shape, Walk},
        postgres::{Database, Postgres},
    },
    row::{Better, Durability, Goal, Row},
};

const POINTS: usize = 2_000_000;
const CALL: usize = 500_000;

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let postgres = Postgres::start(ctx, "silver-size").await?;
    let plain = postgres.database("size_plain", Engine::Plain).await?;
    let plain = plain.context("there is no plain PostgreSQL")?;
    let mut rows = Vec::new();
    for (number, (what, jitter)) in [("clocks that tremble by 40 ms", 40_000), ("exact clocks", 0)]
        .into_iter()
        .enumerate()
    {
        ctx.say(what);
        let shape = Shape {
            devices: 250,
            metrics: &["temperature", "humidity", "pressure", "battery"],
            start: 1_790_000_000_000_000,
            every: 60_000_000,
            jitter,
            sites: 10,
        };
        load(&plain, shape).await?;
        let heap = bytes_of(
            &plain,
            "SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent = 'metrics'::regclass",
        )
        .await? as f64
            / POINTS as f64;
        plain.empty().await?;
        let about = format!(
            "{POINTS} points of {} series, one a minute for a day and more, {what}; values wander by tenths; the event of each point is stored with it",
            shape.series()
        );
        let name = format!("size_timescale_{number}");
        let Some(timescale) = postgres.database(&name, Engine::Auto).await? else {
            rows.push(row(
                format!("bytes a point on plain PostgreSQL, {what}"),
                "bytes",
                Better::Lower,
                heap,
                None,
                vec![about, "TimescaleDB is not installed: no compression is measured".into()],
            ));
            continue;
        };
        load(&timescale, shape).await?;
        timescale
            .run("SELECT compress_chunk(c) FROM show_chunks('metrics') c")
            .await?;
        let client = timescale.db.client().await?;
        let sizes = client
            .query_one(
                "SELECT before_compression_total_bytes, after_compression_total_bytes
                FROM hypertable_compression_stats('metrics')",
                &[],
            )
            .await?;
        let (before, after): (i64, i64) = (sizes.get(0), sizes.get(1));
        ensure!(after > 0, "no chunk was compressed");
        let (points, _) = timescale.sum().await?;
        ensure!(
            points == POINTS as i64,
            "{points} of {POINTS} points are there after compression"
        );
        rows.push(row(
            format!("share of bytes that compression saves, {what}"),
            "saved",
            Better::Higher,
            1.0 - after as f64 / before as f64,
            Some(Goal::Figure(0.95)),
            vec![
                about,
                format!(
                    "bytes a point: {:.1} uncompressed, {:.2} compressed, {heap:.1} on plain PostgreSQL, its index included in each",
                    before as f64 / POINTS as f64,
                    after as f64 / POINTS as f64
                ),
            ],
        ));
    }
    Ok(rows)
}

async fn load(database: &Database, shape: Shape) -> anyhow::Result<()> {
    let mut walk = Walk::new(shape);
    for _ in 0..POINTS / CALL {
        database.silver.write(walk.sets(database, CALL)).await?;
    }
    let (points, _) = database.sum().await?;
    ensure!(points == POINTS as i64, "{points} of {POINTS} points were written");
    Ok(())
}

async fn bytes_of(database: &Database, sql: &str) -> anyhow::Result<i64> {
    Ok(database.db.client().await?.query_one(sql, &[]).await?.get(0))
}

fn row(what: String, unit: &'static str, better: Better, figure: f64, goal: Option<Goal>, notes: Vec<String>) -> Row {
    Row {
        row: "silver-size",
        what,
        unit,
        better,
        durability: Durability::D2,
        runs: vec![figure],
        reference: None,
        goal,
        notes,
        left_out: vec!["rollups and the dictionary of series; the same data in every run, so one is enough".into()],
    }
}
