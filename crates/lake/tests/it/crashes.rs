//! A crash is a writer that is dropped; the next one finds what it left in the manifest and the store.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use dash_lake::{Intent, Manifest, ManifestError, Pushed, Store, Writer, WriterOptions, manifest::MemoryManifest};
use dash_model::{EventSeq, PipelineId};
use tokio::sync::Notify;

use crate::support::{assert_exact, batch, bucket, drain, finish, ids, local, pipeline, quick, sorted, spool, writer};

#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    BeforeIntent,
    /// Intended; not put.
    AfterIntent,
    /// Put; not committed.
    BeforeCommit,
    /// Committed; nobody heard of it.
    AfterCommit,
}

/// Hangs for ever at the `left`th passage of one step, as a process does that was killed there.
struct Dying {
    inner: Arc<MemoryManifest>,
    at: At,
    left: AtomicUsize,
    hangs: Notify,
}

impl Dying {
    async fn pass(&self, at: At) {
        if self.at == at && self.left.fetch_sub(1, Ordering::SeqCst) <= 1 {
            self.hangs.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Manifest for Dying {
    async fn intend(&self, intent: &Intent) -> Result<(), ManifestError> {
        self.pass(At::BeforeIntent).await;
        self.inner.intend(intent).await?;
        self.pass(At::AfterIntent).await;
        Ok(())
    }

    async fn commit(&self, key: &str, bytes: u64) -> Result<(), ManifestError> {
        self.pass(At::BeforeCommit).await;
        self.inner.commit(key, bytes).await?;
        self.pass(At::AfterCommit).await;
        Ok(())
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

/// One life that ends at a step, and lives after it, each with other sizes; at the end everything is there once.
async fn die_and_go_on(store: &Store, at: At, passage: usize) {
    let manifest = Arc::new(MemoryManifest::default());
    let batches = spool(60);
    let dying = Arc::new(Dying {
        inner: manifest.clone(),
        at,
        left: AtomicUsize::new(passage),
        hangs: Notify::new(),
    });
    let mut first = Writer::new(store.clone(), dying.clone(), quick()).await.unwrap();
    tokio::select! {
        _ = drain(&mut first, &batches[..40]) => panic!("{at:?}: it never came to passage {passage}"),
        () = dying.hangs.notified() => {}
    }
    drop(first);
    let left = manifest.objects();
    if at == At::AfterIntent || at == At::BeforeCommit {
        assert!(
            left.iter().any(|(_, bytes)| bytes.is_none()),
            "{at:?}: something was left intended"
        );
    }
    // Another life that gets nowhere: it pushes half and is dropped, too.
    let other = |object_bytes| WriterOptions {
        object_bytes,
        ..quick()
    };
    let mut second = writer(store, &manifest, other(400)).await;
    for batch in &batches[..25] {
        second.push(batch.clone()).unwrap();
    }
    drop(second);
    let mut third = writer(store, &manifest, other(2_600)).await;
    let finished = drain(&mut third, &batches).await;
    assert_eq!(sorted(finished), ids(&batches), "{at:?}: each batch is finished, once");
    assert_exact(store, &manifest, &batches).await;
    for (intent, _) in left {
        assert!(
            manifest.objects().iter().any(|(i, _)| *i == intent),
            "{at:?}: {} is kept",
            intent.key
        );
    }
}

#[tokio::test]
async fn a_crash_at_any_step_ends_in_the_same_objects_in_a_directory() {
    for at in [At::BeforeIntent, At::AfterIntent, At::BeforeCommit, At::AfterCommit] {
        for passage in [1, 2, 5] {
            let (_dir, store) = local();
            die_and_go_on(&store, at, passage).await;
        }
    }
}

#[tokio::test]
async fn a_crash_at_any_step_ends_in_the_same_objects_in_a_bucket() {
    for at in [At::BeforeIntent, At::AfterIntent, At::BeforeCommit, At::AfterCommit] {
        for passage in [1, 4] {
            let (_server, store) = bucket().await;
            die_and_go_on(&store, at, passage).await;
        }
    }
}

#[tokio::test]
async fn an_intended_object_is_gathered_again_whatever_came_between() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let of = pipeline(1);
    let batches = [
        batch(0, of, 5),
        batch(5, of, 5),
        batch(10, of, 5),
        batch(15, of, 5),
        batch(20, of, 5),
    ];
    // The middle one and its neighbour were intended by an earlier life; those before and after were not.
    let probe = Arc::new(MemoryManifest::default());
    drain(
        &mut writer(&local().1, &probe, WriterOptions::default()).await,
        &batches[1..3],
    )
    .await;
    let intent = probe.objects()[0].0.clone();
    manifest.intend(&intent).await.unwrap();

    let mut later = writer(&store, &manifest, WriterOptions::default()).await;
    let mut finished = drain(&mut later, &batches).await;
    finish(&mut later, &mut finished).await;
    let ranges: Vec<_> = manifest
        .objects()
        .iter()
        .map(|(i, _)| (i.first_event.0, i.last_event.0))
        .collect();
    assert_eq!(ranges, [(0, 4), (5, 14), (15, 24)], "no object reaches over another");
    assert_exact(&store, &manifest, &batches).await;
}

#[tokio::test]
async fn an_intended_object_whose_events_are_gone_is_reported() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let of = pipeline(1);
    let probe = Arc::new(MemoryManifest::default());
    drain(
        &mut writer(&local().1, &probe, WriterOptions::default()).await,
        &[batch(0, of, 5), batch(5, of, 5)],
    )
    .await;
    manifest.intend(&probe.objects()[0].0).await.unwrap();
    let mut writer = writer(&store, &manifest, quick()).await;
    assert!(matches!(writer.push(batch(5, of, 5)).unwrap(), Pushed::Buffered));
    assert!(matches!(writer.push(batch(10, of, 5)).unwrap(), Pushed::Buffered));
    assert_eq!(writer.flush_all().await, [EventSeq(10)], "the others go on");
    let failing = writer.status().borrow().failing.clone();
    assert!(
        failing[0].needs_attention && failing[0].error.contains("10 events, of which only 5"),
        "{failing:?}"
    );
}

#[tokio::test]
async fn committed_batches_are_finished_at_once_after_a_restart() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let batches = spool(30);
    drain(&mut writer(&store, &manifest, quick()).await, &batches).await;
    let mut again = writer(&store, &manifest, quick()).await;
    for batch in &batches {
        assert!(matches!(again.push(batch.clone()).unwrap(), Pushed::Finished));
    }
    assert!(again.is_empty());
}
