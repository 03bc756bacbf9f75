//! Stages without the others: no network, no disk.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use dash_ingest::{Decoded, Encoding, Format, Limits};
use dash_model::{EventSeq, Micros, mapping::Mapping};
use dash_transform::{Input, Plan};

use crate::{
    Options, events, reference,
    table::{Figures, Reference, Row},
};

const RECORDS: u64 = 100_000;
const BATCH: u64 = 1_000;

/// From bytes to checked records.
pub(super) async fn decode(options: &Options) -> anyhow::Result<Vec<Row>> {
    let duration = options.seconds;
    let row = tokio::task::spawn_blocking(move || {
        let bodies = bodies();
        let own = timed(&bodies, duration, || {
            bodies.iter().map(|b| Ok(decoded(b)?.records.len())).sum()
        })?;
        let bare = timed(&bodies, duration, || bodies.iter().map(|b| reference::parse(b)).sum())?;
        anyhow::Ok(Row {
            name: "decode".into(),
            durability: "D0",
            figures: own,
            reference: Some(Reference {
                what: "serde_json over the same bytes, every value checked and none kept".into(),
                figures: bare,
            }),
            notes: vec!["one thread; limits and spans of records included".into()],
        })
    });
    Ok(vec![row.await??])
}

/// From records to points.
pub(super) async fn transform(options: &Options) -> anyhow::Result<Vec<Row>> {
    let duration = options.seconds;
    let row = tokio::task::spawn_blocking(move || {
        let bodies = bodies();
        let records = bodies.iter().map(decoded).collect::<anyhow::Result<Vec<_>>>()?;
        let inputs: Vec<Input> = (0..)
            .zip(&records)
            .map(|(i, decoded)| Input {
                first: EventSeq(i * BATCH.cast_signed()),
                received_at: Micros(0),
                records: &decoded.records,
            })
            .collect();
        let plan = Plan::compile(&serde_json::from_value::<Mapping>(events::mapping())?)?;

        let mapped = plan.run(&inputs)?;
        let (series, points) = reference::map_row_by_row(&inputs)?;
        ensure!(
            mapped.series == series && mapped.points == points,
            "the plan and the row-by-row mapper differ"
        );
        let own = timed(&bodies, duration, || {
            Ok(plan.run(&inputs)?.points.len() / events::METRICS.len())
        })?;
        let bare = timed(&bodies, duration, || {
            Ok(reference::map_row_by_row(&inputs)?.1.len() / events::METRICS.len())
        })?;
        anyhow::Ok(Row {
            name: "transform".into(),
            durability: "D0",
            figures: own,
            reference: Some(Reference {
                what:
                    "a mapper by hand, record by record with serde_json::Value, which made the same points; one thread"
                        .into(),
                figures: bare,
            }),
            notes: vec!["Plan::run on 100,000 records at once; Polars may use every core".into()],
        })
    });
    Ok(vec![row.await??])
}

/// Runs what works on all bodies again and again; each time it must have worked on every record.
fn timed(
    bodies: &[Bytes],
    duration: Duration,
    mut work: impl FnMut() -> anyhow::Result<usize>,
) -> anyhow::Result<Figures> {
    let bytes: usize = bodies.iter().map(Bytes::len).sum();
    let (begun, mut times) = (Instant::now(), 0_u32);
    while begun.elapsed() < duration || times == 0 {
        let done = work()?;
        ensure!(done as u64 == RECORDS, "{done} of {RECORDS} records were worked on");
        times += 1;
    }
    let times_a_second = f64::from(times) / begun.elapsed().as_secs_f64();
    Ok(Figures {
        events_per_second: Some(times_a_second * RECORDS as f64),
        mb_per_second: Some(times_a_second * bytes as f64 / 1e6),
        ..Figures::default()
    })
}

fn bodies() -> Vec<Bytes> {
    (0..RECORDS / BATCH)
        .map(|i| {
            events::lines(i * BATCH..(i + 1) * BATCH, events::DEVICES, |place| {
                1_700_000_000_000 + place.cast_signed()
            })
            .into()
        })
        .collect()
}

fn decoded(body: &Bytes) -> anyhow::Result<Decoded> {
    Ok(dash_ingest::decode(
        body.clone(),
        Format::Ndjson,
        Encoding::Identity,
        None,
        &Limits::default(),
    )?)
}
