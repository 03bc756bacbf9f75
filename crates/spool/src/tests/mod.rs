//! Tests of the whole spool, and what they share.

mod codec;
mod commit;
mod faults;
mod kill;
mod ledger;
mod recovery;
mod speed;

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use dash_model::{BatchId, EventSeq, Micros, PipelineId, receipt::Rejection, record::RecordSet};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Batch, IdempotencyKey, NewBatch, Options, Reader, Spool};

const PIPELINE: PipelineId = PipelineId(Uuid::from_u128(7));
const START: EventSeq = EventSeq(0);

fn options(dir: &TempDir) -> Options {
    Options {
        min_free_bytes: 0,
        ..Options::new(dir.path().join("spool"), 0)
    }
}

fn open(options: &Options) -> Spool {
    Spool::open(options.clone(), START).unwrap()
}

/// A batch of `rows` records that say which they are.
fn batch(n: usize, rows: usize) -> NewBatch {
    let records: Vec<String> = (0..rows)
        .map(|row| format!("{{\"batch\":{n},\"row\":{row}}}"))
        .collect();
    NewBatch {
        pipeline: PIPELINE,
        received_at: Micros(1_000 + n as i64),
        idempotency: n.is_multiple_of(2).then(|| IdempotencyKey {
            key: format!("key {n}"),
            body_hash: [n as u8; 32],
        }),
        meta: Bytes::from(format!("{{\"n\":{n}}}")),
        records: records.iter().map(|r| r.as_bytes()).collect(),
        rejected: 3,
        rejections: vec![Rejection {
            index: 9,
            reason: "no JSON".into(),
        }],
    }
}

/// What reading `new` back gives. Record sets compare by their buffers too, so those are made alike.
fn expected(id: BatchId, new: NewBatch) -> Batch {
    Batch {
        id,
        pipeline: new.pipeline,
        received_at: new.received_at,
        idempotency: new.idempotency,
        meta: new.meta,
        records: alike(&new.records),
        rejected: new.rejected,
        rejections: new.rejections,
    }
}

fn alike(records: &RecordSet) -> RecordSet {
    records.iter().collect()
}

/// Reads until the reader would have to wait.
async fn read_all(reader: &mut Reader) -> Vec<Batch> {
    let mut all = Vec::new();
    while !reader.is_at_end() {
        all.extend(reader.next(1 << 20).await.unwrap());
    }
    all
}

fn ids(batches: &[Batch]) -> Vec<i64> {
    batches.iter().map(|b| b.id.0).collect()
}

/// The segment files by name.
fn segment_files(options: &Options) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(&options.dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "seg"))
        .collect();
    files.sort();
    files
}

/// Waits for what another thread does.
async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never happened: {what}");
}
