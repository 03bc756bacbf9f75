use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use arrow::array::RecordBatchReader;
use async_trait::async_trait;
use dash_lake::{Intent, Manifest, ManifestError, Writer, manifest::MemoryManifest, test_support::Fault};
use dash_model::{EventSeq, PipelineId};
use http::{Method, StatusCode};
use parquet::arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder};

use crate::support::{assert_exact, batch, bucket, drain, finish, ids, local, pipeline, quick, sorted, spool, writer};

/// The faults of a bad day; a slow answer is slower than the client waits.
const FAULTS: [Fault; 7] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::Status(429),
    Fault::DoneButStatus(500),
    Fault::Drop,
    Fault::LostAnswer,
    Fault::SlowAnswer(Duration::from_millis(700)),
];

#[tokio::test]
async fn each_fault_ends_in_one_right_object() {
    for fault in FAULTS {
        let (server, store) = bucket().await;
        let manifest = Arc::new(MemoryManifest::default());
        let mut writer = writer(&store, &manifest, quick()).await;
        server.faults.push(Method::PUT, fault);
        writer.push(batch(0, pipeline(1), 20)).unwrap();
        let first = writer.flush_all().await;
        assert!(first.is_empty(), "{fault:?} is no success");
        let failing = writer.status().borrow().failing.clone();
        assert_eq!(failing.len(), 1, "{fault:?}");
        assert!(
            !failing[0].needs_attention && failing[0].attempts == 1,
            "{:?}",
            failing[0]
        );
        let mut finished = first;
        finish(&mut writer, &mut finished).await;
        assert_eq!(finished.len(), 1);
        assert!(writer.status().borrow().failing.is_empty(), "all is well again");
        assert_exact(&store, &manifest, &[batch(0, pipeline(1), 20)]).await;
        let log = server.faults.log();
        let created = log
            .iter()
            .filter(|s| s.method == Method::PUT && s.status == Some(StatusCode::OK))
            .count();
        assert_eq!(created, 1, "{fault:?}: put once and only once");
        let done_at_first = matches!(
            fault,
            Fault::DoneButStatus(_) | Fault::LostAnswer | Fault::SlowAnswer(_)
        );
        let refused = log.iter().any(|s| s.status == Some(StatusCode::PRECONDITION_FAILED));
        assert_eq!(
            refused, done_at_first,
            "{fault:?}: the condition holds back the second put"
        );
    }
}

#[tokio::test]
async fn a_storm_of_faults_loses_nothing_and_writes_nothing_twice() {
    let (server, store) = bucket().await;
    let manifest = Arc::new(MemoryManifest::default());
    let batches = spool(120);
    // Three of four requests go wrong, reads included.
    let (mut n, mut faults) = (7_u32, FAULTS.iter().cycle());
    server.faults.plan(move |_, _| {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (n >> 16 & 3 != 0)
            .then(|| *faults.next().unwrap())
            .filter(|f| !matches!(f, Fault::SlowAnswer(_)) || n >> 20 & 3 == 0)
    });
    let mut writer = writer(&store, &manifest, quick()).await;
    let finished = drain(&mut writer, &batches).await;
    server.faults.clear();
    assert_eq!(sorted(finished), ids(&batches));
    assert_exact(&store, &manifest, &batches).await;
}

#[tokio::test]
async fn the_clients_own_repetition_after_a_commit_is_no_conflict() {
    let (server, _) = bucket().await;
    let options = dash_lake::S3Options {
        retries: 3,
        ..server.options()
    };
    let store = dash_lake::open(&server.location("x"), &options).unwrap();
    let manifest = Arc::new(MemoryManifest::default());
    let mut writer = writer(&store, &manifest, quick()).await;
    server.faults.push(Method::PUT, Fault::DoneButStatus(500));
    writer.push(batch(0, pipeline(1), 20)).unwrap();
    assert_eq!(writer.flush_all().await.len(), 1, "within one call");
    assert_exact(&store, &manifest, &[batch(0, pipeline(1), 20)]).await;
}

#[tokio::test]
async fn what_somebody_else_put_there_is_neither_overwritten_nor_taken_for_ours() {
    let (server, store) = bucket().await;
    let manifest = Arc::new(MemoryManifest::default());
    let (mine, other) = (batch(0, pipeline(1), 20), batch(20, pipeline(2), 20));
    // The same key with other rows: written under another manifest.
    let mut foreign = mine.clone();
    foreign.meta = "{}".into();
    drain(&mut writer(&store, &Arc::default(), quick()).await, &[foreign]).await;
    let key = store.list().await.unwrap()[0].clone();
    let theirs = store.get(&key).await.unwrap();

    let mut writer = writer(&store, &manifest, quick()).await;
    writer.push(mine.clone()).unwrap();
    writer.push(other.clone()).unwrap();
    let finished = writer.flush_all().await;
    assert_eq!(finished, [other.id], "the other pipeline goes on");
    let failing = writer.status().borrow().failing.clone();
    assert!(
        failing[0].needs_attention && failing[0].error.contains(&key),
        "{failing:?}"
    );
    assert_eq!(failing[0].key, key);
    assert_eq!(store.get(&key).await.unwrap(), theirs);
    assert!(!writer.is_empty(), "its events are kept");

    // Somebody moves it away: the writer gets over it.
    server.remove(&format!("lake/here/{key}"));
    let mut finished = Vec::new();
    finish(&mut writer, &mut finished).await;
    assert_eq!(finished, [mine.id]);
    assert_exact(&store, &manifest, &[mine, other]).await;
}

#[tokio::test]
async fn an_object_of_another_release_with_the_same_rows_is_ours() {
    let (dir, store) = local();
    let mine = batch(0, pipeline(1), 30);
    drain(
        &mut writer(&store, &Arc::default(), quick()).await,
        std::slice::from_ref(&mine),
    )
    .await;
    let key = store.list().await.unwrap()[0].clone();
    let ours = store.get(&key).await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(ours.clone())
        .unwrap()
        .build()
        .unwrap();
    let mut theirs = Vec::new();
    let mut rewriter = ArrowWriter::try_new(&mut theirs, RecordBatchReader::schema(&reader), None).unwrap();
    for rows in reader {
        rewriter.write(&rows.unwrap()).unwrap();
    }
    rewriter.close().unwrap();
    assert_ne!(theirs, ours, "no compression, no metadata");
    std::fs::write(dir.path().join("lake").join(&key), &theirs).unwrap();

    let manifest = Arc::new(MemoryManifest::default());
    let mut writer = writer(&store, &manifest, quick()).await;
    writer.push(mine.clone()).unwrap();
    assert_eq!(writer.flush_all().await, [mine.id]);
    assert_eq!(store.get(&key).await.unwrap(), theirs, "it stays as it is");
    assert_exact(&store, &manifest, &[mine]).await;
}

/// Fails three of five calls; a failed commit was done all the same.
#[derive(Default)]
struct Flaky {
    inner: Arc<MemoryManifest>,
    calls: AtomicUsize,
}

impl Flaky {
    fn call(&self) -> Result<(), ManifestError> {
        // Two in a row get through: an intent and its commit.
        match self.calls.fetch_add(1, Ordering::SeqCst) % 5 {
            0..=2 => Err("the database is starting".into()),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Manifest for Flaky {
    async fn intend(&self, intent: &Intent) -> Result<(), ManifestError> {
        self.call()?;
        self.inner.intend(intent).await
    }

    async fn commit(&self, key: &str, bytes: u64) -> Result<(), ManifestError> {
        self.inner.commit(key, bytes).await?;
        self.call()
    }

    async fn intended(&self, from: EventSeq, to: EventSeq) -> Result<Vec<Intent>, ManifestError> {
        self.inner.intended(from, to).await
    }

    async fn committed_ranges(
        &self,
        from: EventSeq,
        to: EventSeq,
    ) -> Result<Vec<(PipelineId, EventSeq, EventSeq)>, ManifestError> {
        self.inner.committed_ranges(from, to).await
    }
}

#[tokio::test]
async fn a_manifest_that_fails_is_asked_again() {
    let (_dir, store) = local();
    let manifest = Arc::new(Flaky::default());
    let batches = spool(30);
    let mut writer = Writer::new(store.clone(), manifest.clone(), quick()).await.unwrap();
    writer.push(batches[0].clone()).unwrap();
    assert!(writer.flush_all().await.is_empty());
    let error = writer.status().borrow().failing[0].error.clone();
    assert!(error.contains("manifest") && error.contains("starting"), "{error}");
    let mut finished = drain(&mut writer, &batches).await;
    finish(&mut writer, &mut finished).await;
    assert_eq!(sorted(finished), ids(&batches));
    assert_exact(&store, &manifest.inner, &batches).await;
}

#[tokio::test]
async fn a_cancelled_flush_loses_nothing() {
    let (server, store) = bucket().await;
    let manifest = Arc::new(MemoryManifest::default());
    let batches = spool(40);
    let mut writer = writer(&store, &manifest, quick()).await;
    for batch in &batches {
        writer.push(batch.clone()).unwrap();
    }
    server
        .faults
        .plan(|method, _| (method == Method::PUT).then_some(Fault::SlowAnswer(Duration::from_millis(20))));
    let mut cancelled = 0;
    let mut finished = Vec::new();
    for pause in [1, 5, 15, 25, 30, 45, 60, 80] {
        match tokio::time::timeout(Duration::from_millis(pause), writer.flush_all()).await {
            Ok(done) => finished.extend(done),
            Err(_) => cancelled += 1,
        }
    }
    assert!(cancelled > 3);
    finish(&mut writer, &mut finished).await;
    finished.extend(writer.flush_all().await);
    assert_eq!(sorted(finished), ids(&batches));
    assert_exact(&store, &manifest, &batches).await;
}

#[tokio::test]
async fn pauses_grow_while_the_storage_is_down() {
    let (server, store) = bucket().await;
    server.faults.plan(|_, _| Some(Fault::Status(503)));
    let options = dash_lake::WriterOptions {
        retry_first: Duration::from_secs(10),
        retry_most: Duration::from_secs(100),
        ..quick()
    };
    let mut writer = writer(&store, &Arc::default(), options).await;
    writer.push(batch(0, pipeline(1), 100)).unwrap();
    let now = Instant::now();
    assert!(writer.flush_due(now).await.is_empty());
    let first = writer.next_deadline().unwrap() - now;
    assert!(
        first >= Duration::from_secs(5) && first < Duration::from_secs(11),
        "{first:?}"
    );
    let tries = server.faults.log().len();
    writer.flush_due(now).await;
    assert_eq!(server.faults.log().len(), tries, "not before its time");
    for n in 1..6 {
        writer.flush_due(now + Duration::from_secs(200)).await;
        assert_eq!(server.faults.log().len(), tries + n);
    }
    assert!(writer.next_deadline().unwrap() - now >= Duration::from_secs(50));
    let failing = writer.status().borrow().failing[0].clone();
    assert!(failing.attempts == 6 && failing.error.contains("503"), "{failing:?}");
}
