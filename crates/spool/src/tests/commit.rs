use std::time::Duration;

use dash_model::{EventSeq, PipelineId};
use tempfile::tempdir;
use uuid::Uuid;

use super::*;
use crate::{AppendError, Backlog, ReadError, Stage};

#[tokio::test]
async fn what_was_appended_is_read_back_byte_for_byte() {
    let dir = tempdir().unwrap();
    let spool = open(&options(&dir));
    let mut want = Vec::new();
    for n in 0..5 {
        let id = spool.append(batch(n, n)).await.unwrap();
        want.push(expected(id, batch(n, n)));
    }
    assert_eq!(read_all(&mut spool.reader()).await, want);
}

#[tokio::test]
async fn sequences_are_dense_and_an_empty_batch_takes_one() {
    let dir = tempdir().unwrap();
    let spool = open(&options(&dir));
    let mut got = Vec::new();
    for rows in [2, 0, 0, 3, 1] {
        got.push(spool.append(batch(1, rows)).await.unwrap().0);
    }
    assert_eq!(got, [0, 2, 3, 4, 7]);
    assert_eq!(spool.depth().next, EventSeq(8));
}

#[tokio::test]
async fn sequences_begin_at_the_node() {
    let dir = tempdir().unwrap();
    let options = Options {
        node: 255,
        ..options(&dir)
    };
    let spool = open(&options);
    let id = spool.append(batch(1, 1)).await.unwrap();
    assert_eq!(id, EventSeq::first_of_node(255));
    assert_eq!(id.node(), 255);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_share_commits_and_are_read_in_the_order_of_their_ids() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 20_000,
        ..options(&dir)
    };
    let spool = open(&options);
    let mut reader = spool.reader();
    let tasks: Vec<_> = (0..500)
        .map(|n| {
            let spool = spool.clone();
            tokio::spawn(async move { (spool.append(batch(n, n % 4)).await.unwrap(), n) })
        })
        .collect();
    let mut want = Vec::new();
    for task in tasks {
        let (id, n) = task.await.unwrap();
        want.push(expected(id, batch(n, n % 4)));
    }
    want.sort_by_key(|b| b.id);
    let dense = want.windows(2).all(|w| w[0].end() == w[1].id);
    assert!(dense, "sequences have gaps");
    assert!(segment_files(&options).len() > 2, "segments did not roll");
    assert_eq!(read_all(&mut reader).await, want);
    let commits = spool.commits();
    assert!(commits < 400, "{commits} commits for 500 appends: they are not grouped");
}

#[tokio::test]
async fn a_reader_follows_live_across_segments() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 1_000,
        ..options(&dir)
    };
    let spool = open(&options);
    let mut reader = spool.reader();
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        while all.len() < 50 {
            all.extend(reader.next(10_000).await.unwrap());
        }
        all
    });
    let mut want = Vec::new();
    for n in 0..50 {
        let id = spool.append(batch(n, 2)).await.unwrap();
        want.push(expected(id, batch(n, 2)));
    }
    assert_eq!(reading.await.unwrap(), want);
    assert!(segment_files(&options).len() > 5);
}

#[tokio::test]
async fn a_reader_answers_at_least_one_batch_and_not_much_more_than_asked() {
    let dir = tempdir().unwrap();
    let spool = open(&options(&dir));
    for n in 0..10 {
        spool.append(batch(n, 20)).await.unwrap();
    }
    let mut reader = spool.reader();
    for _ in 0..3 {
        assert_eq!(reader.next(1).await.unwrap().len(), 1);
    }
    let some = reader.next(2_000).await.unwrap().len();
    assert!((1..7).contains(&some), "{some}");
    assert_eq!(reader.next(1 << 20).await.unwrap().len(), 7 - some);
}

#[tokio::test]
async fn a_dropped_read_consumes_nothing() {
    let dir = tempdir().unwrap();
    let spool = open(&options(&dir));
    let mut reader = spool.reader();
    for n in 0..20 {
        spool.append(batch(n, 1)).await.unwrap();
    }
    let (mut got, mut dropped) = (Vec::new(), 0);
    while got.len() < 20 {
        // Polled once: mostly that only begins the read.
        tokio::select! {
            biased;
            more = reader.next(1) => got.extend(more.unwrap()),
            () = std::future::ready(()) => dropped += 1,
        }
        if dropped % 3 == 0 && got.len() < 20 {
            got.extend(reader.next(1).await.unwrap());
        }
    }
    assert!(dropped > 5, "nothing was dropped");
    assert_eq!(ids(&got), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_segment_goes_when_it_is_sealed_and_both_stages_are_done_with_all_of_it() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 1_000,
        ..options(&dir)
    };
    let spool = open(&options);
    while segment_files(&options).len() < 3 {
        spool.append(batch(1, 3)).await.unwrap();
    }
    let files = segment_files(&options);
    let second: i64 = files[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let all = read_all(&mut spool.reader()).await;
    let of_first: Vec<_> = all.iter().map(|b| b.id).filter(|id| id.0 < second).collect();
    assert!(of_first.len() > 1);

    spool.done(Stage::Bronze, &of_first);
    spool.done(Stage::Silver, &of_first[1..]);
    // Twice, and unknown ones: nothing comes of it.
    spool.done(Stage::Silver, &of_first[1..]);
    spool.done(Stage::Silver, &[EventSeq(1), EventSeq(i64::MAX), EventSeq(-1)]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(segment_files(&options), files, "removed although one batch is pending");

    spool.done(Stage::Silver, &of_first[..1]);
    until("the first segment is removed", || segment_files(&options) == files[1..]).await;
    assert_eq!(ids(&read_all(&mut spool.reader()).await)[0], second);

    // The active segment is never removed.
    let rest: Vec<_> = all.iter().map(|b| b.id).collect();
    spool.done(Stage::Silver, &rest);
    spool.done(Stage::Bronze, &rest);
    until("sealed segments are removed", || segment_files(&options).len() == 1).await;
    assert_eq!(spool.depth().pending.silver, Backlog::default());
}

#[tokio::test]
async fn age_seals_a_segment_that_holds_something() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_age: Duration::from_millis(50),
        ..options(&dir)
    };
    let spool = open(&options);
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(segment_files(&options).len(), 1, "an empty segment was sealed");
    let id = spool.append(batch(1, 1)).await.unwrap();
    spool.done(Stage::Silver, &[id]);
    spool.done(Stage::Bronze, &[id]);
    let next = options.dir.join(format!("{:019}.seg", 1));
    until("sealed and removed", || segment_files(&options) == [next.clone()]).await;
    assert_eq!(spool.append(batch(1, 1)).await.unwrap(), EventSeq(1));
}

#[tokio::test]
async fn a_reader_passes_over_segments_that_are_gone() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 200,
        ..options(&dir)
    };
    let spool = open(&options);
    let mut late = spool.reader();
    for n in 0..10 {
        spool.append(batch(n, 3)).await.unwrap();
    }
    assert_eq!(late.next(1).await.unwrap().len(), 1);
    let all: Vec<_> = read_all(&mut spool.reader()).await.iter().map(|b| b.id).collect();
    spool.done(Stage::Silver, &all[..9]);
    spool.done(Stage::Bronze, &all[..9]);
    until("removed", || spool.depth().segments == 1).await;
    assert_eq!(ids(&read_all(&mut late).await), [all[9].0]);
}

#[tokio::test]
async fn depth_and_pending_say_what_each_stage_has_to_do() {
    let dir = tempdir().unwrap();
    let spool = open(&options(&dir));
    let other = PipelineId(Uuid::from_u128(8));
    let mut got = Vec::new();
    for n in 0..6 {
        let mut new = batch(n, 2);
        if n % 2 == 1 {
            new.pipeline = other;
        }
        got.push(spool.append(new).await.unwrap());
    }
    let backlog = |batches: u64, received: i64| Backlog {
        batches,
        events: batches * 2,
        oldest: Some(Micros(1_000 + received)),
    };
    spool.done(Stage::Silver, &got[..1]);
    spool.done(Stage::Silver, &got[1..4]);
    spool.done(Stage::Bronze, &got[1..2]);
    let depth = spool.depth();
    assert_eq!(depth.pending.silver, backlog(2, 4));
    assert_eq!(depth.pending.of(Stage::Bronze), backlog(5, 0));
    assert_eq!(spool.pending(PIPELINE).silver, backlog(1, 4));
    assert_eq!(spool.pending(other).silver, backlog(1, 5));
    assert_eq!(spool.pending(other).bronze, backlog(2, 3));
    assert_eq!(spool.pending(PipelineId(Uuid::from_u128(9))), crate::Pending::default());
    assert_eq!((depth.segments, depth.queued_bytes, depth.stopped), (1, 0, None));
    let file = std::fs::metadata(&segment_files(&options(&dir))[0]).unwrap().len();
    assert_eq!(depth.bytes, file);
}

#[tokio::test]
async fn a_batch_beyond_the_limit_is_refused_for_ever() {
    let dir = tempdir().unwrap();
    let options = Options {
        max_batch_bytes: 1_000,
        ..options(&dir)
    };
    let spool = open(&options);
    let refused = spool.append(batch(1, 100)).await.unwrap_err();
    assert!(matches!(refused, AppendError::TooLarge { .. }), "{refused}");
    assert!(!refused.is_retryable());
    spool.append(batch(1, 1)).await.unwrap();
}

#[tokio::test]
async fn a_full_spool_refuses_until_it_is_trimmed() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 1_000,
        max_batch_bytes: 1_000,
        max_bytes: 3_000,
        ..options(&dir)
    };
    let spool = open(&options);
    let mut taken = Vec::new();
    let refused = loop {
        match spool.append(batch(1, 3)).await {
            Ok(id) => taken.push(id),
            Err(e) => break e,
        }
    };
    assert!(matches!(refused, AppendError::Full { .. }), "{refused}");
    assert!(refused.is_retryable());
    assert!(taken.len() > 3);
    assert!(spool.depth().bytes <= 3_000);
    spool.done(Stage::Silver, &taken);
    spool.done(Stage::Bronze, &taken);
    until("trimmed", || spool.depth().segments == 1).await;
    spool.append(batch(1, 3)).await.unwrap();
}

#[tokio::test]
async fn closing_commits_what_waits_and_ends_readers_after_the_last_batch() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let spool = open(&options);
    let mut reader = spool.reader();
    let waiting: Vec<_> = (0..100)
        .map(|n| {
            let spool = spool.clone();
            tokio::spawn(async move { spool.append(batch(n, 1)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    spool.close().await;
    let mut taken = 0;
    for task in waiting {
        match task.await.unwrap() {
            Ok(_) => taken += 1,
            Err(e) => assert!(matches!(e, AppendError::Stopped { .. }), "{e}"),
        }
    }
    assert!(taken > 0);
    let mut read = 0;
    let end = loop {
        match reader.next(1_000).await {
            Ok(batches) => read += batches.len(),
            Err(e) => break e,
        }
    };
    assert!(matches!(end, ReadError::Closed), "{end}");
    assert_eq!(read, taken);
    assert!(spool.append(batch(1, 1)).await.is_err());
    // The directory is free although the old handle still lives.
    assert_eq!(read_all(&mut open(&options).reader()).await.len(), taken);
}
