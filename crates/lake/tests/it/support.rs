use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use dash_lake::{
    LakeRow, Location, Manifest, PendingBatch, Pushed, S3Options, Store, Writer, WriterOptions, codec,
    manifest::MemoryManifest, open, test_support::S3Server,
};
use dash_model::{BatchId, DEFAULT_ORGANIZATION, EventSeq, Micros, PipelineId};
use uuid::Uuid;

/// 2026-11-23 00:00 UTC.
pub const DAY: i64 = 1_795_392_000_000_000;

pub fn pipeline(n: u128) -> PipelineId {
    PipelineId(Uuid::from_u128(n))
}

/// A batch of records that tell where they belong.
pub fn batch(first: i64, of: PipelineId, rows: usize) -> PendingBatch {
    let records: Vec<String> = (0..rows as i64)
        .map(|row| format!(r#"{{"event":{},"pipeline":"{of}","v":{}}}"#, first + row, row * 7 % 13))
        .collect();
    PendingBatch {
        id: EventSeq(first),
        organization: DEFAULT_ORGANIZATION,
        pipeline: of,
        received_at: Micros(DAY + first * 1_000),
        meta: Bytes::from(format!(r#"{{"batch":{first}}}"#)),
        records: records.iter().map(String::as_bytes).collect(),
    }
}

/// Batches of three pipelines, interleaved, with dense sequences: what a spool hands over.
pub fn spool(batches: usize) -> Vec<PendingBatch> {
    let mut next = 1;
    (0..batches)
        .map(|n| {
            let rows = 1 + n * 5 % 9;
            let made = batch(next, pipeline(1 + (n * n % 3) as u128), rows);
            next += rows as i64;
            made
        })
        .collect()
}

pub fn rows_of(batches: &[PendingBatch]) -> Vec<LakeRow> {
    let mut rows: Vec<LakeRow> = batches
        .iter()
        .flat_map(|b| {
            b.records.iter().enumerate().map(|(row, raw)| LakeRow {
                event: b.id.offset(row),
                batch: b.id,
                received_at: b.received_at,
                raw: Bytes::copy_from_slice(raw),
                meta: String::from_utf8(b.meta.to_vec()).unwrap().into(),
            })
        })
        .collect();
    rows.sort_by_key(|row| row.event);
    rows
}

/// Small objects and short pauses.
pub fn quick() -> WriterOptions {
    WriterOptions {
        object_bytes: 1_500,
        retry_first: Duration::from_millis(1),
        retry_most: Duration::from_millis(20),
        ..WriterOptions::default()
    }
}

pub fn local() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&Location::Directory(dir.path().join("lake")), &S3Options::default()).unwrap();
    (dir, store)
}

/// A bucket whose client gives up quickly and never repeats on its own: the writer has to.
pub async fn bucket() -> (S3Server, Store) {
    let server = S3Server::start().await;
    let options = S3Options {
        request_timeout: Duration::from_millis(500),
        retries: 0,
        ..server.options()
    };
    let store = open(&server.location("lake/here"), &options).unwrap();
    (server, store)
}

pub async fn writer(store: &Store, manifest: &Arc<MemoryManifest>, options: WriterOptions) -> Writer {
    let manifest: Arc<dyn Manifest> = manifest.clone();
    Writer::new(store.clone(), manifest, options).await.unwrap()
}

/// Pushes everything as the server does, and goes on until all of it is in the lake.
pub async fn drain(writer: &mut Writer, batches: &[PendingBatch]) -> Vec<BatchId> {
    let mut finished = Vec::new();
    for (n, batch) in batches.iter().enumerate() {
        let mut batch = batch.clone();
        loop {
            let id = batch.id;
            match writer.push(batch).unwrap() {
                Pushed::Buffered => break,
                Pushed::Finished => {
                    finished.push(id);
                    break;
                }
                Pushed::Full(back) => {
                    finished.extend(writer.flush_largest().await);
                    batch = back;
                }
            }
        }
        // Not after every batch, so that some lanes hold several objects.
        if n % 7 == 3 {
            finished.extend(writer.flush_due(Instant::now()).await);
        }
    }
    finish(writer, &mut finished).await;
    finished
}

/// Flushes until nothing waits.
pub async fn finish(writer: &mut Writer, finished: &mut Vec<BatchId>) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !writer.is_empty() {
        assert!(Instant::now() < give_up, "not written: {:?}", writer.status().borrow());
        finished.extend(writer.flush_all().await);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Exactly the pushed events are in the lake, each once, in the right objects, and every object is committed.
pub async fn assert_exact(store: &Store, manifest: &MemoryManifest, batches: &[PendingBatch]) {
    let objects = manifest.objects();
    let mut keys: Vec<String> = objects.iter().map(|(intent, _)| intent.key.clone()).collect();
    keys.sort();
    assert_eq!(
        store.list().await.unwrap(),
        keys,
        "one object for each intent, and no other"
    );
    let mut found: BTreeMap<EventSeq, LakeRow> = BTreeMap::new();
    for (intent, bytes) in &objects {
        let object = store.get(&intent.key).await.unwrap();
        assert_eq!(
            *bytes,
            Some(object.len() as u64),
            "{} is committed with its size",
            intent.key
        );
        let rows = codec::decode(object).unwrap();
        assert_eq!(rows.len() as u64, intent.rows);
        assert_eq!(rows.iter().map(|r| r.raw.len() as u64).sum::<u64>(), intent.raw_bytes);
        assert_eq!(rows.first().map(|r| r.event), Some(intent.first_event));
        assert_eq!(rows.last().map(|r| r.event), Some(intent.last_event));
        assert!(rows.is_sorted_by_key(|r| r.event));
        for row in rows {
            assert!(
                std::str::from_utf8(&row.raw)
                    .unwrap()
                    .contains(&intent.pipeline.to_string())
            );
            assert!(found.insert(row.event, row).is_none(), "an event is in two objects");
        }
    }
    assert_eq!(found.into_values().collect::<Vec<_>>(), rows_of(batches));
}

pub fn ids(batches: &[PendingBatch]) -> Vec<BatchId> {
    batches.iter().map(|b| b.id).collect()
}

pub fn sorted(mut ids: Vec<BatchId>) -> Vec<BatchId> {
    ids.sort();
    ids
}
