//! `GET /api/v1/query` over a day of events.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use dash_model::{pipeline::CreatedPipeline, query::QueryResult};

use crate::{
    client::Connection,
    drive::Measured,
    events,
    rows::Bench,
    table::{Figures, Reference, Row, number},
};

const DEVICES: u64 = 10;
/// Between two events, in milliseconds: each device has one every ten seconds.
const EVERY: i64 = 1_000;
const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;
const EVENTS: u64 = (DAY / EVERY) as u64;
const BATCH: u64 = 1_000;
/// Hours that are written to are rolled up when they were not for a while.
const PATIENCE: Duration = Duration::from_secs(180);

impl Bench {
    pub(super) async fn query(&self) -> anyhow::Result<Vec<Row>> {
        let to = server::clock::now().millis();
        let pipeline = self.rig.pipeline("query").await?;
        let bodies: Vec<String> = (0..EVENTS.div_ceil(BATCH))
            .map(|i| {
                let places = i * BATCH..((i + 1) * BATCH).min(EVENTS);
                events::lines(places, DEVICES, |place| to - DAY + place.cast_signed() * EVERY)
            })
            .collect();
        let mut connection = Connection::open(self.rig.address).await?;
        for request in &self.load(&pipeline, "application/x-ndjson", &bodies, 1).requests {
            let answer = connection.send(request).await?;
            ensure!(answer.status == 202, "{} {}", answer.status, answer.text());
        }
        self.rig.drained(&pipeline).await?;
        self.rig.check(&pipeline, EVENTS).await?;

        let path = |from: i64, rest: &str| {
            format!("/api/v1/query?pipeline=query&metric=temperature&from={from}&to={to}{rest}")
        };
        let counted = self
            .ask(&mut connection, &pipeline, &path(to - DAY, "&by=device&agg=count"))
            .await?
            .0;
        let count: f64 = counted.series.iter().flat_map(|s| &s.points).map(|p| p.1).sum();
        ensure!(
            count == EVENTS as f64 && counted.series.len() as u64 == DEVICES,
            "{count} of {EVENTS} events are in {} lines",
            counted.series.len()
        );

        let target = self.rig.target(&pipeline);
        let health = self.requests(vec![target.get("/healthz")], 1, 200);
        let mut health = health.closed(&self.senders, self.briefly()).await?;
        let health = times(&mut health);
        let mut rows = Vec::new();
        let hour = path(to - HOUR, "");
        let day = path(to - DAY, "&by=device");
        for (name, path) in [("query: one line, 1 h", &hour), ("query: by device, 24 h", &day)] {
            rows.push(self.queried(name, &mut connection, &pipeline, path, &health).await?);
        }
        self.rolled_up().await?;
        let name = "query: 24 h, rolled up";
        rows.push(self.queried(name, &mut connection, &pipeline, &day, &health).await?);
        Ok(rows)
    }

    /// The same question again and again.
    async fn queried(
        &self,
        name: &str,
        connection: &mut Connection,
        pipeline: &CreatedPipeline,
        path: &str,
        health: &Figures,
    ) -> anyhow::Result<Row> {
        let load = self.requests(vec![self.rig.target(pipeline).get(path)], 1, 200);
        load.closed(&self.senders, self.options.warmup).await?;
        let mut measured = load.closed(&self.senders, self.options.seconds).await?;
        let (result, bytes) = self.ask(connection, pipeline, path).await?;
        let points: usize = result.series.iter().map(|s| s.points.len()).sum();
        let asked = measured.answered as f64 / measured.elapsed.as_secs_f64();
        Ok(Row {
            name: name.to_owned(),
            durability: "",
            figures: times(&mut measured),
            reference: Some(Reference {
                what: "GET /healthz in the same way: the price of HTTP alone".into(),
                figures: health.clone(),
            }),
            notes: vec![format!(
                "{} answers a second on one connection, warm; {points} points, lines: {}, {bytes} bytes; buckets of {} s, coarsest source {}, {} events in all",
                number(Some(asked), 0),
                result.series.len(),
                result.resolution.bucket_ms / 1_000,
                result.resolution.from.label(),
                number(Some(EVENTS as f64), 0),
            )],
        })
    }

    /// Waits until rollups have what was written: it is left alone for a while before.
    async fn rolled_up(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let done = self.rig.state().silver.rollup().await?;
            ensure!(done.failed == 0, "hours that cannot be rolled up: {}", done.failed);
            if done.hot == 0 && done.hours == 0 && !done.busy {
                return Ok(());
            }
            ensure!(begun.elapsed() < PATIENCE, "never rolled up: {done:?}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// The answer and its size.
    async fn ask(
        &self,
        connection: &mut Connection,
        pipeline: &CreatedPipeline,
        path: &str,
    ) -> anyhow::Result<(QueryResult, usize)> {
        let answer = connection.send(&self.rig.target(pipeline).get(path)).await?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text());
        let result = serde_json::from_slice(answer.body).context("an answer that is no QueryResult")?;
        Ok((result, answer.body.len()))
    }
}

fn times(measured: &mut Measured) -> Figures {
    Figures {
        p50_ms: measured.latencies.quantile(0.5),
        p99_ms: measured.latencies.quantile(0.99),
        ..Figures::default()
    }
}
