//! Events on their way to Bronze, as requests of a thousand bring them.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use dash_ingest::{Encoding, Format, Limits};
use dash_lake::{Location, PendingBatch, Pushed, Store, Writer, WriterOptions, manifest::MemoryManifest};
use dash_model::{DEFAULT_ORGANIZATION, EventSeq, Micros, PipelineId, RecordsPath, record::RecordSet};
use uuid::Uuid;

/// Records of a request.
pub const BATCH: usize = 1_000;
/// What the server notes about a request.
pub const META: &[u8] = br#"{"content_type":"application/x-ndjson"}"#;
/// When the first request came, in microseconds since 1970.
const RECEIVED: i64 = 1_790_000_000_000_000;
/// Between two requests, in microseconds.
const EVERY: i64 = 10_000;

pub fn pipeline() -> PipelineId {
    PipelineId(Uuid::from_u128(0x6461_7368))
}

pub fn received(batch: usize) -> Micros {
    Micros(RECEIVED + batch as i64 * EVERY)
}

/// The bodies of requests that together are `lines`, each of so many of them.
pub fn bodies(lines: &Bytes, each: usize) -> Vec<Bytes> {
    let mut bodies = Vec::new();
    let (mut start, mut found) = (0, 0);
    for end in memchr::memchr_iter(b'\n', lines) {
        found += 1;
        if found == each {
            bodies.push(lines.slice(start..=end));
            (start, found) = (end + 1, 0);
        }
    }
    if start < lines.len() {
        bodies.push(lines.slice(start..));
    }
    bodies
}

/// The records of one body.
///
/// # Errors
/// When the body, or one of its records, is not taken.
pub fn decode(body: &Bytes, format: Format, path: Option<&RecordsPath>) -> anyhow::Result<RecordSet> {
    let decoded = dash_ingest::decode(body.clone(), format, Encoding::Identity, path, &Limits::default())?;
    anyhow::ensure!(decoded.rejected_total == 0, "rejected: {:?}", decoded.rejected);
    Ok(decoded.records)
}

/// What a lake holds.
pub struct Written {
    pub store: Store,
    pub manifest: Arc<MemoryManifest>,
    pub objects: u64,
    pub events: u64,
    /// Of the records alone.
    pub raw_bytes: u64,
    /// Of the objects.
    pub bytes: u64,
}

/// Writes sets of records, each the batch of one request, into a new lake in this directory, with the writer that the server uses and
/// its default options.
///
/// # Errors
/// When an object cannot be written.
pub async fn write(location: Location, sets: impl IntoIterator<Item = RecordSet>) -> anyhow::Result<Written> {
    let store = dash_lake::open(&location, &dash_lake::S3Options::default())?;
    let manifest = Arc::new(MemoryManifest::default());
    let mut writer = Writer::new(store.clone(), manifest.clone(), WriterOptions::default()).await?;
    let status = writer.status();
    let (mut first, mut raw_bytes) = (EventSeq(1 << EventSeq::COUNTER_BITS), 0);
    for (number, records) in sets.into_iter().enumerate() {
        raw_bytes += records.bytes() as u64;
        let next = first.offset(records.len());
        let mut batch = PendingBatch {
            id: first,
            organization: DEFAULT_ORGANIZATION,
            pipeline: pipeline(),
            received_at: received(number),
            meta: Bytes::from_static(META),
            records,
        };
        while let Pushed::Full(back) = writer.push(batch)? {
            batch = back;
            writer.flush_largest().await;
        }
        writer.flush_due(std::time::Instant::now()).await;
        first = next;
    }
    writer.flush_all().await;
    let done = status.borrow().clone();
    anyhow::ensure!(writer.is_empty(), "objects could not be written: {:?}", done.failing);
    Ok(Written {
        store,
        manifest,
        objects: done.written_objects,
        events: done.written_rows,
        raw_bytes,
        bytes: done.written_bytes,
    })
}

/// So many even parts of `0..all`.
pub fn parts(all: usize, parts: usize) -> Vec<Range<usize>> {
    let each = all.div_ceil(parts.max(1)).max(1);
    (0..all)
        .step_by(each)
        .map(|from| from..(from + each).min(all))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_joined_are_the_lines() {
        let lines = Bytes::from_static(b"1\n22\n333\n4444");
        for each in 1..6 {
            let bodies = bodies(&lines, each);
            assert_eq!(bodies.concat(), lines);
            assert!(
                bodies
                    .iter()
                    .all(|b| b.split(|c| *c == b'\n').filter(|l| !l.is_empty()).count() <= each)
            );
        }
    }

    #[test]
    fn parts_cover_everything_once() {
        assert_eq!(parts(10, 3), [0..4, 4..8, 8..10]);
        assert_eq!(parts(2, 8), [0..1, 1..2]);
        assert_eq!(parts(0, 2), [] as [Range<usize>; 0]);
    }
}
