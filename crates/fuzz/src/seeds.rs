//! The inputs of the corpus that no hand writes: compressed bodies, Arrow streams, segments, Parquet objects.

use std::{io::Write, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch, StringArray, StructArray},
    datatypes::Int32Type,
    ipc::writer::StreamWriter,
};
use bytes::Bytes;
use dash_lake::{LakeRow, codec::encode};
use dash_model::{EventSeq, Micros, PipelineId};
use dash_spool::{NewBatch, fuzzing};
use uuid::Uuid;

/// Target, name of the file, bytes.
pub fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let body = b"{\"sensor\":\"door\",\"value\":21.5}\n{\"sensor\":\"window\",\"value\":-3}\n";
    let behind = |head: &str, body: &[u8]| [head.as_bytes(), body].concat();
    vec![
        ("ingest", "ndjson-gzip", behind("11000000\n", &gzip(body))),
        ("ingest", "ndjson-gzip-cut", behind("11000000\n", &gzip(body)[..30])),
        (
            "ingest",
            "ndjson-gzip-two-members",
            behind("11000000\n", &[gzip(body), gzip(body)].concat()),
        ),
        ("ingest", "ndjson-zstd", behind("12000000\n", &zstd(body))),
        (
            "ingest",
            "ndjson-zstd-bomb",
            behind("12000000\n", &zstd(&vec![b' '; 4 << 20])),
        ),
        ("ingest", "arrow", behind("60000000\n", &arrow_stream())),
        ("ingest", "arrow-small-limits", behind("60012110\n", &arrow_stream())),
        ("ingest", "arrow-gzip", behind("63000000\n", &arrow_stream())),
        ("spool", "segment", behind("0", &segment())),
        ("spool", "segment-cut", behind("0", &segment()[..segment().len() - 9])),
        ("spool", "segment-other-version", behind("0", &other_version())),
        ("spool", "frames", behind("1", &segment()[fuzzing::HEADER..])),
        (
            "spool",
            "payload",
            behind("2", &segment()[fuzzing::HEADER + 12..][..85]),
        ),
        ("lake", "object", behind("0", &object())),
        ("lake", "object-cut", behind("0", &object()[..200])),
        (
            "lake",
            "object-empty",
            behind("0", &encode(pipeline(), &[]).expect("no rows")),
        ),
    ]
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(body)
        .and_then(|()| out.finish())
        .expect("compresses in memory")
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::encode_all(body, 3).expect("compresses in memory")
}

fn arrow_stream() -> Vec<u8> {
    let place: ArrayRef = Arc::new(StringArray::from(vec![Some("hall"), None]));
    let place = StructArray::try_from(vec![("at", place)]).expect("one column");
    let kinds: DictionaryArray<Int32Type> = ["door", "window"].into_iter().collect();
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef, true),
        (
            "value",
            Arc::new(Float64Array::from(vec![21.5, f64::NAN])) as ArrayRef,
            true,
        ),
        (
            "open",
            Arc::new(BooleanArray::from(vec![true, false])) as ArrayRef,
            true,
        ),
        ("kind", Arc::new(kinds) as ArrayRef, true),
        ("place", Arc::new(place) as ArrayRef, true),
    ])
    .expect("columns of one length");
    let mut out = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("writes in memory");
    out.write(&batch).and_then(|()| out.finish()).expect("writes in memory");
    out.into_inner().expect("writes in memory")
}

fn pipeline() -> PipelineId {
    PipelineId(Uuid::from_u128(7))
}

fn segment() -> Vec<u8> {
    let batch = |n: i64| NewBatch {
        pipeline: pipeline(),
        received_at: Micros(1_700_000_000_000_000 + n),
        idempotency: None,
        meta: Bytes::from_static(b"{}"),
        records: [&b"{\"value\":1}"[..], b"{\"value\":2}"].into_iter().collect(),
        rejected: 0,
        rejections: vec![],
    };
    let mut out = fuzzing::header(0, EventSeq(0), 0xA1B2_C3D5);
    let next = fuzzing::commit(&mut out, 0xA1B2_C3D5, EventSeq(0), &[batch(0), batch(1)]);
    fuzzing::commit(&mut out, 0xA1B2_C3D5, next, &[batch(2)]);
    out
}

fn other_version() -> Vec<u8> {
    let mut out = segment();
    out[8] = 2;
    let crc = crc32c::crc32c(&out[..fuzzing::HEADER - 4]).to_le_bytes();
    out[fuzzing::HEADER - 4..fuzzing::HEADER].copy_from_slice(&crc);
    out
}

fn object() -> Vec<u8> {
    let rows: Vec<LakeRow> = (0..9)
        .map(|n| LakeRow {
            event: EventSeq(n),
            batch: EventSeq(n - n % 3),
            received_at: Micros(1_700_000_000_000_000 + n),
            raw: Bytes::from(format!("{{\"value\":{n}}}")),
            meta: if n < 3 { "{}".into() } else { "{\"a\":1}".into() },
        })
        .collect();
    encode(pipeline(), &rows).expect("no event occurs twice").to_vec()
}
