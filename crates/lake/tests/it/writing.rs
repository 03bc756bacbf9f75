use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dash_lake::{LakeError, Pushed, WriterOptions, manifest::MemoryManifest};
use dash_model::{DEFAULT_ORGANIZATION, EventSeq};

use crate::support::{assert_exact, batch, bucket, drain, finish, ids, local, pipeline, quick, sorted, spool, writer};

#[tokio::test]
async fn every_event_is_in_one_object_of_its_pipeline() {
    for remote in [false, true] {
        let ((_dir, local), (_server, bucket)) = (local(), bucket().await);
        let store = if remote { bucket } else { local };
        let manifest = Arc::new(MemoryManifest::default());
        let batches = spool(80);
        let mut writer = writer(&store, &manifest, quick()).await;
        let finished = drain(&mut writer, &batches).await;
        assert_eq!(sorted(finished), ids(&batches), "each batch is reported once");
        assert_exact(&store, &manifest, &batches).await;
        let status = writer.status().borrow().clone();
        assert_eq!(status.written_objects as usize, manifest.objects().len());
        assert_eq!(
            (status.buffered_bytes, status.buffered_rows, status.oldest),
            (0, 0, None)
        );
    }
}

#[tokio::test]
async fn a_key_tells_organization_pipeline_day_and_events() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let mut writer = writer(&store, &manifest, quick()).await;
    drain(&mut writer, &[batch(5, pipeline(9), 3)]).await;
    let key = format!(
        "{DEFAULT_ORGANIZATION}/{}/2026-11-23/00000000000000000005-00000000000000000007.parquet",
        pipeline(9)
    );
    assert_eq!(store.list().await.unwrap(), [key]);
}

#[tokio::test]
async fn size_and_age_decide_when_an_object_is_written() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let options = WriterOptions {
        object_bytes: 1_000,
        object_age: Duration::from_secs(60),
        ..quick()
    };
    let mut writer = writer(&store, &manifest, options).await;
    assert_eq!(writer.next_deadline(), None);
    writer.push(batch(0, pipeline(1), 2)).unwrap();
    let now = Instant::now();
    let deadline = writer.next_deadline().unwrap();
    assert!(deadline > now + Duration::from_secs(59) && deadline <= now + Duration::from_secs(60));
    assert_eq!(writer.flush_due(now).await, []);
    writer.push(batch(2, pipeline(2), 50)).unwrap();
    assert!(writer.next_deadline().unwrap() <= Instant::now(), "it is large enough");
    assert_eq!(writer.flush_due(now).await, [EventSeq(2)]);
    assert_eq!(writer.flush_due(now + Duration::from_secs(61)).await, [EventSeq(0)]);
    assert_eq!(writer.next_deadline(), None);
    assert!(writer.is_empty());
}

#[tokio::test]
async fn a_batch_without_events_is_finished_at_once() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let mut writer = writer(&store, &manifest, quick()).await;
    assert!(matches!(
        writer.push(batch(4, pipeline(1), 0)).unwrap(),
        Pushed::Finished
    ));
    assert!(writer.flush_all().await.is_empty() && manifest.objects().is_empty());
}

#[tokio::test]
async fn a_batch_pushed_again_is_not_written_again() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let mut writer = writer(&store, &manifest, quick()).await;
    let batches = spool(12);
    for again in 0..3 {
        for batch in &batches {
            let pushed = writer.push(batch.clone()).unwrap();
            assert!(matches!(pushed, Pushed::Buffered), "{again}: {pushed:?}");
        }
    }
    let mut finished = Vec::new();
    finish(&mut writer, &mut finished).await;
    assert_eq!(sorted(finished), ids(&batches));
    for batch in &batches {
        assert!(matches!(writer.push(batch.clone()).unwrap(), Pushed::Finished));
    }
    assert_exact(&store, &manifest, &batches).await;
}

#[tokio::test]
async fn a_late_batch_is_refused_and_not_taken_for_written() {
    let (_dir, store) = local();
    let mut writer = writer(&store, &Arc::default(), quick()).await;
    writer.push(batch(10, pipeline(1), 2)).unwrap();
    let error = writer.push(batch(5, pipeline(1), 2)).unwrap_err();
    assert!(
        matches!(
            error,
            LakeError::OutOfOrder {
                batch: EventSeq(5),
                after: EventSeq(10)
            }
        ),
        "{error}"
    );
    writer.push(batch(5, pipeline(2), 2)).unwrap();
}

#[tokio::test]
async fn a_full_buffer_hands_the_batch_back_and_makes_room() {
    let (_dir, store) = local();
    let manifest = Arc::new(MemoryManifest::default());
    let options = WriterOptions {
        object_bytes: 1 << 20,
        max_buffer_bytes: 4_000,
        ..quick()
    };
    let mut writer = writer(&store, &manifest, options).await;
    let batches = spool(60);
    let (mut finished, mut refused) = (Vec::new(), 0);
    for batch in &batches {
        while let Pushed::Full(back) = writer.push(batch.clone()).unwrap() {
            assert_eq!(back.id, batch.id);
            refused += 1;
            let freed = writer.flush_largest().await;
            assert!(!freed.is_empty());
            finished.extend(freed);
        }
        assert!(writer.status().borrow().buffered_bytes <= 4_000);
    }
    assert!(refused > 3);
    // One that is larger than the whole buffer is taken when nothing else is there.
    finish(&mut writer, &mut finished).await;
    let huge = batch(1_000_000, pipeline(1), 500);
    assert!(matches!(writer.push(huge.clone()).unwrap(), Pushed::Buffered));
    finish(&mut writer, &mut finished).await;
    let mut all = batches;
    all.push(huge);
    assert_eq!(sorted(finished), ids(&all));
    assert_exact(&store, &manifest, &all).await;
}
