//! A disk that fails on purpose.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Condvar, Mutex};
use tempfile::tempdir;

use super::*;
use crate::{
    AppendError, ReadError, Stage,
    disk::{Disk, DiskFile, RealDisk},
};

#[derive(Default)]
struct Faults {
    /// Bytes that can still be written.
    space: Option<u64>,
    free: Option<u64>,
    fail_write: bool,
    fail_sync: bool,
    fail_create: bool,
    fail_cut: bool,
    panic_sync: bool,
    hold_sync: bool,
    syncs: u64,
    /// How often it was asked for its space.
    asks: u64,
}

#[derive(Clone, Default)]
struct FaultyDisk(Arc<(Mutex<Faults>, Condvar)>);

struct FaultyFile {
    file: Box<dyn DiskFile>,
    disk: FaultyDisk,
}

impl FaultyDisk {
    fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.0.lock());
        self.0.1.notify_all();
    }

    fn spool(&self, options: &Options) -> Spool {
        Spool::open_on(Arc::new(self.clone()), options.clone(), START).unwrap()
    }

    fn wrap(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(FaultyFile {
            file,
            disk: self.clone(),
        })
    }
}

fn broken() -> io::Error {
    io::Error::from_raw_os_error(5)
}

fn no_space() -> io::Error {
    io::Error::from_raw_os_error(28)
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if self.0.0.lock().fail_create {
            return Err(io::Error::from_raw_os_error(24));
        }
        RealDisk.create(path).map(|f| self.wrap(f))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path).map(|f| self.wrap(f))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        let mut faults = self.0.0.lock();
        faults.asks += 1;
        Ok(faults.free.unwrap_or(u64::MAX))
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&mut self, data: &[u8], offset: u64) -> io::Result<usize> {
        let mut faults = self.disk.0.0.lock();
        if faults.fail_write {
            // Half of it arrives, as on a real disk.
            let half = data.len() / 2;
            self.file.write_at(&data[..half], offset)?;
            return Err(broken());
        }
        let fits = match &mut faults.space {
            None => data.len(),
            Some(0) => return Err(no_space()),
            Some(space) => {
                let fits = data.len().min(*space as usize);
                *space -= fits as u64;
                fits
            }
        };
        self.file.write_at(&data[..fits], offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut faults = self.disk.0.0.lock();
        while faults.hold_sync {
            self.disk.0.1.wait(&mut faults);
        }
        faults.syncs += 1;
        assert!(!faults.panic_sync, "a fault in the program");
        if faults.fail_sync {
            return Err(broken());
        }
        self.file.sync()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        if self.disk.0.0.lock().fail_cut {
            return Err(broken());
        }
        self.file.set_len(len)
    }
}

fn active(options: &Options) -> PathBuf {
    segment_files(options).pop().unwrap()
}

#[tokio::test]
async fn a_failed_sync_stops_for_good_and_is_not_tried_again() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    let mut reader = spool.reader();
    spool.append(batch(0, 1)).await.unwrap();
    // One in flight, the others wait behind it.
    disk.set(|f| (f.hold_sync, f.fail_sync) = (true, true));
    let waiting: Vec<_> = (1..10)
        .map(|n| {
            let spool = spool.clone();
            tokio::spawn(async move { spool.append(batch(n, 1)).await })
        })
        .collect();
    let all: usize = (1..10).map(|n| crate::codec::frame_len(&batch(n, 1))).sum();
    until("all wait", || spool.depth().queued_bytes == all).await;
    let before = disk.0.0.lock().syncs;
    disk.set(|f| f.hold_sync = false);
    for task in waiting {
        let refused = task.await.unwrap().unwrap_err();
        assert!(
            matches!(&refused, AppendError::Stopped { why } if why.contains("flushing")),
            "{refused}"
        );
    }
    // The disk is well again, but what it holds is not known.
    disk.set(|f| f.fail_sync = false);
    assert!(matches!(
        spool.append(batch(1, 1)).await,
        Err(AppendError::Stopped { .. })
    ));
    assert_eq!(disk.0.0.lock().syncs, before + 1);
    assert!(spool.depth().stopped.unwrap().contains("flushing"));
    // What was acknowledged is handed out, then the reader ends.
    assert_eq!(ids(&reader.next(1 << 20).await.unwrap()), [0]);
    assert!(matches!(reader.next(1 << 20).await, Err(ReadError::Stopped { .. })));
    spool.close().await;
    assert_eq!(ids(&read_all(&mut open(&options).reader()).await), [0]);
}

#[tokio::test]
async fn a_failed_write_stops_for_good_and_leaves_nothing_of_itself() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    spool.append(batch(0, 1)).await.unwrap();
    let len = std::fs::metadata(active(&options)).unwrap().len();
    disk.set(|f| f.fail_write = true);
    assert!(matches!(
        spool.append(batch(1, 1)).await,
        Err(AppendError::Stopped { .. })
    ));
    assert_eq!(std::fs::metadata(active(&options)).unwrap().len(), len);
    spool.close().await;
    let spool = open(&options);
    assert_eq!(spool.append(batch(1, 1)).await.unwrap(), EventSeq(1));
}

#[tokio::test]
async fn a_fault_in_the_program_leaves_nobody_waiting() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    disk.set(|f| (f.hold_sync, f.panic_sync) = (true, true));
    let waiting: Vec<_> = (0..5)
        .map(|n| {
            let spool = spool.clone();
            tokio::spawn(async move { spool.append(batch(n, 1)).await })
        })
        .collect();
    until("they wait", || spool.depth().queued_bytes > 500).await;
    disk.set(|f| f.hold_sync = false);
    for task in waiting {
        assert!(matches!(task.await.unwrap(), Err(AppendError::Stopped { .. })));
    }
    spool.close().await;
    assert!(spool.depth().stopped.unwrap().contains("fault in the program"));
    assert!(matches!(spool.reader().next(1).await, Err(ReadError::Stopped { .. })));
    open(&options);
}

#[tokio::test]
async fn a_new_segment_that_cannot_be_flushed_stops() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 100,
        ..options(&dir)
    };
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    spool.append(batch(0, 1)).await.unwrap();
    disk.set(|f| f.fail_sync = true);
    let refused = spool.append(batch(1, 1)).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::Stopped { why } if why.contains(".tmp")),
        "{refused}"
    );
    spool.close().await;
    let spool = open(&options);
    assert_eq!(ids(&read_all(&mut spool.reader()).await), [0]);
    assert_eq!(spool.append(batch(1, 1)).await.unwrap(), EventSeq(1));
}

#[tokio::test]
async fn a_full_disk_refuses_cuts_what_it_wrote_and_recovers() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    spool.append(batch(0, 1)).await.unwrap();
    let len = std::fs::metadata(active(&options)).unwrap().len();
    // Room for a part of the frame only.
    disk.set(|f| f.space = Some(50));
    let refused = spool.append(batch(1, 1)).await.unwrap_err();
    assert_eq!(refused, AppendError::DiskFull);
    assert!(refused.is_retryable());
    assert!(spool.depth().disk_full);
    assert_eq!(std::fs::metadata(active(&options)).unwrap().len(), len);
    disk.set(|f| f.space = None);
    assert_eq!(spool.append(batch(2, 1)).await.unwrap(), EventSeq(1));
    assert!(!spool.depth().disk_full);
    spool.close().await;
    let want = [(0, 0), (1, 2)].map(|(id, n)| expected(EventSeq(id), batch(n, 1)));
    assert_eq!(read_all(&mut open(&options).reader()).await, want);
}

#[tokio::test]
async fn a_full_disk_whose_write_cannot_be_taken_back_stops() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    disk.set(|f| (f.space, f.fail_cut) = (Some(50), true));
    assert!(matches!(
        spool.append(batch(1, 1)).await,
        Err(AppendError::Stopped { .. })
    ));
}

#[tokio::test]
async fn the_reserve_of_the_disk_is_not_touched() {
    let dir = tempdir().unwrap();
    let options = Options {
        min_free_bytes: 1_000_000,
        ..options(&dir)
    };
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    disk.set(|f| f.free = Some(1_000_010));
    assert_eq!(spool.append(batch(1, 1)).await, Err(AppendError::DiskFull));
    disk.set(|f| f.free = Some(2_000_000));
    assert_eq!(spool.append(batch(1, 1)).await, Ok(EventSeq(0)));
}

#[tokio::test]
async fn a_disk_that_was_cleared_is_found_to_have_space_although_nothing_comes() {
    let dir = tempdir().unwrap();
    let options = Options {
        min_free_bytes: 1_000_000,
        ..options(&dir)
    };
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    disk.set(|f| f.free = Some(999_999));
    assert_eq!(spool.append(batch(1, 1)).await, Err(AppendError::DiskFull));
    let (begun, before) = (std::time::Instant::now(), disk.0.0.lock().asks);
    for _ in 0..1_000 {
        assert!(spool.depth().disk_full);
    }
    let asked = disk.0.0.lock().asks - before;
    assert!(asked <= begun.elapsed().as_secs(), "asked {asked} times");
    // The reserve alone is not enough: the batch that was refused did not fit.
    disk.set(|f| f.free = Some(1_000_010));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(spool.depth().disk_full);
    disk.set(|f| f.free = Some(2_000_000));
    until("it has space again", || !spool.depth().disk_full).await;
    // A disk that has space is not asked.
    let before = disk.0.0.lock().asks;
    assert!(!spool.depth().disk_full);
    assert_eq!(disk.0.0.lock().asks, before);
}

#[tokio::test]
async fn a_write_that_a_quota_refused_needs_more_space_than_there_was() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    // It says that there is room, and takes nothing.
    disk.set(|f| (f.space, f.free) = (Some(0), Some(1_000_000)));
    assert_eq!(spool.append(batch(1, 1)).await, Err(AppendError::DiskFull));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(spool.depth().disk_full);
    disk.set(|f| f.free = Some(2_000_000));
    until("it has space again", || !spool.depth().disk_full).await;
}

#[tokio::test]
async fn nothing_is_acknowledged_or_read_before_the_sync() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    let mut reader = spool.reader();
    disk.set(|f| f.hold_sync = true);
    let appending = {
        let spool = spool.clone();
        tokio::spawn(async move { spool.append(batch(0, 1)).await })
    };
    until("it is written", || {
        std::fs::metadata(active(&options)).unwrap().len() > 100
    })
    .await;
    let read = tokio::time::timeout(Duration::from_millis(100), reader.next(1 << 20)).await;
    assert!(read.is_err(), "read before the sync");
    assert!(!appending.is_finished(), "acknowledged before the sync");
    assert_eq!(spool.depth().pending.silver.batches, 0);
    disk.set(|f| f.hold_sync = false);
    assert_eq!(appending.await.unwrap(), Ok(EventSeq(0)));
    assert_eq!(reader.next(1 << 20).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_queue_is_busy_and_takes_again_later() {
    let dir = tempdir().unwrap();
    let options = Options {
        queue_bytes: 1_000,
        max_batch_bytes: 1_000,
        ..options(&dir)
    };
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    disk.set(|f| f.hold_sync = true);
    let appends: Vec<_> = (0..50)
        .map(|n| {
            let spool = spool.clone();
            tokio::spawn(async move { spool.append(batch(n, 1)).await })
        })
        .collect();
    until("some are refused", || appends.iter().any(|a| a.is_finished())).await;
    // What waits, and one group.
    assert!(spool.depth().queued_bytes <= 2_000);
    disk.set(|f| f.hold_sync = false);
    let (mut taken, mut busy) = (0, 0);
    for task in appends {
        match task.await.unwrap() {
            Ok(_) => taken += 1,
            Err(AppendError::Busy { .. }) => busy += 1,
            Err(e) => panic!("{e}"),
        }
    }
    assert!(taken > 3 && busy > 30, "{taken} {busy}");
    spool.append(batch(1, 1)).await.unwrap();
}

#[tokio::test]
async fn a_segment_that_cannot_be_created_lets_the_old_one_grow() {
    let dir = tempdir().unwrap();
    let options = Options {
        segment_bytes: 400,
        ..options(&dir)
    };
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    // Too many open files: that passes.
    disk.set(|f| f.fail_create = true);
    for n in 0..5 {
        spool.append(batch(n, 1)).await.unwrap();
    }
    assert_eq!(segment_files(&options).len(), 1);
    disk.set(|f| f.fail_create = false);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    spool.append(batch(5, 1)).await.unwrap();
    assert_eq!(segment_files(&options).len(), 2);
    spool.done(Stage::Silver, &[EventSeq(0)]);
    assert_eq!(read_all(&mut spool.reader()).await.len(), 6);
}

#[tokio::test]
async fn a_dropped_append_may_be_committed_and_harms_nobody() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let disk = FaultyDisk::default();
    let spool = disk.spool(&options);
    disk.set(|f| f.hold_sync = true);
    let gone = tokio::time::timeout(Duration::from_millis(20), spool.append(batch(0, 1))).await;
    assert!(gone.is_err());
    disk.set(|f| f.hold_sync = false);
    assert_eq!(spool.append(batch(1, 1)).await, Ok(EventSeq(1)));
    assert_eq!(read_all(&mut spool.reader()).await.len(), 2);
}

#[tokio::test]
async fn damage_of_what_was_committed_is_told_to_the_reader() {
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let spool = open(&options);
    spool.append(batch(0, 1)).await.unwrap();
    let len = std::fs::metadata(active(&options)).unwrap().len();
    spool.append(batch(1, 1)).await.unwrap();
    let mut data = std::fs::read(active(&options)).unwrap();
    data[len as usize + 30] ^= 1;
    std::fs::write(active(&options), data).unwrap();
    let mut reader = spool.reader();
    let error = reader.next(1 << 20).await.unwrap_err();
    assert!(
        matches!(error, ReadError::Damaged { offset, .. } if offset == len),
        "{error}"
    );
}
