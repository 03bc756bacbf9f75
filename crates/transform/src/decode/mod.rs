//! Records become Arrow columns: one column per path that the mapping names, the rest is skipped unread.

mod number;
mod time;
mod trie;
mod value;

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, LargeStringBuilder, RecordBatch, RecordBatchOptions,
        TimestampMicrosecondArray, TimestampMicrosecondBuilder,
    },
    datatypes::Schema,
    error::ArrowError,
};
use dash_model::{
    FieldPath,
    mapping::{FieldReason, FieldType, TimeFormat},
};

pub(crate) use number::{parse_float, parse_integer};
pub(crate) use time::{parse_rfc3339, rfc3339};

use crate::plan::Input;
use trie::{Found, Trie};

/// Levels of objects and arrays that a record may have.
pub(crate) const MAX_DEPTH: usize = 128;
/// Longest value of a tag, in bytes.
pub(crate) const MAX_TAG: usize = 256;

/// What the value at a path is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain(FieldType),
    Tag,
    Time(TimeFormat),
}

/// One column: where it is read from and what it becomes.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub path: FieldPath,
    pub kind: Kind,
}

/// Reads records into columns. The column of source `i` is named `@i`; `@received_at` is always there.
#[derive(Debug)]
pub(crate) struct Decoder {
    trie: Trie,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    /// The node of the trie that holds its value.
    node: usize,
    label: String,
    kind: Kind,
}

pub(crate) struct Decoded {
    pub batch: RecordBatch,
    /// Reasons with their rows, by rising row.
    pub reasons: Vec<(usize, FieldReason)>,
}

pub(crate) const RECEIVED_AT: &str = "@received_at";

pub(crate) fn column_name(source: usize) -> String {
    format!("@{source}")
}

impl Decoder {
    pub fn new(sources: &[Source]) -> Self {
        let mut trie = Trie::default();
        let columns = sources
            .iter()
            .map(|s| Column {
                node: trie.insert(s.path.steps()),
                label: s.path.to_string(),
                kind: s.kind,
            })
            .collect();
        Self { trie, columns }
    }

    pub fn decode(&self, inputs: &[Input<'_>]) -> Result<Decoded, ArrowError> {
        let rows: usize = inputs.iter().map(|i| i.records.len()).sum();
        let mut builders: Vec<Builder> = self.columns.iter().map(|c| Builder::new(c.kind, rows)).collect();
        let mut reasons = Vec::new();
        let mut found = Found::default();
        let mut received = Vec::with_capacity(rows);
        for input in inputs {
            for raw in input.records.iter() {
                let row = received.len();
                received.push(input.received_at.0);
                match self.trie.read(raw, &mut found) {
                    Ok(()) => self.append(row, &found, &mut builders, &mut reasons),
                    Err(reason) => {
                        builders.iter_mut().for_each(Builder::append_null);
                        reasons.push((row, reason_of("record", reason)));
                    }
                }
            }
        }
        let mut columns: Vec<(String, ArrayRef)> = builders
            .iter_mut()
            .enumerate()
            .map(|(i, b)| (column_name(i), b.finish()))
            .collect();
        columns.push((
            RECEIVED_AT.into(),
            Arc::new(TimestampMicrosecondArray::from(received)) as ArrayRef,
        ));
        let schema = Schema::new(
            columns
                .iter()
                .map(|(name, array)| arrow::datatypes::Field::new(name, array.data_type().clone(), true))
                .collect::<Vec<_>>(),
        );
        let batch = RecordBatch::try_new_with_options(
            Arc::new(schema),
            columns.into_iter().map(|c| c.1).collect(),
            &RecordBatchOptions::new().with_row_count(Some(rows)),
        )?;
        Ok(Decoded { batch, reasons })
    }

    fn append(&self, row: usize, found: &Found<'_>, builders: &mut [Builder], reasons: &mut Vec<(usize, FieldReason)>) {
        for (column, builder) in self.columns.iter().zip(builders) {
            let read = match found.get(column.node) {
                Some(json) => builder.append(column.kind, json),
                None => {
                    builder.append_null();
                    Ok(())
                }
            };
            if let Err(reason) = read {
                builder.append_null();
                let reason = reason_of(&column.label, reason);
                // One value may feed several columns; its fault is told once.
                if !reasons.iter().rev().take_while(|r| r.0 == row).any(|r| r.1 == reason) {
                    reasons.push((row, reason));
                }
            }
        }
    }
}

pub(crate) fn reason_of(field: &str, reason: impl Into<String>) -> FieldReason {
    FieldReason {
        field: field.to_owned(),
        reason: reason.into(),
    }
}

enum Builder {
    Float(Float64Builder),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    String(LargeStringBuilder),
    Time(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Plain(FieldType::Float) => Self::Float(Float64Builder::with_capacity(rows)),
            Kind::Plain(FieldType::Integer) => Self::Integer(Int64Builder::with_capacity(rows)),
            Kind::Plain(FieldType::Boolean) => Self::Boolean(BooleanBuilder::with_capacity(rows)),
            Kind::Plain(FieldType::String) | Kind::Tag => {
                Self::String(LargeStringBuilder::with_capacity(rows, rows * 8))
            }
            Kind::Time(_) => Self::Time(TimestampMicrosecondBuilder::with_capacity(rows)),
        }
    }

    /// Appends the value of a JSON text, or nothing and the reason.
    fn append(&mut self, kind: Kind, json: &str) -> Result<(), String> {
        match self {
            Self::Float(b) => b.append_option(value::float(json)?),
            Self::Integer(b) => b.append_option(value::integer(json)?),
            Self::Boolean(b) => b.append_option(value::boolean(json)?),
            Self::String(b) if kind == Kind::Tag => {
                let text = value::string(json)?.filter(|t| !t.is_empty());
                text.as_deref().map_or(Ok(()), check_tag)?;
                b.append_option(text);
            }
            Self::String(b) => b.append_option(value::string(json)?),
            Self::Time(b) => {
                let format = match kind {
                    Kind::Time(format) => format,
                    _ => TimeFormat::Auto,
                };
                b.append_option(value::time(json, format)?);
            }
        }
        Ok(())
    }

    fn append_null(&mut self) {
        match self {
            Self::Float(b) => b.append_null(),
            Self::Integer(b) => b.append_null(),
            Self::Boolean(b) => b.append_null(),
            Self::String(b) => b.append_null(),
            Self::Time(b) => b.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Float(b) => Arc::new(b.finish()),
            Self::Integer(b) => Arc::new(b.finish()),
            Self::Boolean(b) => Arc::new(b.finish()),
            Self::String(b) => Arc::new(b.finish()),
            Self::Time(b) => Arc::new(b.finish()),
        }
    }
}

/// What PostgreSQL can store and a chart's legend can show.
pub(crate) fn check_tag(text: &str) -> Result<(), String> {
    if text.len() > MAX_TAG {
        return Err(format!(
            "the value of a tag has at most {MAX_TAG} bytes, this one has {}",
            text.len()
        ));
    }
    if text.contains('\0') {
        return Err("the value of a tag must not contain the character U+0000".into());
    }
    Ok(())
}
