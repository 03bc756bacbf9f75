//! Arrow IPC streams: columns that become JSON objects, a row each.
//!
//! A hostile stream is small and claims much: buffers that unpack to terabytes, offsets that overlap, a dictionary
//! entry named a million times. So [`check_claims`] reads what each message claims before anything is allocated for
//! it, only types whose JSON grows with their bytes are taken, and each batch is weighed before it is written.

use std::{collections::HashSet, io, panic::AssertUnwindSafe, sync::Arc};

use arrow::{
    array::{Array, AsArray, RecordBatch, downcast_dictionary_array},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Fields, Schema},
    error::ArrowError,
    ipc::{MessageHeader, reader::StreamReader, root_as_message},
    json::{LineDelimitedWriter, WriterBuilder, writer::LineDelimited},
};

use crate::{Decoded, IngestError, Limits, json};

/// Dictionary messages of one stream: each may add to one that is there, which copies it.
const MAX_DICTIONARIES: usize = 1_000;
/// Times are UTC in Arrow whether they name a zone or none.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// Rows of `text` as JSON objects: times as RFC 3339 in UTC, binary as hex, nulls left out.
pub fn rows(text: &[u8], limits: &Limits) -> Result<Decoded, IngestError> {
    // The reader checks much, but it is written for files that one trusts: a panic of it is the body's fault.
    let lines = std::panic::catch_unwind(AssertUnwindSafe(|| write_lines(text, limits)))
        .unwrap_or_else(|_| Err(malformed("its content contradicts itself")))?;
    json::lines(lines.into(), None, limits)
}

fn write_lines(text: &[u8], limits: &Limits) -> Result<Vec<u8>, IngestError> {
    check_claims(text, limits)?;
    let reader = StreamReader::try_new(text, None).map_err(unreadable)?;
    let schema = utc_schema(&reader.schema(), limits)?;
    let mut out = Bounded {
        data: Vec::new(),
        limit: limits.inflated_bytes,
        full: false,
    };
    for batch in reader {
        let batch = in_utc(&batch.map_err(unreadable)?, &schema)?;
        let weight: usize = batch
            .columns()
            .iter()
            .zip(schema.fields())
            .map(|(column, field)| weigh_field(field, column, batch.num_rows()))
            .fold(0, usize::saturating_add);
        if weight > limits.inflated_bytes.saturating_sub(out.data.len()) {
            return Err(too_large(limits));
        }
        let mut writer: LineDelimitedWriter<_> = WriterBuilder::new()
            .with_timestamp_format(TIME_FORMAT.to_owned())
            .build::<_, LineDelimited>(&mut out);
        let written = writer.write(&batch);
        drop(writer);
        match written {
            Err(_) if out.full => return Err(too_large(limits)),
            other => other.map_err(unreadable)?,
        }
    }
    Ok(out.data)
}

/// Refuses a stream whose messages claim more rows, bytes or dictionaries than allowed.
fn check_claims(text: &[u8], limits: &Limits) -> Result<(), IngestError> {
    let word = |at: usize| -> Option<[u8; 4]> { text.get(at..at.checked_add(4)?)?.try_into().ok() };
    let cut = || malformed("it ends within a message");
    let (mut at, mut rows, mut unpacked, mut dictionaries) = (0usize, 0u64, 0u64, 0usize);
    while at < text.len() {
        let mut length = word(at).ok_or_else(cut)?;
        at += 4;
        if length == [0xFF; 4] {
            length = word(at).ok_or_else(cut)?;
            at += 4;
        }
        let length = usize::try_from(i32::from_le_bytes(length)).map_err(|_| malformed("a length is negative"))?;
        if length == 0 {
            break;
        }
        let head = text.get(at..at + length).ok_or_else(cut)?;
        at += length;
        let message = root_as_message(head).map_err(|e| malformed(&format!("a message is damaged ({e})")))?;
        let body = usize::try_from(message.bodyLength())
            .ok()
            .and_then(|length| text.get(at..at.checked_add(length)?))
            .ok_or_else(cut)?;
        at += body.len();
        let batch = match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch();
                rows = rows.saturating_add(batch.map_or(0, |b| b.length().unsigned_abs()));
                batch
            }
            MessageHeader::DictionaryBatch => {
                dictionaries += 1;
                message.header_as_dictionary_batch().and_then(|d| d.data())
            }
            _ => None,
        };
        let Some(batch) = batch else { continue };
        let mut claimed = 0u64;
        for buffer in batch.buffers().into_iter().flatten() {
            let end = buffer.offset().checked_add(buffer.length());
            if buffer.offset() < 0 || buffer.length() < 0 || end.is_none_or(|end| end as u64 > body.len() as u64) {
                return Err(malformed("a buffer lies outside its message"));
            }
            claimed = claimed.saturating_add(buffer.length().unsigned_abs());
            if batch.compression().is_some() && buffer.length() >= 8 {
                let prefix = usize::try_from(buffer.offset())
                    .ok()
                    .and_then(|start| body.get(start..start.checked_add(8)?)?.try_into().ok())
                    .ok_or_else(cut)?;
                // -1 says that this buffer is not compressed.
                unpacked = unpacked.saturating_add(i64::from_le_bytes(prefix).max(0).unsigned_abs());
            }
        }
        if claimed > body.len() as u64 {
            return Err(malformed("its buffers overlap"));
        }
    }
    if rows > u64::from(limits.records_per_batch) {
        return Err(IngestError::TooManyRecords {
            allowed: limits.records_per_batch,
        });
    }
    if unpacked > limits.inflated_bytes as u64 {
        return Err(IngestError::InflatedTooLarge {
            as_what: "uncompressed",
            allowed: limits.inflated_bytes,
        });
    }
    if dictionaries > MAX_DICTIONARIES {
        return Err(malformed("it has more than 1000 dictionary messages"));
    }
    Ok(())
}

/// The schema without time zones, after a check that all of it can be taken.
fn utc_schema(schema: &Schema, limits: &Limits) -> Result<Arc<Schema>, IngestError> {
    let mut names = HashSet::new();
    if let Some(twice) = schema.fields().iter().find(|f| !names.insert(f.name())) {
        let name: String = twice.name().chars().take(64).collect();
        return Err(malformed(&format!("the column {name:?} is there twice")));
    }
    let mut left = limits.fields_per_record;
    let fields = schema
        .fields()
        .iter()
        .map(|field| utc_field(field, false, &mut left, limits))
        .collect::<Result<Fields, _>>()?;
    Ok(Arc::new(Schema::new(fields)))
}

fn utc_field(field: &FieldRef, nested: bool, left: &mut u32, limits: &Limits) -> Result<FieldRef, IngestError> {
    *left = left.checked_sub(1).ok_or_else(|| {
        malformed(&format!(
            "it has more than {} columns and nested fields",
            limits.fields_per_record
        ))
    })?;
    let refused = || {
        let name: String = field.name().chars().take(64).collect();
        let ty: String = field.data_type().to_string().chars().take(100).collect();
        malformed(&format!(
            "column {name:?} has the type {ty}, which is not supported; cast it to a plain type"
        ))
    };
    use DataType as T;
    let ty = match field.data_type() {
        T::Timestamp(unit, _) => T::Timestamp(*unit, None),
        ty if ty.is_primitive() && !matches!(ty, T::Interval(_)) => ty.clone(),
        T::Boolean | T::Utf8 | T::LargeUtf8 | T::Binary | T::LargeBinary => field.data_type().clone(),
        // These name the same bytes many times, or none at all: taken only where one row can name them once. Views are not
        // taken at all: the reader checks each as text, gigabytes for a body of kilobytes.
        T::Null if !nested => field.data_type().clone(),
        T::Dictionary(_, values) if !nested && matches!(**values, T::Utf8 | T::LargeUtf8) => field.data_type().clone(),
        T::List(item) => T::List(utc_field(item, true, left, limits)?),
        T::LargeList(item) => T::LargeList(utc_field(item, true, left, limits)?),
        T::Struct(fields) if !fields.is_empty() => {
            let inner = fields.iter().map(|f| utc_field(f, true, left, limits));
            T::Struct(inner.collect::<Result<Fields, _>>()?)
        }
        _ => return Err(refused()),
    };
    Ok(Arc::new(Field::new(field.name(), ty, true)))
}

fn in_utc(batch: &RecordBatch, schema: &Arc<Schema>) -> Result<RecordBatch, IngestError> {
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(column.clone())
        } else {
            cast(column, field.data_type())
        }
    });
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(unreadable)
}

/// About how many bytes a column makes as JSON, its name in every row included; escapes are not counted.
fn weigh_field(field: &Field, array: &dyn Array, rows: usize) -> usize {
    (field.name().len() + 4)
        .saturating_mul(rows)
        .saturating_add(weigh(array))
}

fn weigh(array: &dyn Array) -> usize {
    let each = |bytes: usize| array.len().saturating_mul(bytes);
    match array.data_type() {
        DataType::Null | DataType::Boolean => each(5),
        DataType::Utf8 => each(2).saturating_add(array.as_string::<i32>().value_data().len()),
        DataType::LargeUtf8 => each(2).saturating_add(array.as_string::<i64>().value_data().len()),
        DataType::Binary => each(2).saturating_add(array.as_binary::<i32>().value_data().len() * 2),
        DataType::LargeBinary => each(2).saturating_add(array.as_binary::<i64>().value_data().len() * 2),
        DataType::List(_) => each(2).saturating_add(weigh(array.as_list::<i32>().values())),
        DataType::LargeList(_) => each(2).saturating_add(weigh(array.as_list::<i64>().values())),
        DataType::Struct(fields) => fields
            .iter()
            .zip(array.as_struct().columns())
            .map(|(field, column)| weigh_field(field, column, array.len()))
            .fold(each(2), usize::saturating_add),
        DataType::Dictionary(..) => downcast_dictionary_array!(
            array => {
                let values = array.values();
                let lengths: Vec<usize> = match values.data_type() {
                    DataType::Utf8 => values.as_string::<i32>().offsets().lengths().collect(),
                    _ => values.as_string::<i64>().offsets().lengths().collect(),
                };
                array.keys_iter().flatten().map(|key| lengths[key] + 2).fold(0, usize::saturating_add)
            },
            _ => usize::MAX
        ),
        ty => each(ty.primitive_width().unwrap_or(16) * 3),
    }
}

/// Takes bytes up to its limit, then fails.
struct Bounded {
    data: Vec<u8>,
    limit: usize,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.limit - self.data.len() {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.data.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_large(limits: &Limits) -> IngestError {
    IngestError::InflatedTooLarge {
        as_what: "written as JSON",
        allowed: limits.inflated_bytes,
    }
}

fn malformed(why: &str) -> IngestError {
    IngestError::Malformed(format!("it cannot be read as an Arrow IPC stream: {why}"))
}

fn unreadable(error: ArrowError) -> IngestError {
    malformed(&error.to_string().chars().take(200).collect::<String>())
}
