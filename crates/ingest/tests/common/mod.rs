//! What the tests of decoding share.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::{io::Write, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, DictionaryArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray,
        TimestampMillisecondArray, TimestampSecondArray,
    },
    datatypes::{Field, Int32Type, Schema},
    ipc::writer::StreamWriter,
};
use dash_ingest::{Decoded, Encoding, Format, IngestError, Limits, decode};
use dash_model::RecordsPath;

pub fn limits() -> Limits {
    Limits::default()
}

pub fn try_decode(body: &[u8], format: Format, path: Option<&RecordsPath>) -> Result<Decoded, IngestError> {
    decode(body.to_vec().into(), format, Encoding::Identity, path, &limits())
}

pub fn taken(decoded: &Decoded) -> Vec<&str> {
    decoded
        .records
        .iter()
        .map(|r| std::str::from_utf8(r).expect("UTF-8"))
        .collect()
}

pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(body).expect("memory");
    out.finish().expect("memory")
}

pub fn encodings(body: &[u8]) -> [(Encoding, Vec<u8>); 3] {
    [
        (Encoding::Identity, body.to_vec()),
        (Encoding::Gzip, gzip(body)),
        (Encoding::Zstd, zstd::encode_all(body, 3).expect("memory")),
    ]
}

pub fn stream_of(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(n, c)| Field::new(*n, c.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns.into_iter().map(|(_, c)| c).collect()).expect("batch");
    let mut out = StreamWriter::try_new(Vec::new(), &schema).expect("writer");
    out.write(&batch).expect("memory");
    out.into_inner().expect("memory")
}

/// Two rows of every kind of column.
pub fn arrow_stream() -> Vec<u8> {
    let truth: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), Some(2)].to_vec()), Some(vec![])]);
    stream_of(vec![
        (
            "at",
            Arc::new(TimestampMillisecondArray::from(vec![Some(1_767_323_045_678), None])),
        ),
        (
            "zone",
            Arc::new(TimestampSecondArray::from(vec![Some(1_767_323_045), None]).with_timezone("Europe/Berlin")),
        ),
        ("v", Arc::new(Float64Array::from(vec![Some(1.5), None]))),
        ("name", Arc::new(StringArray::from(vec!["x", "y\""]))),
        ("kind", Arc::new(DictionaryArray::<Int32Type>::from_iter(["k", "k"]))),
        ("list", Arc::new(list)),
        (
            "s",
            Arc::new(StructArray::from(vec![(
                Arc::new(Field::new("t", truth.data_type().clone(), true)),
                truth,
            )])),
        ),
    ])
}
