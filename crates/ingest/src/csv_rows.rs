//! CSV: a header, then rows that become JSON objects of strings.

use std::collections::HashSet;

use bytes::BytesMut;
use csv::{ByteRecord, ReaderBuilder};

use crate::{Decoded, IngestError, Limits, collect::Collector};

/// Rows of `text` as JSON objects; the mapping casts their strings. A row's index does not count the header.
pub fn rows(text: &[u8], delimiter: Option<u8>, limits: &Limits) -> Result<Decoded, IngestError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or_else(|| sniff(text)))
        .flexible(true)
        .from_reader(text);
    let keys = header(reader.byte_headers().map_err(unreadable)?, limits)?;
    let mut out = Collector::new(limits);
    let mut data = BytesMut::new();
    let mut record = Vec::new();
    let mut row = ByteRecord::new();
    while reader.read_byte_record(&mut row).map_err(unreadable)? {
        if row.len() != keys.len() {
            out.reject(|| format!("it has {} fields; the header has {}", row.len(), keys.len()))?;
            continue;
        }
        record.clear();
        match write_row(&keys, &row, limits.record_bytes, &mut record) {
            Err(Refused::Utf8(column)) => out.reject(|| format!("field {} is not UTF-8", column + 1))?,
            Err(Refused::Size(found)) => out.reject_size(found)?,
            Ok(()) if data.len() + record.len() > limits.inflated_bytes => {
                return Err(IngestError::InflatedTooLarge {
                    as_what: "written as JSON",
                    allowed: limits.inflated_bytes,
                });
            }
            Ok(()) => {
                out.accept(data.len(), data.len() + record.len())?;
                data.extend_from_slice(&record);
            }
        }
    }
    out.finish(data.freeze())
}

enum Refused {
    /// The field, from 0.
    Utf8(usize),
    /// Bytes so far.
    Size(usize),
}

fn write_row(keys: &[Vec<u8>], row: &ByteRecord, limit: usize, out: &mut Vec<u8>) -> Result<(), Refused> {
    for (column, (key, field)) in keys.iter().zip(row).enumerate() {
        let text = std::str::from_utf8(field).map_err(|_| Refused::Utf8(column))?;
        out.push(if column == 0 { b'{' } else { b',' });
        out.extend_from_slice(key);
        serde_json::to_writer(&mut *out, text).expect("text is written into memory");
        if out.len() >= limit {
            return Err(Refused::Size(out.len() + 1));
        }
    }
    out.push(b'}');
    Ok(())
}

/// The names as JSON keys with their colons.
fn header(header: &ByteRecord, limits: &Limits) -> Result<Vec<Vec<u8>>, IngestError> {
    let wrong = |why: String| {
        Err(IngestError::Malformed(format!(
            "{why}; the first row of CSV names each column once"
        )))
    };
    if header.len() > limits.fields_per_record as usize {
        return wrong(format!(
            "the header has {} columns, {} are allowed",
            header.len(),
            limits.fields_per_record
        ));
    }
    let mut seen = HashSet::new();
    let mut keys = Vec::with_capacity(header.len());
    for (column, name) in header.iter().enumerate() {
        let Ok(name) = std::str::from_utf8(name) else {
            return wrong(format!("the name of column {} is not UTF-8", column + 1));
        };
        let name = name.trim();
        if name.is_empty() {
            return wrong(format!("column {} has no name", column + 1));
        }
        if !seen.insert(name) {
            return wrong(format!(
                "the name {:?} is there twice",
                name.chars().take(64).collect::<String>()
            ));
        }
        let mut key = serde_json::to_vec(name).expect("text is written into memory");
        key.push(b':');
        keys.push(key);
    }
    if keys.is_empty() {
        return wrong("the header is empty".into());
    }
    Ok(keys)
}

/// The delimiter that the header has most of outside quotes; a comma when it has none.
fn sniff(text: &[u8]) -> u8 {
    let (mut counts, mut quoted) = ([0u32; 3], false);
    for byte in text {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            b',' if !quoted => counts[0] += 1,
            b';' if !quoted => counts[1] += 1,
            b'\t' if !quoted => counts[2] += 1,
            _ => {}
        }
    }
    let [comma, semicolon, tab] = counts;
    if comma >= semicolon && comma >= tab {
        b','
    } else if semicolon >= tab {
        b';'
    } else {
        b'\t'
    }
}

fn unreadable(error: csv::Error) -> IngestError {
    IngestError::Malformed(format!("it cannot be read as CSV: {error}"))
}
