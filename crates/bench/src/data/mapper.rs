//! What a mapping says, record by record: the way it is written when nobody thinks of columns.

use std::collections::HashMap;

use anyhow::Context;
use dash_model::{
    Micros,
    mapping::Tags,
    point::{Points, SeriesKey},
};
use dash_transform::Input;
use serde_json::Value;

use super::device;

/// [`device::mapping`] without a plan: each record becomes a `Value`, and each of its metrics a point.
///
/// # Errors
/// When a record lacks a field: the events of [`device::Fleet`] do not.
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
            for metric in device::METRICS {
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
