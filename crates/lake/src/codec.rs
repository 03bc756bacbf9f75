//! One Parquet object: the events of one pipeline by rising sequence, each raw as it came.
//!
//! Columns: `event` and `batch` int64, `received_at` timestamp (microseconds, UTC), `raw` binary, `meta` text from
//! a dictionary. zstd. The same rows give the same bytes, so that a write may be repeated. Statistics on `event`
//! and `received_at` let readers skip row groups.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow::{
    array::{
        AsArray, BinaryArray, BinaryBuilder, Int64Array, RecordBatch, StringDictionaryBuilder,
        TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field, Int32Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType},
};
use bytes::Bytes;
use dash_model::{BatchId, EventSeq, Micros, PipelineId};
use parquet::{
    arrow::{
        ArrowWriter,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    basic::{Compression, Encoding, ZstdLevel},
    errors::ParquetError,
    file::{
        metadata::{KeyValue, ParquetMetaData, RowGroupMetaData, SortingColumn},
        properties::{EnabledStatistics, WriterProperties},
        reader::ChunkReader,
        statistics::Statistics,
    },
    schema::types::ColumnPath,
};

use crate::LakeError;

/// A row group ends after so many rows or so many raw bytes.
const GROUP_ROWS: usize = 32_768;
const GROUP_BYTES: usize = 8 << 20;
/// Rows that a reader hands over at once.
const READ_ROWS: usize = 8_192;

/// An event in the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeRow {
    pub event: EventSeq,
    pub batch: BatchId,
    pub received_at: Micros,
    /// The record byte for byte as it came.
    pub raw: Bytes,
    /// JSON about the request it came with.
    pub meta: Arc<str>,
}

/// A row that borrows: the writer encodes straight from the batches.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowRef<'a> {
    pub event: EventSeq,
    pub batch: BatchId,
    pub received_at: Micros,
    pub raw: &'a [u8],
    pub meta: &'a str,
}

/// Rows as one object, sorted by event. CPU work: call it on the blocking pool.
///
/// # Errors
/// [`LakeError::Duplicate`] when an event occurs twice.
pub fn encode(pipeline: PipelineId, rows: &[LakeRow]) -> Result<Bytes, LakeError> {
    let refs = rows.iter().map(|row| RowRef {
        event: row.event,
        batch: row.batch,
        received_at: row.received_at,
        raw: &row.raw,
        meta: &row.meta,
    });
    encode_refs(pipeline, refs.collect())
}

pub(crate) fn encode_refs(pipeline: PipelineId, mut rows: Vec<RowRef<'_>>) -> Result<Bytes, LakeError> {
    rows.sort_by_key(|row| row.event);
    if let Some(twice) = rows.windows(2).find(|w| w[0].event == w[1].event) {
        return Err(LakeError::Duplicate(twice[0].event));
    }
    let schema = Arc::new(schema());
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, schema.clone(), Some(properties(pipeline)?))?;
    for group in groups(&rows) {
        writer.write(&record_batch(&schema, &rows[group])?)?;
        writer.flush()?;
    }
    writer.close()?;
    Ok(Bytes::from(out))
}

fn schema() -> Schema {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Schema::new(vec![
        Field::new("event", DataType::Int64, false),
        Field::new("batch", DataType::Int64, false),
        Field::new("received_at", utc, false),
        Field::new("raw", DataType::Binary, false),
        Field::new("meta", dictionary, false),
    ])
}

fn properties(pipeline: PipelineId) -> Result<WriterProperties, LakeError> {
    let (event, batch, raw) = (
        ColumnPath::from("event"),
        ColumnPath::from("batch"),
        ColumnPath::from("raw"),
    );
    let text = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by("dash".into())
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_column_dictionary_enabled(event.clone(), false)
        .set_column_encoding(event, Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(batch.clone(), false)
        .set_column_encoding(batch, Encoding::DELTA_BINARY_PACKED)
        // Payloads hardly repeat, and their extremes tell nothing.
        .set_column_dictionary_enabled(raw.clone(), false)
        .set_column_statistics_enabled(raw, EnabledStatistics::None)
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]))
        .set_key_value_metadata(Some(vec![
            text("dash.pipeline", pipeline.to_string()),
            text("dash.version", env!("CARGO_PKG_VERSION").into()),
        ]))
        .build())
}

/// The row groups; each has at least one row.
fn groups(rows: &[RowRef<'_>]) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, row) in rows.iter().enumerate() {
        if at > start && (at - start == GROUP_ROWS || bytes + row.raw.len() > GROUP_BYTES) {
            groups.push(start..at);
            (start, bytes) = (at, 0);
        }
        bytes += row.raw.len();
    }
    if start < rows.len() {
        groups.push(start..rows.len());
    }
    groups
}

fn record_batch(schema: &Arc<Schema>, rows: &[RowRef<'_>]) -> Result<RecordBatch, LakeError> {
    let mut raw = BinaryBuilder::with_capacity(rows.len(), rows.iter().map(|r| r.raw.len()).sum());
    let mut meta = StringDictionaryBuilder::<Int32Type>::new();
    for row in rows {
        raw.append_value(row.raw);
        meta.append_value(row.meta);
    }
    let received = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.received_at.0));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.event.0))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.batch.0))),
            Arc::new(received.with_timezone("UTC")),
            Arc::new(raw.finish()),
            Arc::new(meta.finish()),
        ],
    );
    batch.map_err(|e| LakeError::Encode(e.into()))
}

/// Every row of an object. CPU work: call it on the blocking pool.
pub fn decode(object: Bytes) -> Result<Vec<LakeRow>, LakeError> {
    let metadata = guarded(|| Ok(ArrowReaderMetadata::load(&object, ArrowReaderOptions::new())?))?;
    let metadata = ours(metadata)?;
    let all = (0..metadata.metadata().num_row_groups()).collect();
    decode_groups(object, metadata, all)
}

/// The metadata of an object that has our columns. Of any other nothing is looked at: not even whether it has a first
/// column.
pub(crate) fn ours(metadata: ArrowReaderMetadata) -> Result<ArrowReaderMetadata, LakeError> {
    if metadata.schema().fields() == schema().fields() {
        Ok(metadata)
    } else {
        Err(wrong("the columns are not those of a lake object"))
    }
}

fn wrong(why: &str) -> LakeError {
    LakeError::Encode(ParquetError::General(why.into()))
}

/// Where the bytes of a row group lie in an object of `size` bytes.
pub(crate) fn byte_range(group: &RowGroupMetaData, size: u64) -> Result<Range<u64>, LakeError> {
    let columns = group.columns().iter().map(|column| {
        // As they are: `byte_range` of a column panics where one of them is negative.
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let end = start.checked_add(column.compressed_size())?;
        Some((u64::try_from(start).ok()?, u64::try_from(end).ok()?))
    });
    let all = columns.reduce(|a, b| {
        let (a, b) = (a?, b?);
        Some((a.0.min(b.0), a.1.max(b.1)))
    });
    match all.flatten() {
        Some((start, end)) if start <= end && end <= size => Ok(start..end),
        _ => Err(wrong("a row group lies outside of the object")),
    }
}

/// The rows of some row groups, in their order.
pub(crate) fn decode_groups<R: ChunkReader + 'static>(
    object: R,
    metadata: ArrowReaderMetadata,
    groups: Vec<usize>,
) -> Result<Vec<LakeRow>, LakeError> {
    for group in &groups {
        byte_range(metadata.metadata().row_group(*group), object.len())?;
    }
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(object, metadata)
        .with_row_groups(groups)
        .with_batch_size(READ_ROWS);
    let mut reader = guarded(|| Ok(builder.build()?))?;
    let mut rows = Vec::new();
    while let Some(batch) = guarded(|| reader.next().transpose().map_err(|e| LakeError::Encode(e.into())))? {
        append_rows(&batch, &mut rows)?;
    }
    Ok(rows)
}

/// Runs a part of the Parquet reader. It is made for files that a writer wrote: where bytes were changed since, it may
/// panic, and that is an error of the object like any other.
pub(crate) fn guarded<T>(read: impl FnOnce() -> Result<T, LakeError>) -> Result<T, LakeError> {
    // What it leaves behind is not looked at again: every caller ends with the error.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(wrong("the reader broke off: the object is damaged")))
}

fn append_rows(batch: &RecordBatch, rows: &mut Vec<LakeRow>) -> Result<(), LakeError> {
    if batch.schema().fields() != schema().fields() {
        return Err(wrong("the columns are not those of a lake object"));
    }
    // The types of the schema are what the object says, not what its pages hold.
    let other = || wrong("a column holds other values than it says");
    let event = batch.column(0).as_primitive_opt::<Int64Type>().ok_or_else(other)?;
    let of = batch.column(1).as_primitive_opt::<Int64Type>().ok_or_else(other)?;
    let received = batch.column(2).as_primitive_opt::<TimestampMicrosecondType>();
    let received = received.ok_or_else(other)?;
    let raw: &BinaryArray = batch.column(3).as_binary_opt().ok_or_else(other)?;
    let meta = batch.column(4).as_dictionary_opt::<Int32Type>().ok_or_else(other)?;
    let texts: Vec<Arc<str>> = meta
        .values()
        .as_string_opt::<i32>()
        .ok_or_else(other)?
        .iter()
        .map(|t| t.unwrap_or_default().into())
        .collect();
    // The records share the buffer they were decoded into.
    let shared = Bytes::from_owner(raw.values().clone());
    let offsets = raw.value_offsets();
    for row in 0..batch.num_rows() {
        let key = meta.keys().value(row) as usize;
        rows.push(LakeRow {
            event: EventSeq(event.value(row)),
            batch: EventSeq(of.value(row)),
            received_at: Micros(received.value(row)),
            raw: shared.slice(offsets[row] as usize..offsets[row + 1] as usize),
            meta: texts
                .get(key)
                .ok_or_else(|| wrong("a meta is not in its dictionary"))?
                .clone(),
        });
    }
    Ok(())
}

/// First and last event of a row group, from its statistics.
pub(crate) fn event_range(group: &RowGroupMetaData) -> Option<(EventSeq, EventSeq)> {
    match group.column(0).statistics()? {
        Statistics::Int64(s) => Some((EventSeq(*s.min_opt()?), EventSeq(*s.max_opt()?))),
        _ => None,
    }
}

/// The row groups that may hold an event of `from..=to`.
pub(crate) fn groups_between(metadata: &ParquetMetaData, from: EventSeq, to: EventSeq) -> Vec<usize> {
    let touches = |group: &RowGroupMetaData| event_range(group).is_none_or(|(first, last)| first <= to && last >= from);
    let groups = metadata.row_groups().iter().enumerate();
    groups.filter(|(_, group)| touches(group)).map(|(at, _)| at).collect()
}
