//! What hostile bodies cost: bytes are counted by the allocator, so that "bounded" is measured and not hoped for.
//! One test, because the counter is of the whole process.
#![allow(unsafe_code, reason = "a global allocator is unsafe to write")]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use arrow::array::{ArrayRef, BooleanArray, DictionaryArray, Int8Array, ListArray, NullArray, StringArray};
use common::{gzip, limits, stream_of};
use dash_ingest::{Encoding, Format, IngestError, Limits, decode};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes on to the system's allocator unchanged; only sizes are counted. `realloc` is left to its default,
// which allocates anew: the worst case of what the system's does.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;

/// Decodes and answers the most bytes that lived at once beside the body itself.
fn cost(body: Vec<u8>, format: Format, encoding: Encoding, limits: &Limits) -> (usize, Option<IngestError>) {
    let body = body.into();
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let error = decode(body, format, encoding, None, limits).err();
    (PEAK.load(Relaxed) - before, error)
}

/// Name, body, format, encoding, expected status, most MiB.
type Case = (&'static str, Vec<u8>, Format, Encoding, u16, usize);

#[test]
fn hostile_bodies_cost_at_most_a_small_multiple_of_the_inflated_size() {
    let limits = Limits {
        records_per_batch: 10_000_000,
        inflated_bytes: 16 * MIB,
        ..limits()
    };
    let zeros = vec![b' '; 200 * MIB];
    let (gzip_bomb, zstd_bomb) = (gzip(&zeros), zstd::encode_all(&zeros[..], 3).expect("memory"));
    drop(zeros);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(MIB)]));
    let named_often = DictionaryArray::new(Int8Array::from(vec![0; 100_000]), text.clone());
    let bits: ArrayRef = Arc::new(BooleanArray::from(vec![true; 100_000_000]));
    let one_row = arrow::buffer::OffsetBuffer::new(vec![0, 100_000_000].into());
    let field = Arc::new(arrow::datatypes::Field::new("item", bits.data_type().clone(), true));
    let bit_list = ListArray::new(field, one_row, bits, None);

    let cases: [Case; 7] = [
        // The default realloc of the counter holds the old and the new buffer: 16 + 16 MiB; and a window of at most 8 MiB.
        ("gzip bomb", gzip_bomb, Format::Json, Encoding::Gzip, 413, 41),
        ("zstd bomb", zstd_bomb, Format::Ndjson, Encoding::Zstd, 413, 41),
        (
            "brackets",
            vec![b'['; 16 * MIB],
            Format::Json,
            Encoding::Identity,
            400,
            8,
        ),
        (
            "short bad lines",
            b"x\n".repeat(8 * MIB - 1),
            Format::Ndjson,
            Encoding::Identity,
            422,
            8,
        ),
        (
            "dictionary",
            stream_of(vec![("a", Arc::new(named_often))]),
            Format::ArrowStream,
            Encoding::Identity,
            413,
            48,
        ),
        (
            "bits",
            stream_of(vec![("a", Arc::new(bit_list))]),
            Format::ArrowStream,
            Encoding::Identity,
            413,
            48,
        ),
        (
            "nulls",
            stream_of(vec![("a", Arc::new(NullArray::new(1 << 30)))]),
            Format::ArrowStream,
            Encoding::Identity,
            413,
            1,
        ),
    ];
    for (name, body, format, encoding, status, most_mib) in cases {
        let (bytes, error) = cost(body, format, encoding, &limits);
        assert_eq!(error.map(|e| e.problem().status()), Some(status), "{name}");
        assert!(
            bytes <= most_mib * MIB,
            "{name} cost {:.1} MiB",
            bytes as f64 / MIB as f64
        );
        println!("{name}: {:.1} MiB", bytes as f64 / MIB as f64);
    }
    let (bytes, error) = cost(
        text_lies_about_its_size(),
        Format::ArrowStream,
        Encoding::Identity,
        &limits,
    );
    assert!(error.is_some() && bytes < MIB, "a claim of 4 EiB cost {bytes} bytes");
}

/// A compressed stream whose buffer claims to unpack to 2^62 bytes.
fn text_lies_about_its_size() -> Vec<u8> {
    use arrow::ipc::{
        CompressionType,
        writer::{IpcWriteOptions, StreamWriter},
    };
    let array: ArrayRef = Arc::new(StringArray::from(vec!["z".repeat(77_777)]));
    let batch = arrow::array::RecordBatch::try_from_iter([("a", array)]).expect("batch");
    let options = IpcWriteOptions::default()
        .try_with_compression(Some(CompressionType::ZSTD))
        .expect("options");
    let mut out = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).expect("writer");
    out.write(&batch).expect("memory");
    let mut body = out.into_inner().expect("memory");
    let claim = 77_777i64.to_le_bytes();
    let at = body
        .windows(8)
        .rposition(|w| w == claim)
        .expect("the claim stands before the compressed bytes");
    body[at..at + 8].copy_from_slice(&(1i64 << 62).to_le_bytes());
    body
}
