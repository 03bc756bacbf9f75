//! Events on their way in, and through.

use std::time::{Duration, Instant};

use dash_model::stats::PipelineStats;

use crate::{
    cpu::Cpu,
    drive::Measured,
    events,
    reference::{self, Synced},
    rows::Bench,
    table::{Figures, Reference, Row, number},
};

/// Bodies that differ, sent in turn: making new ones while sending would cost more than sending.
const BODIES: u64 = 64;
const SINGLE_BODIES: u64 = 4_096;
const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";
/// Senders of one event a request.
const SINGLE_CONNECTIONS: [usize; 2] = [64, 256];

/// A load that was applied to a pipeline of its own, and has gone all the way.
struct Applied {
    measured: Measured,
    /// From its first request until Silver and the lake had everything.
    silver: Duration,
    lake: Duration,
    /// Over all of that time.
    cpu: Option<Cpu>,
    stats: PipelineStats,
}

impl Bench {
    pub(super) async fn ingest_batches(&self) -> anyhow::Result<Vec<Row>> {
        let (batch, connections) = (u64::from(self.options.batch), self.options.connections as usize);
        let bodies = bodies(BODIES, batch);
        let size = mean(&bodies) / batch as f64;
        let mut applied = self.apply("ingest-batches", NDJSON, &bodies, connections, None).await?;
        let reference = self.bare(bodies, connections, batch).await?;
        let mut row = acknowledged("ingest-batches", &mut applied, size, Some(reference));
        let sent = format!("{connections} connections, {batch} events of {size:.0} bytes a request");
        row.notes.insert(0, sent);
        Ok(vec![row, through(&applied, size)])
    }

    pub(super) async fn ingest_single(&self) -> anyhow::Result<Vec<Row>> {
        let bodies = bodies(SINGLE_BODIES, 1);
        let mut rows = Vec::new();
        for connections in SINGLE_CONNECTIONS {
            let name = format!("ingest-single-{connections}");
            let mut applied = self.apply(&name, JSON, &bodies, connections, None).await?;
            let reference = self.bare(bodies.clone(), connections, 1).await?;
            let mut row = acknowledged(&name, &mut applied, mean(&bodies), Some(reference));
            row.notes
                .insert(0, format!("{connections} connections, one event a request"));
            rows.push(row);
        }
        Ok(rows)
    }

    pub(super) async fn open_loop(&self) -> anyhow::Result<Vec<Row>> {
        let (rate, connections) = (self.options.rate, 256);
        let bodies = bodies(SINGLE_BODIES, 1);
        let mut applied = self.apply("open-loop", JSON, &bodies, connections, Some(rate)).await?;
        let mut row = acknowledged("open-loop", &mut applied, mean(&bodies), None);
        let due = number(Some(rate.into()), 0);
        row.notes.insert(
            0,
            format!(
                "{due} requests a second were due, of one event each, on {connections} connections; latency from when a request was due"
            ),
        );
        // The last answer is always a little after the last request.
        if applied.measured.elapsed > self.options.seconds.mul_f64(1.1) {
            row.notes
                .push("the server did not keep up with the rate; latencies grew for as long as it was asked".into());
        }
        Ok(vec![row])
    }

    /// Warms up, applies the load (closed without a rate), waits until nothing is on its way, and compares the counts.
    async fn apply(
        &self,
        name: &str,
        content_type: &str,
        bodies: &[String],
        connections: usize,
        rate: Option<u32>,
    ) -> anyhow::Result<Applied> {
        let pipeline = self.rig.pipeline(name).await?;
        let load = self.load(&pipeline, content_type, bodies, connections);
        let once = async |duration| match rate {
            Some(rate) => load.open(&self.senders, duration, rate).await,
            None => load.closed(&self.senders, duration).await,
        };
        let warm = once(self.options.warmup).await?;
        self.rig.drained(&pipeline).await?;

        let (before, begun) = (Cpu::now(), Instant::now());
        let measured = once(self.options.seconds).await?;
        let drained = self.rig.drained(&pipeline).await?;
        let cpu = Cpu::now().zip(before).map(|(after, before)| after.since(before));
        let stats = self.rig.check(&pipeline, warm.events + measured.events).await?;
        Ok(Applied {
            measured,
            silver: drained.silver.duration_since(begun),
            lake: drained.bronze.duration_since(begun),
            cpu,
            stats,
        })
    }

    /// The same bodies, appended and flushed: as many at once as can wait at one time, which is the best that grouping can do.
    async fn bare(&self, bodies: Vec<String>, group: usize, batch: u64) -> anyhow::Result<Reference> {
        let (dir, duration) = (self.rig.data().to_owned(), self.briefly());
        let write = move || reference::write_and_sync(&dir, &bodies, group, duration);
        let Synced {
            group,
            bodies,
            bytes,
            elapsed,
            mut latencies,
        } = tokio::task::spawn_blocking(write).await??;
        let seconds = elapsed.as_secs_f64();
        Ok(Reference {
            what: format!(
                "bare write and fdatasync of the same bytes, {group} requests at once (all that can wait together)"
            ),
            figures: Figures {
                events_per_second: Some((bodies * batch) as f64 / seconds),
                mb_per_second: Some(bytes as f64 / 1e6 / seconds),
                p50_ms: latencies.quantile(0.5),
                p99_ms: latencies.quantile(0.99),
            },
        })
    }
}

/// What was acknowledged; `size` is bytes of an event.
fn acknowledged(name: &str, applied: &mut Applied, size: f64, reference: Option<Reference>) -> Row {
    let measured = &mut applied.measured;
    let rate = measured.events_per_second();
    let mut notes = Vec::new();
    if let Some((during, whole)) = measured.cpu.zip(applied.cpu) {
        let seconds = measured.elapsed.as_secs_f64();
        notes.push(format!(
            "cores busy meanwhile: server {:.2}, senders {:.2}; {} events a second of the server's processor time until all had drained, PostgreSQL's not in it",
            during.server.as_secs_f64() / seconds,
            during.senders.as_secs_f64() / seconds,
            number(Some(measured.events as f64 / whole.server.as_secs_f64().max(0.01)), 0),
        ));
    }
    if measured.refused > 0 {
        let refused = number(Some(measured.refused as f64), 0);
        notes.push(format!(
            "{refused} answers were 429 or 503; those requests were sent again, and waited for that long"
        ));
    }
    Row {
        name: name.to_owned(),
        durability: "D2",
        figures: Figures {
            events_per_second: Some(rate),
            mb_per_second: Some(rate * size / 1e6),
            p50_ms: measured.latencies.quantile(0.5),
            p99_ms: measured.latencies.quantile(0.99),
        },
        reference,
        notes,
    }
}

/// The same events, until they were where they belong.
fn through(applied: &Applied, size: f64) -> Row {
    let (measured, stats) = (&applied.measured, &applied.stats);
    let rate = measured.events as f64 / applied.silver.max(applied.lake).as_secs_f64();
    let behind = |whole: Duration| whole.saturating_sub(measured.elapsed).as_secs_f64();
    Row {
        name: "ingest-batches, end to end".into(),
        durability: "lake and Silver",
        figures: Figures {
            events_per_second: Some(rate),
            mb_per_second: Some(rate * size / 1e6),
            ..Figures::default()
        },
        reference: None,
        notes: vec![
            format!(
                "Silver had everything {:.2} s after the last answer, the lake {:.2} s (objects wait up to 1 s to grow)",
                behind(applied.silver),
                behind(applied.lake)
            ),
            format!(
                "with the warm-up: {} objects of {:.3} of the raw bytes in the lake (made-up events, the same again after {BODIES} requests: no measure of compression); {} points of {} series in Silver",
                stats.bronze_objects,
                stats.bronze_bytes as f64 / stats.raw_bytes.max(1) as f64,
                number(Some(stats.silver_points as f64), 0),
                stats.series
            ),
        ],
    }
}

/// So many bodies of so many events, whose times lie before now, a millisecond between two.
fn bodies(count: u64, events: u64) -> Vec<String> {
    let begin = server::clock::now().millis() - (count * events).cast_signed();
    (0..count)
        .map(|i| {
            let places = i * events..(i + 1) * events;
            events::lines(places, events::DEVICES, |place| begin + place.cast_signed())
        })
        .collect()
}

/// Bytes of a body.
fn mean(bodies: &[String]) -> f64 {
    bodies.iter().map(String::len).sum::<usize>() as f64 / bodies.len().max(1) as f64
}
