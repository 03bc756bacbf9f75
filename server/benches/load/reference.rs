//! What figures are compared with: the same bytes through the least code that does the same kind of work.

use std::{
    collections::HashMap,
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use dash_model::{
    Micros,
    mapping::Tags,
    point::{Points, SeriesKey},
};
use dash_transform::Input;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::{drive::Latencies, events};

/// As the spool's.
const SEGMENT_BYTES: u64 = 64 << 20;
/// As the spool's, of one commit.
const GROUP_BYTES: usize = 8 << 20;

pub struct Synced {
    /// Bodies of one group.
    pub group: usize,
    pub bodies: u64,
    pub bytes: u64,
    pub elapsed: Duration,
    /// Of a group.
    pub latencies: Latencies,
}

/// Appends these bodies to a file in groups of so many, each with one write and one fdatasync, for so long.
pub fn write_and_sync(dir: &Path, bodies: &[String], group: usize, duration: Duration) -> anyhow::Result<Synced> {
    let largest = bodies.iter().map(String::len).max().unwrap_or(1).max(1);
    let group = group.min(GROUP_BYTES / largest).max(1);
    let mut synced = Synced {
        group,
        bodies: 0,
        bytes: 0,
        elapsed: Duration::ZERO,
        latencies: Latencies::default(),
    };
    let path = dir.join("bare");
    let mut file = File::create(&path).with_context(|| path.display().to_string())?;
    let (mut buffer, mut length) = (Vec::new(), 0);
    let mut next = bodies.iter().cycle();
    let begun = Instant::now();
    while begun.elapsed() < duration {
        let from = Instant::now();
        buffer.clear();
        next.by_ref()
            .take(group)
            .for_each(|body| buffer.extend_from_slice(body.as_bytes()));
        if length + buffer.len() as u64 > SEGMENT_BYTES {
            (file, length) = (File::create(&path)?, 0);
        }
        file.write_all(&buffer)?;
        file.sync_data()?;
        length += buffer.len() as u64;
        synced.latencies.add(from.elapsed());
        synced.bodies += group as u64;
        synced.bytes += buffer.len() as u64;
    }
    synced.elapsed = begun.elapsed();
    std::fs::remove_file(&path)?;
    Ok(synced)
}

/// Parses each line and keeps nothing; answers how many there were.
pub fn parse(lines: &[u8]) -> anyhow::Result<usize> {
    let mut parsed = 0;
    for value in serde_json::Deserializer::from_slice(lines).into_iter::<IgnoredAny>() {
        value?;
        parsed += 1;
    }
    Ok(parsed)
}

/// What [`events::mapping`] says, record by record: the way it is written when nobody thinks of columns.
pub fn map_row_by_row(inputs: &[Input<'_>]) -> anyhow::Result<(Vec<SeriesKey>, Points)> {
    let (mut series, mut points) = (Vec::new(), Points::default());
    let mut known: HashMap<SeriesKey, u32> = HashMap::new();
    for input in inputs {
        for (row, raw) in input.records.iter().enumerate() {
            let record: Value = serde_json::from_slice(raw)?;
            let time = record["at"].as_i64().context("at")?;
            let tags: Tags = ["device", "site"]
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), record[*name].as_str()?.to_owned())))
                .collect();
            for metric in events::METRICS {
                let value = record[metric].as_f64().context(metric)?;
                let key = SeriesKey {
                    metric: metric.to_owned(),
                    tags: tags.clone(),
                };
                let index = *known.entry(key).or_insert_with_key(|key| {
                    series.push(key.clone());
                    series.len() as u32 - 1
                });
                points.time.push(Micros(time * 1_000));
                points.series.push(index);
                points.value.push(value);
                points.event.push(input.first.offset(row));
            }
        }
    }
    Ok((series, points))
}
