//! The computed frame becomes points, and every record gets its verdict.

use bytes::Bytes;
use dash_model::{
    EventSeq, Micros,
    mapping::{FieldReason, Mapping, Tags},
    point::{Quarantined, SeriesKey},
};
use foldhash::{HashMap, HashMapExt};
use polars::prelude::{BooleanChunked, DataFrame, DataType, Float64Chunked, Int64Chunked, PolarsResult, StringChunked};

use crate::{
    decode::{check_tag, reason_of},
    plan::{Input, TransformError, Transformed},
};

pub(crate) const TIME: &str = "time";
pub(crate) const KEEP: &str = "keep";

pub(crate) fn metric_name(i: usize) -> String {
    format!("metric {i}")
}

pub(crate) fn tag_name(i: usize) -> String {
    format!("tag {i}")
}

/// The column that tells where another one has no result.
pub(crate) fn fault_name(column: &str) -> String {
    format!("{column} fault")
}

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Mapped { points: u32 },
    Filtered,
    Quarantined,
}

/// What the columns of the computed frame mean.
#[derive(Debug)]
pub(crate) struct Layout {
    time_path: Option<String>,
    filter: bool,
    metrics: Vec<Metric>,
    tags: Vec<Tag>,
    /// Said of a record that gives no point.
    no_point: FieldReason,
}

#[derive(Debug)]
struct Metric {
    name: String,
    /// What a reason names: its path, or its own name when it is calculated.
    label: String,
    required: bool,
}

#[derive(Debug)]
struct Tag {
    name: String,
    label: String,
}

impl Layout {
    pub fn new(mapping: &Mapping) -> Self {
        let metrics: Vec<Metric> = mapping
            .metrics
            .iter()
            .map(|m| Metric {
                name: m.name.clone(),
                label: m.path.as_ref().map_or_else(|| m.name.clone(), ToString::to_string),
                required: m.required,
            })
            .collect();
        let names: Vec<&str> = metrics.iter().take(8).map(|m| m.label.as_str()).collect();
        let more = if metrics.len() > names.len() { ", …" } else { "" };
        Self {
            time_path: mapping.time.path.as_ref().map(ToString::to_string),
            filter: mapping.filter.is_some(),
            no_point: reason_of(
                "record",
                format!("none of the metrics {}{more} is present", names.join(", ")),
            ),
            metrics,
            tags: mapping
                .tags
                .iter()
                .map(|t| Tag {
                    name: t.name.clone(),
                    label: t.path.as_ref().map_or_else(|| t.name.clone(), ToString::to_string),
                })
                .collect(),
        }
    }
}

pub(crate) struct Record<'a> {
    pub event: EventSeq,
    pub received_at: Micros,
    pub raw: &'a [u8],
}

/// All records of all inputs, in the order in which they are rows.
pub(crate) fn records<'a>(inputs: &'a [Input<'a>]) -> impl Iterator<Item = Record<'a>> {
    inputs.iter().flat_map(|input| {
        input.records.iter().enumerate().map(|(row, raw)| Record {
            event: input.first.offset(row),
            received_at: input.received_at,
            raw,
        })
    })
}

/// Values of a tag, and where they have none for want of a result.
type Tagged = (StringChunked, Option<BooleanChunked>);

struct Computed {
    time: Int64Chunked,
    keep: Option<BooleanChunked>,
    keep_fault: Option<BooleanChunked>,
    metrics: Vec<(Float64Chunked, Option<BooleanChunked>)>,
    tags: Vec<Tagged>,
}

impl Computed {
    fn new(layout: &Layout, frame: &DataFrame) -> PolarsResult<Self> {
        let series =
            |name: &str| Ok::<_, polars::error::PolarsError>(frame.column(name)?.as_materialized_series().rechunk());
        let fault = |name: &str| match frame.column(&fault_name(name)) {
            Ok(c) => Ok(Some(c.as_materialized_series().rechunk().bool()?.clone())),
            Err(_) => Ok::<_, polars::error::PolarsError>(None),
        };
        Ok(Self {
            time: series(TIME)?.cast(&DataType::Int64)?.i64()?.clone(),
            keep: layout
                .filter
                .then(|| Ok::<_, polars::error::PolarsError>(series(KEEP)?.bool()?.clone()))
                .transpose()?,
            keep_fault: fault(KEEP)?,
            metrics: (0..layout.metrics.len())
                .map(|i| Ok((series(&metric_name(i))?.f64()?.clone(), fault(&metric_name(i))?)))
                .collect::<PolarsResult<_>>()?,
            tags: (0..layout.tags.len())
                .map(|i| Ok((series(&tag_name(i))?.str()?.clone(), fault(&tag_name(i))?)))
                .collect::<PolarsResult<_>>()?,
        })
    }
}

const NO_RESULT: &str = "the expression has no result here: a division by zero, an overflow, a logarithm or root outside \
     of its domain, or a CAST that failed; guard it with CASE or NULLIF";

/// Goes through the rows once.
pub(crate) fn collect(
    layout: &Layout,
    inputs: &[Input<'_>],
    frame: &DataFrame,
    reasons: Vec<(usize, FieldReason)>,
) -> Result<(Transformed, Vec<Verdict>), TransformError> {
    let computed = Computed::new(layout, frame)?;
    let mut out = Transformed::default();
    let mut verdicts = Vec::with_capacity(frame.height());
    let mut series = SeriesIndex::new(layout.metrics.len(), layout.tags.len());
    let mut undecoded = reasons.into_iter().peekable();
    for (row, record) in records(inputs).enumerate() {
        let mut why: Vec<FieldReason> = Vec::new();
        while let Some((_, reason)) = undecoded.next_if(|r| r.0 == row) {
            why.push(reason);
        }
        // What is there but wrong is told first, whatever the filter says of the rest.
        if why.is_empty() {
            if is_true(computed.keep_fault.as_ref(), row) {
                why.push(reason_of("filter", NO_RESULT));
            } else if layout.filter && !is_true(computed.keep.as_ref(), row) {
                out.filtered += 1;
                verdicts.push(Verdict::Filtered);
                continue;
            } else {
                computed.judge(layout, row, &mut why);
            }
        }
        let made = match computed.time.get(row) {
            Some(time) if why.is_empty() => {
                let before = out.points.len();
                let mut combination = None;
                for (m, (values, _)) in computed.metrics.iter().enumerate() {
                    let Some(value) = values.get(row) else { continue };
                    let tags = *combination.get_or_insert_with(|| series.combination(&computed.tags, row));
                    let id = series.id(
                        tags,
                        m,
                        || SeriesKey {
                            metric: layout.metrics[m].name.clone(),
                            tags: tags_of(layout, &computed.tags, row),
                        },
                        &mut out.series,
                    );
                    out.points.time.push(Micros(time));
                    out.points.series.push(id);
                    // A negative zero is a zero to everyone who reads it.
                    out.points.value.push(value + 0.0);
                    out.points.event.push(record.event);
                }
                (out.points.len() - before) as u32
            }
            _ => 0,
        };
        if made > 0 {
            out.mapped += 1;
            verdicts.push(Verdict::Mapped { points: made });
            continue;
        }
        if why.is_empty() {
            why.push(layout.no_point.clone());
        }
        verdicts.push(Verdict::Quarantined);
        out.quarantined.push(Quarantined {
            event: record.event,
            received_at: record.received_at,
            raw: Bytes::copy_from_slice(record.raw),
            reasons: why,
        });
    }
    Ok((out, verdicts))
}

impl Computed {
    /// Adds what keeps a decoded record that passed the filter from becoming points.
    fn judge(&self, layout: &Layout, row: usize, why: &mut Vec<FieldReason>) {
        if let Some(path) = &layout.time_path
            && self.time.get(row).is_none()
        {
            why.push(reason_of(path, "the time is missing"));
        }
        for (metric, (values, fault)) in layout.metrics.iter().zip(&self.metrics) {
            let value = values.get(row);
            if is_true(fault.as_ref(), row) || value.is_some_and(|x| !x.is_finite()) {
                why.push(reason_of(&metric.label, NO_RESULT));
            } else if metric.required && value.is_none() {
                why.push(reason_of(&metric.label, "this required metric is missing"));
            }
        }
        for (tag, (values, fault)) in layout.tags.iter().zip(&self.tags) {
            if is_true(fault.as_ref(), row) {
                why.push(reason_of(&tag.label, NO_RESULT));
            } else if let Some(Err(reason)) = values.get(row).map(check_tag) {
                why.push(reason_of(&tag.label, reason));
            }
        }
    }
}

fn is_true(column: Option<&BooleanChunked>, row: usize) -> bool {
    column.and_then(|c| c.get(row)).unwrap_or(false)
}

/// An empty value leaves a tag out, as NULL does.
fn tag_value(column: &Tagged, row: usize) -> Option<&str> {
    column.0.get(row).filter(|t| !t.is_empty())
}

fn tags_of(layout: &Layout, columns: &[Tagged], row: usize) -> Tags {
    layout
        .tags
        .iter()
        .zip(columns)
        .filter_map(|(tag, column)| Some((tag.name.clone(), tag_value(column, row)?.to_owned())))
        .collect()
}

/// Numbers for combinations of tag values, and from those and a metric for series: no key is built twice.
struct SeriesIndex<'c> {
    metrics: usize,
    /// For each tag the number of each value; 0 is "absent".
    values: Vec<HashMap<&'c str, u32>>,
    combinations: HashMap<Box<[u32]>, u32>,
    /// Series by combination and metric.
    ids: Vec<Option<u32>>,
    scratch: Vec<u32>,
}

impl<'c> SeriesIndex<'c> {
    fn new(metrics: usize, tags: usize) -> Self {
        Self {
            metrics,
            values: vec![HashMap::new(); tags],
            combinations: HashMap::new(),
            ids: Vec::new(),
            scratch: vec![0; tags],
        }
    }

    fn combination(&mut self, columns: &'c [Tagged], row: usize) -> u32 {
        for ((number, values), column) in self.scratch.iter_mut().zip(&mut self.values).zip(columns) {
            *number = match tag_value(column, row) {
                None => 0,
                Some(value) => {
                    let next = values.len() as u32 + 1;
                    *values.entry(value).or_insert(next)
                }
            };
        }
        match self.combinations.get(self.scratch.as_slice()) {
            Some(&n) => n,
            None => {
                let n = self.combinations.len() as u32;
                self.combinations.insert(self.scratch.as_slice().into(), n);
                self.ids.resize(self.ids.len() + self.metrics, None);
                n
            }
        }
    }

    fn id(
        &mut self,
        combination: u32,
        metric: usize,
        key: impl FnOnce() -> SeriesKey,
        all: &mut Vec<SeriesKey>,
    ) -> u32 {
        *self.ids[combination as usize * self.metrics + metric].get_or_insert_with(|| {
            all.push(key());
            all.len() as u32 - 1
        })
    }
}
