//! The public face: compile once, run on every batch.

use arrow::array::RecordBatch;
use dash_model::{
    EventSeq, Micros,
    mapping::{FieldType, Mapping, MappingError},
    point::{Points, Quarantined, SeriesKey},
    record::RecordSet,
    stats::{MappedPoint, Outcome, RecentEvent},
};
use polars::prelude::{DataFrame, Expr, IntoLazy, col};

use crate::{
    bridge,
    decode::{Decoder, Kind, RECEIVED_AT, Source, column_name},
    expr::{self, Env, Levels, Ty, Val},
    output::{self, Verdict},
};

/// A compiled mapping version. Share it in an `Arc`; running takes `&self` and is blocking CPU work.
#[derive(Debug)]
pub struct Plan {
    decoder: Decoder,
    /// Columns to compute, each level from those before it.
    levels: Vec<Vec<Expr>>,
    /// What is read in the end, see [`output::Layout`].
    outputs: Vec<Expr>,
    layout: output::Layout,
}

/// Records of one batch.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The event of the first record; the others follow densely.
    pub first: EventSeq,
    pub received_at: Micros,
    pub records: &'a RecordSet,
}

/// What a plan made of its inputs: `mapped + filtered + quarantined.len()` is the number of records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transformed {
    /// Series of the points, each once, in the order of their first point.
    pub series: Vec<SeriesKey>,
    /// In the order of the records and, within one, of the mapping's metrics.
    pub points: Points,
    /// In the order of the records.
    pub quarantined: Vec<Quarantined>,
    /// Records of which at least one point was made.
    pub mapped: u32,
    /// Records for which the filter was not true.
    pub filtered: u32,
}

/// A fault of the engine, never of the data: bad data goes to quarantine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    #[error("the plan could not be run: {0}")]
    Engine(#[from] polars::error::PolarsError),
    #[error("the decoded columns could not be handed over: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// Steps that expressions may take one after the other.
const MAX_LEVELS: usize = 256;
/// What [`Plan::outcomes`] shows of a record, in bytes.
const SHOWN: usize = 4096;

impl Plan {
    /// Checks the mapping and types all its expressions.
    ///
    /// # Errors
    /// The first part that is wrong, where in it, and the remedy.
    pub fn compile(mapping: &Mapping) -> Result<Self, MappingError> {
        mapping.validate()?;
        let mut sources = Vec::new();
        let mut source = |path: &dash_model::FieldPath, kind| {
            sources.push(Source {
                path: path.clone(),
                kind,
            });
            column_name(sources.len() - 1)
        };
        let mut levels = Levels::default();
        let mut env = Env::new();
        for f in &mapping.fields {
            let column = source(&f.path, Kind::Plain(f.ty));
            env.insert(f.name.clone(), Val::column(&column, type_of(f.ty)));
        }
        for m in &mapping.metrics {
            if let Some(path) = &m.path {
                let column = source(path, Kind::Plain(m.ty));
                let v = expr::scaled(&mut levels, Val::column(&column, type_of(m.ty)), m.scale, m.offset);
                env.insert(m.name.clone(), levels.bind(v));
            }
        }
        for t in &mapping.tags {
            if let Some(path) = &t.path {
                let column = source(path, Kind::Tag);
                env.insert(t.name.clone(), Val::column(&column, Ty::String));
            }
        }
        let time = match &mapping.time.path {
            Some(path) => source(path, Kind::Time(mapping.time.format)),
            None => RECEIVED_AT.into(),
        };
        env.insert("received_at".into(), Val::column(RECEIVED_AT, Ty::Timestamp));
        env.insert("time".into(), Val::column(&time, Ty::Timestamp));

        for (i, c) in mapping.calculated.iter().enumerate() {
            let wrong = |reason| wrong(format!("calculated[{i}].expression"), reason);
            let v = expr::compile(&c.expression, &env, &mut levels).map_err(wrong)?;
            env.insert(c.name.clone(), levels.bind_all(v));
            if levels.len() > MAX_LEVELS {
                return Err(wrong(format!(
                    "the expressions so far need {} steps one after the other; {MAX_LEVELS} are allowed",
                    levels.len()
                )));
            }
        }
        let mut outputs = vec![col(time.as_str()).alias(output::TIME)];
        let mut put = |levels: &mut Levels, name: String, v: Val| {
            let v = levels.bind_all(v);
            outputs.push(v.expr.alias(name.as_str()));
            if let Some(fault) = v.fault {
                outputs.push(fault.expr.alias(output::fault_name(&name).as_str()));
            }
        };
        if let Some(filter) = &mapping.filter {
            let v = expr::compile_filter(filter, &env, &mut levels).map_err(|why| wrong("filter".into(), why))?;
            put(&mut levels, output::KEEP.into(), v);
        }
        for (i, m) in mapping.metrics.iter().enumerate() {
            let at = || format!("metrics[{i}].field");
            let v = match &m.field {
                None => named(&env, &m.name, at)?,
                Some(field) => {
                    let v = named(&env, field, at)?;
                    if matches!(v.ty, Ty::String | Ty::Timestamp) {
                        return Err(wrong(
                            at(),
                            format!(
                                "{field:?} is {}; a metric is a number, so CAST it AS DOUBLE",
                                v.ty.name()
                            ),
                        ));
                    }
                    expr::scaled(&mut levels, v, m.scale, m.offset)
                }
            };
            let v = expr::cast(&mut levels, v, Ty::Float).map_err(|why| wrong(at(), why))?;
            put(&mut levels, output::metric_name(i), v);
        }
        for (i, t) in mapping.tags.iter().enumerate() {
            let at = || format!("tags[{i}].field");
            let v = named(&env, t.field.as_deref().unwrap_or(&t.name), at)?;
            let v = expr::cast(&mut levels, v, Ty::String).map_err(|why| wrong(at(), why))?;
            put(&mut levels, output::tag_name(i), v);
        }
        if levels.len() > MAX_LEVELS {
            return Err(wrong(
                "calculated".into(),
                format!(
                    "the expressions need {} steps one after the other; {MAX_LEVELS} are allowed",
                    levels.len()
                ),
            ));
        }
        Ok(Self {
            decoder: Decoder::new(&sources),
            levels: levels.into_inner(),
            outputs,
            layout: output::Layout::new(mapping),
        })
    }

    /// Makes points of all records of all inputs at once.
    ///
    /// # Errors
    /// Only when the engine fails; data that does not fit is in [`Transformed::quarantined`].
    pub fn run(&self, inputs: &[Input<'_>]) -> Result<Transformed, TransformError> {
        Ok(self.evaluate(inputs)?.0)
    }

    /// What the records say at the mapping's paths: a typed Arrow column each, and the received time. Where a record or a value
    /// cannot be read there is nothing.
    ///
    /// # Errors
    /// As for [`Plan::run`].
    pub fn decode(&self, inputs: &[Input<'_>]) -> Result<RecordBatch, TransformError> {
        Ok(self.decoder.decode(inputs)?.batch)
    }

    /// What becomes of each record, for people to look at: the code of [`Plan::run`], told event by event.
    ///
    /// # Errors
    /// As for [`Plan::run`].
    pub fn outcomes(&self, inputs: &[Input<'_>]) -> Result<Vec<RecentEvent>, TransformError> {
        let (transformed, verdicts) = self.evaluate(inputs)?;
        let points = &transformed.points;
        let mut quarantined = transformed.quarantined.into_iter();
        let mut next = 0;
        let records = output::records(inputs);
        Ok(records
            .zip(verdicts)
            .map(|(record, verdict)| RecentEvent {
                event: record.event,
                received_at: record.received_at,
                raw: shown(record.raw),
                outcome: match verdict {
                    Verdict::Filtered => Outcome::Filtered,
                    Verdict::Quarantined => Outcome::Quarantined {
                        reasons: quarantined.next().map(|q| q.reasons).unwrap_or_default(),
                    },
                    Verdict::Mapped { points: count } => {
                        let range = next..next + count as usize;
                        next = range.end;
                        let points = range
                            .map(|i| {
                                let series = &transformed.series[points.series[i] as usize];
                                MappedPoint {
                                    metric: series.metric.clone(),
                                    tags: series.tags.clone(),
                                    time: points.time[i],
                                    value: points.value[i],
                                }
                            })
                            .collect();
                        Outcome::Mapped { points }
                    }
                },
            })
            .collect())
    }

    fn evaluate(&self, inputs: &[Input<'_>]) -> Result<(Transformed, Vec<Verdict>), TransformError> {
        if inputs.iter().all(|i| i.records.is_empty()) {
            return Ok(Default::default());
        }
        let decoded = self.decoder.decode(inputs)?;
        let frame = self.compute(bridge::to_frame(&decoded.batch)?)?;
        output::collect(&self.layout, inputs, &frame, decoded.reasons)
    }

    /// The one lazy plan.
    fn compute(&self, frame: DataFrame) -> Result<DataFrame, TransformError> {
        let rows = frame.height();
        let mut lazy = frame.lazy();
        for level in &self.levels {
            lazy = lazy.with_columns(level);
        }
        let frame = lazy.select(&self.outputs).collect()?;
        debug_assert_eq!(frame.height(), rows);
        Ok(frame)
    }
}

fn type_of(ty: FieldType) -> Ty {
    match ty {
        FieldType::Float => Ty::Float,
        FieldType::Integer => Ty::Integer,
        FieldType::Boolean => Ty::Boolean,
        FieldType::String => Ty::String,
    }
}

fn named(env: &Env, name: &str, at: impl Fn() -> String) -> Result<Val, MappingError> {
    env.get(name)
        .cloned()
        .ok_or_else(|| wrong(at(), format!("{name:?} is neither in fields nor in calculated")))
}

fn wrong(field: String, reason: String) -> MappingError {
    MappingError { field, reason }
}

/// The beginning of a record as text.
fn shown(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(&raw[..raw.len().min(SHOWN + 4)]);
    let mut end = SHOWN.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_record_is_shown_up_to_a_whole_character() {
        let text = "ä".repeat(3000);
        assert_eq!(shown(text.as_bytes()), "ä".repeat(2048));
        let odd = format!("x{text}");
        assert_eq!(shown(odd.as_bytes()), format!("x{}", "ä".repeat(2047)));
        assert_eq!(shown(b"\xff\"short\""), "\u{fffd}\"short\"");
    }

    #[test]
    fn a_plan_can_be_shared() {
        fn shared<T: Send + Sync>() {}
        shared::<Plan>();
    }
}
