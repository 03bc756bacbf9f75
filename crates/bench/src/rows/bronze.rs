//! What raw JSON becomes in Bronze, in bytes.

use std::{fs, io::Write};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use dash_ingest::Format;
use dash_lake::Location;
use dash_model::{RecordsPath, record::RecordSet};
use serde_json::value::RawValue;

use crate::{
    context::Context,
    data::{
        bronze::{self, BATCH},
        device::{self, Fleet},
    },
    row::{Better, Durability, Goal, Reference, Row},
};

const EVENTS: usize = 1_000_000;

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let fleet = || Fleet::new(1_000, 1_790_000_000_000);
    let devices = fleet().lines(EVENTS).into();
    let mut rows = vec![row(ctx, "events of devices", device::ABOUT, sets(&devices)?).await?];
    let devices = fleet().with_ids().lines(EVENTS).into();
    let about = "the same, each with a random UUID besides, 16 bytes that nothing can compress";
    rows.push(row(ctx, "events of devices with a UUID", about, sets(&devices)?).await?);

    let demo = ctx.site.join("demo");
    let read = |name: &str| {
        let path = demo.join(name);
        fs::read(&path).with_context(|| format!("{} cannot be read; it comes with the site", path.display()))
    };
    let flights = read("flights-200k.json")?;
    let flights: Vec<&RawValue> = serde_json::from_slice(&flights)?;
    let lines: String = flights.iter().flat_map(|record| [record.get(), "\n"]).collect();
    let about = "flights-200k of npm vega-datasets, a line for each flight: three numbers, 45 bytes";
    rows.push(row(ctx, "flights", about, sets(&lines.into())?).await?);

    let path: RecordsPath = "features[*]".parse()?;
    let earthquakes = bronze::decode(&read("earthquakes.json")?.into(), Format::Json, Some(&path))?;
    let about = "earthquakes of npm vega-datasets, GeoJSON, posted as one document: 1,707 records, 700 bytes";
    rows.push(row(ctx, "earthquakes", about, vec![earthquakes]).await?);
    Ok(rows)
}

/// As requests of a thousand lines bring them.
fn sets(lines: &Bytes) -> anyhow::Result<Vec<RecordSet>> {
    let bodies = bronze::bodies(lines, BATCH);
    bodies
        .iter()
        .map(|body| bronze::decode(body, Format::Ndjson, None))
        .collect()
}

async fn row(ctx: &Context, what: &str, about: &str, sets: Vec<RecordSet>) -> anyhow::Result<Row> {
    ctx.say(what);
    let lines: Vec<u8> = sets.iter().flat_map(|set| set.iter()).collect::<Vec<_>>().join(&b'\n');
    let events: usize = sets.iter().map(RecordSet::len).sum();
    let dir = ctx.scratch("bronze")?;
    let written = bronze::write(Location::Directory(dir.path().to_owned()), sets).await?;
    ensure!(
        written.events == events as u64,
        "{} of {events} events are in Bronze",
        written.events
    );

    let raw = written.raw_bytes as f64;
    let zstd = zstd::bulk::compress(&lines, 3)?.len() as f64 / raw;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&lines)?;
    let gzip = gzip.finish()?.len() as f64 / raw;
    Ok(Row {
        row: "bronze",
        what: format!("bytes in Bronze of a byte of JSON: {what}"),
        unit: "of raw",
        better: Better::Lower,
        durability: Durability::D3,
        runs: vec![written.bytes as f64 / raw],
        reference: Some(Reference {
            what: "zstd -3 over all the lines in one piece".into(),
            durability: Durability::None,
            runs: vec![zstd],
        }),
        goal: Some(Goal::Figure(0.20)),
        notes: vec![
            about.to_owned(),
            format!(
                "{events} events, {:.1} MB raw, {} objects by the lake's writer with its default options; gzip -6: {gzip:.3}; the same bytes in every run",
                raw / 1e6,
                written.objects
            ),
        ],
        left_out: vec!["an object that is written because it is old, not because it is full, compresses less".into()],
    })
}
