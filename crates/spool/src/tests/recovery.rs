use std::{fs, path::Path};

use dash_model::EventSeq;
use tempfile::tempdir;

use super::*;
use crate::{OpenError, Stage, Torn, codec};

/// Fills a spool of `options` with `n` batches of 2 records and closes it.
async fn filled(options: &Options, n: usize) {
    let spool = open(options);
    for i in 0..n {
        spool.append(batch(i, 2)).await.unwrap();
    }
    spool.close().await;
}

fn refusal(options: &Options) -> String {
    Spool::open(options.clone(), START).map(|_| ()).unwrap_err().to_string()
}

fn flip(path: &Path, at: usize) {
    let mut data = fs::read(path).unwrap();
    data[at] ^= 0x40;
    fs::write(path, data).unwrap();
}

#[tokio::test]
async fn a_restart_hands_out_everything_that_was_not_removed_and_goes_on_counting() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 3).await;
    let spool = open(&options);
    // Done, but its segment is still there.
    spool.done(Stage::Silver, &[EventSeq(0)]);
    assert_eq!(spool.append(batch(3, 2)).await.unwrap(), EventSeq(6));
    spool.close().await;
    let spool = open(&options);
    let want: Vec<_> = (0..4).map(|n| expected(EventSeq(2 * n as i64), batch(n, 2))).collect();
    assert_eq!(read_all(&mut spool.reader()).await, want);
    assert_eq!(spool.depth().pending.silver.events, 8);
    assert_eq!(spool.depth().next, EventSeq(8));
}

#[tokio::test]
async fn a_cut_at_any_byte_of_the_newest_segment_keeps_the_frames_before_it() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 3).await;
    let file = segment_files(&options).remove(0);
    let data = fs::read(&file).unwrap();
    for cut in (codec::HEADER..data.len()).step_by(7).chain([data.len() - 1]) {
        fs::remove_dir_all(&options.dir).unwrap();
        fs::create_dir(&options.dir).unwrap();
        fs::write(&file, &data[..cut]).unwrap();
        let spool = open(&options);
        let read = read_all(&mut spool.reader()).await;
        // Frames differ by a key of 43 bytes in every second one.
        let bounds = [frame_end(&data, 1), frame_end(&data, 2)];
        let whole = bounds.iter().filter(|end| **end <= cut).count();
        assert_eq!(
            ids(&read),
            (0..whole).map(|n| 2 * n as i64).collect::<Vec<_>>(),
            "cut at {cut}"
        );
        // The next batch takes the place of what was cut.
        assert_eq!(spool.append(batch(9, 1)).await.unwrap(), EventSeq(2 * whole as i64));
        spool.close().await;
        let again = open(&options);
        assert_eq!(read_all(&mut again.reader()).await.len(), whole + 1, "cut at {cut}");
        again.close().await;
        let kept = fs::read_dir(&options.dir).unwrap().filter(|e| {
            let path = e.as_ref().unwrap().path();
            path.extension().is_some_and(|e| e == "torn")
        });
        assert_eq!(kept.count(), 0, "a short tail is not worth keeping");
    }
}

/// Where the n-th frame of a segment ends.
fn frame_end(data: &[u8], n: usize) -> usize {
    let mut at = codec::HEADER;
    for _ in 0..n {
        let length = u32::from_le_bytes(data[at + 4..at + 8].try_into().unwrap());
        at += codec::FRAME_HEAD + length as usize;
    }
    at
}

#[tokio::test]
async fn garbage_at_the_end_is_cut_and_kept_beside() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 2).await;
    let file = segment_files(&options).remove(0);
    let good = fs::read(&file).unwrap();
    fs::write(&file, [&good[..], b"what is this"].concat()).unwrap();
    let spool = open(&options);
    assert_eq!(read_all(&mut spool.reader()).await.len(), 2);
    assert_eq!(fs::read(&file).unwrap(), good);
    let kept = file.with_extension(format!("{}.torn", good.len()));
    assert_eq!(fs::read(kept).unwrap(), b"what is this");
    let torn = Torn { files: 1, bytes: 12 };
    assert_eq!(spool.depth().torn, torn);
    assert_eq!(spool.depth().bytes, good.len() as u64 + codec::HEADER as u64);
    // It stays, and is counted, until somebody removes it.
    spool.close().await;
    assert_eq!(open(&options).depth().torn, torn);
}

#[tokio::test]
async fn a_flipped_byte_before_good_frames_stops_the_start_and_changes_nothing() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 3).await;
    let file = segment_files(&options).remove(0);
    let good = fs::read(&file).unwrap();
    let second = frame_end(&good, 1);
    for at in second..frame_end(&good, 2) {
        fs::write(&file, &good).unwrap();
        flip(&file, at);
        let bad = fs::read(&file).unwrap();
        let message = refusal(&options);
        assert!(message.contains(&format!("at byte {second}")), "{message}");
        assert!(
            message.contains(file.to_str().unwrap()) && message.contains("restore"),
            "{message}"
        );
        assert_eq!(fs::read(&file).unwrap(), bad, "the damaged file was changed");
    }
    fs::write(&file, &good).unwrap();
    assert_eq!(read_all(&mut open(&options).reader()).await.len(), 3);
}

#[tokio::test]
async fn a_sealed_segment_that_is_cut_or_flipped_stops_the_start() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 2).await;
    filled(&options, 2).await;
    let file = segment_files(&options).remove(0);
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() - 1]).unwrap();
    assert!(refusal(&options).contains("sealed segment"), "{}", refusal(&options));
    fs::write(&file, &good).unwrap();
    flip(&file, good.len() - 1);
    assert!(refusal(&options).contains("sealed segment"), "{}", refusal(&options));
    fs::write(&file, &good).unwrap();
    flip(&file, 5);
    assert!(refusal(&options).contains("header"), "{}", refusal(&options));
}

#[tokio::test]
async fn a_segment_under_a_wrong_name_stops_the_start() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 2).await;
    let file = segment_files(&options).remove(0);
    fs::copy(&file, file.with_file_name(format!("{:019}.seg", 3))).unwrap();
    assert!(refusal(&options).contains("name"), "{}", refusal(&options));
}

#[tokio::test]
async fn drafts_of_a_crash_are_removed_and_foreign_files_left_alone() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 1).await;
    let draft = options.dir.join(format!("{:019}.tmp", 77));
    let foreign = options.dir.join("notes.txt");
    fs::write(&draft, b"half a hea").unwrap();
    fs::write(&foreign, b"mine").unwrap();
    open(&options).close().await;
    assert!(!draft.exists());
    assert_eq!(fs::read(foreign).unwrap(), b"mine");
}

#[tokio::test]
async fn sequences_go_on_although_everything_was_removed() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 300,
        ..options(&dir)
    };
    let spool = open(&options);
    let mut taken = Vec::new();
    for n in 0..5 {
        taken.push(spool.append(batch(n, 2)).await.unwrap());
    }
    spool.close().await;
    for _ in 0..3 {
        // Each start seals what was active before.
        let spool = open(&options);
        assert_eq!(spool.depth().next, EventSeq(10));
        spool.done(Stage::Silver, &taken);
        spool.done(Stage::Bronze, &taken);
        until("all is removed", || spool.depth().segments == 1).await;
        spool.close().await;
    }
    let spool = open(&options);
    assert_eq!(segment_files(&options).len(), 1);
    assert_eq!(spool.append(batch(1, 1)).await.unwrap(), EventSeq(10));
}

#[tokio::test]
async fn a_lost_directory_goes_on_where_the_database_says() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 2).await;
    fs::remove_dir_all(&options.dir).unwrap();
    let spool = Spool::open(options.clone(), EventSeq(500)).unwrap();
    assert_eq!(spool.append(batch(1, 1)).await.unwrap(), EventSeq(500));
    spool.close().await;
    // A database that knows less changes nothing, one that knows more moves on.
    let spool = Spool::open(options.clone(), EventSeq(3)).unwrap();
    assert_eq!(spool.append(batch(1, 1)).await.unwrap(), EventSeq(501));
    spool.close().await;
    let spool = Spool::open(options.clone(), EventSeq(600)).unwrap();
    assert_eq!(spool.append(batch(1, 1)).await.unwrap(), EventSeq(600));
    spool.close().await;
    assert_eq!(ids(&read_all(&mut open(&options).reader()).await), [500, 501, 600]);
}

#[tokio::test]
async fn two_processes_never_share_a_directory() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let spool = open(&options);
    let refused = Spool::open(options.clone(), START).map(|_| ()).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    spool.close().await;
    open(&options);
}

#[tokio::test]
async fn the_directory_of_another_node_is_refused() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    filled(&options, 1).await;
    let other = Options {
        node: 1,
        ..options.clone()
    };
    assert!(refusal(&other).contains("node 0"), "{}", refusal(&other));
    let of_node_1 = EventSeq::first_of_node(1);
    let refused = Spool::open(options, of_node_1).map(|_| ()).unwrap_err();
    assert!(
        matches!(refused, OpenError::Option { field: "min_next", .. }),
        "{refused}"
    );
}

#[test]
fn a_wrong_option_is_named() {
    let dir = tempdir().unwrap();
    let options = Options {
        queue_bytes: 10,
        ..options(&dir)
    };
    assert!(refusal(&options).contains("queue_bytes"));
    assert!(!options.dir.exists(), "a refused start left something behind");
}
