//! Opening: which segments are there, are they whole, and where do sequences go on.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use dash_model::EventSeq;

use crate::{
    OpenError, Options,
    codec::{self, Header, HeaderError},
    disk::{Disk, DiskFile},
    ledger::Ledger,
    scan::{Scan, Tail, scan},
    stage::Torn,
};

/// What the writer goes on with.
pub(crate) struct Recovered {
    pub ledger: Ledger,
    pub active: Active,
    pub torn: Torn,
    /// Held for as long as the directory is written to.
    pub lock: File,
}

/// The segment that is written to.
pub(crate) struct Active {
    pub file: Box<dyn DiskFile>,
    pub header: Header,
    /// Bytes of it that are committed.
    pub end: u64,
}

pub(crate) fn recover(disk: &dyn Disk, options: &Options, min_next: EventSeq) -> Result<Recovered, OpenError> {
    options.check()?;
    let dir = &options.dir;
    let origin = EventSeq::first_of_node(options.node);
    if min_next.0 < 0 || min_next.node() > options.node {
        return Err(OpenError::Option {
            field: "min_next",
            reason: format!(
                "{min_next} is a sequence of node {}, this is node {}",
                min_next.node(),
                options.node
            ),
        });
    }
    make(disk, dir)?;
    let lock = lock(dir)?;
    let mut next = origin.max(min_next);
    let mut ledger = Ledger::new(next);
    let mut empty = Vec::new();
    let mut end = origin;
    let found = segments(disk, dir)?;
    for (i, (first, path)) in found.iter().enumerate() {
        let data = fs::read(path).map_err(failed("reading", path))?;
        let header = read_header(&data, path, options.node)?;
        let damaged = |offset: usize, reason: &str| OpenError::Damaged {
            path: path.clone(),
            offset: offset as u64,
            reason: reason.into(),
        };
        if header.first != *first || *first < end {
            return Err(damaged(0, "the name does not fit the sequences in it or before it"));
        }
        let scanned = scan(&data, header);
        let is_newest = i + 1 == found.len();
        let reason = match scanned.tail {
            Tail::Damaged => Some("a frame does not match its checksum although good frames follow"),
            Tail::Misplaced => Some("frames are missing between this one and the one before it"),
            Tail::Short | Tail::Garbage if !is_newest => Some("a sealed segment ends in no whole frame"),
            Tail::Clean | Tail::Short | Tail::Garbage => None,
        };
        if let Some(reason) = reason {
            return Err(damaged(scanned.end, reason));
        }
        if is_newest {
            settle(disk, path, &data, &scanned)?;
        }
        end = scanned.next;
        if scanned.frames.is_empty() {
            empty.push(path);
        } else {
            ledger.begin(*first, path.clone(), header.mark);
            ledger.commit(&scanned.frames, scanned.end as u64);
        }
    }
    next = next.max(end);
    // A file that another life of the program wrote to is never appended to: what its page cache holds is not
    // certain to be on the disk.
    let (active, path) = create_segment(disk, dir, options.node, next).map_err(|e| e.into_open())?;
    // Only now: until the new header was durable, these kept the sequence.
    for old in empty.into_iter().filter(|old| **old != path) {
        disk.remove(old).map_err(failed("removing", old))?;
    }
    ledger.begin(next, path, active.header.mark);
    let torn = torn(dir)?;
    if torn.files > 0 {
        tracing::warn!(
            dir = %dir.display(),
            files = torn.files,
            bytes = torn.bytes,
            "files with the ending torn are kept until you remove them"
        );
    }
    Ok(Recovered {
        ledger,
        active,
        torn,
        lock,
    })
}

/// How the creation of a segment went wrong.
pub(crate) struct CreateError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
    /// What the disk holds is uncertain: nothing may be written after this.
    pub fatal: bool,
}

impl CreateError {
    pub fn into_open(self) -> OpenError {
        failed(self.action, &self.path)(self.source)
    }
}

impl std::fmt::Display for CreateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.action, self.path.display(), self.source)
    }
}

/// Creates a segment that is durable, header and name, when this returns. Under another name first, so that a crash
/// never leaves half a header behind.
pub(crate) fn create_segment(
    disk: &dyn Disk,
    dir: &Path,
    node: u8,
    first: EventSeq,
) -> Result<(Active, PathBuf), CreateError> {
    let header = Header {
        node,
        first,
        mark: random_mark(),
    };
    let path = dir.join(format!("{:019}.seg", first.0));
    let draft = path.with_extension("tmp");
    let fail = |action, path: &Path, fatal| {
        let path = path.to_owned();
        move |source| CreateError {
            action,
            path,
            source,
            fatal,
        }
    };
    let written = disk
        .create(&draft)
        .and_then(|mut file| file.write_all_at(&header.encode(), 0).map(|()| file));
    let mut file = written.map_err(fail("creating", &draft, false)).inspect_err(|_| {
        // It may be half written; the next start removes what cannot be removed now.
        let _ = disk.remove(&draft);
    })?;
    file.sync().map_err(fail("flushing", &draft, true))?;
    disk.rename(&draft, &path).map_err(fail("renaming", &draft, false))?;
    disk.sync_dir(dir).map_err(fail("flushing", dir, true))?;
    let active = Active {
        file,
        header,
        end: codec::HEADER as u64,
    };
    Ok((active, path))
}

/// Cuts a torn tail off the newest segment and makes the rest durable: a process that was killed may have left frames
/// that only the page cache knows.
fn settle(disk: &dyn Disk, path: &Path, data: &[u8], scanned: &Scan) -> Result<(), OpenError> {
    let torn = &data[scanned.end..];
    let mut file = disk.open(path).map_err(failed("opening", path))?;
    if !torn.is_empty() {
        let kept = (scanned.tail == Tail::Garbage).then(|| path.with_extension(format!("{}.torn", scanned.end)));
        if let Some(kept) = &kept {
            fs::write(kept, torn).map_err(failed("writing", kept))?;
            File::open(kept)
                .and_then(|f| f.sync_all())
                .map_err(failed("flushing", kept))?;
        }
        file.set_len(scanned.end as u64).map_err(failed("cutting", path))?;
        tracing::warn!(
            file = %path.display(),
            offset = scanned.end,
            bytes = torn.len(),
            kept = kept.as_ref().map(|k| tracing::field::display(k.display())),
            "cut a torn tail that was never acknowledged"
        );
    }
    file.sync().map_err(failed("flushing", path))
}

fn read_header(data: &[u8], path: &Path, node: u8) -> Result<Header, OpenError> {
    let path = path.to_owned();
    match Header::decode(data) {
        Ok(header) if header.node == node => Ok(header),
        Ok(header) => Err(OpenError::OtherNode {
            path,
            found: header.node,
            node,
        }),
        Err(HeaderError::Version(found)) => Err(OpenError::Version {
            path,
            found,
            known: codec::VERSION,
        }),
        Err(HeaderError::Damaged) => Err(OpenError::Damaged {
            path,
            offset: 0,
            reason: "the header does not match its checksum".into(),
        }),
    }
}

/// Makes the directory and those above it, durably.
fn make(disk: &dyn Disk, dir: &Path) -> Result<(), OpenError> {
    let missing: Vec<_> = dir
        .ancestors()
        .take_while(|d| !d.as_os_str().is_empty() && !d.is_dir())
        .collect();
    fs::create_dir_all(dir).map_err(failed("making", dir))?;
    for made in missing {
        let parent = made.join("..");
        disk.sync_dir(&parent).map_err(failed("flushing", &parent))?;
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed("locking", &path)(source)),
    }
}

/// The segments by first sequence. Drafts of a creation that a crash cut off are removed.
fn segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<(EventSeq, PathBuf)>, OpenError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed("listing", dir))? {
        let path = entry.map_err(failed("listing", dir))?.path();
        let extension = path.extension().and_then(|e| e.to_str());
        let first = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok())
            .map(EventSeq);
        match (extension, first) {
            (Some("seg"), Some(first)) => found.push((first, path)),
            (Some("tmp"), Some(_)) => disk.remove(&path).map_err(failed("removing", &path))?,
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}

/// What this start and those before it have cut off and kept.
fn torn(dir: &Path) -> Result<Torn, OpenError> {
    let mut torn = Torn::default();
    for entry in fs::read_dir(dir).map_err(failed("listing", dir))? {
        let path = entry.map_err(failed("listing", dir))?.path();
        if path.extension().is_some_and(|e| e == "torn") {
            torn.files += 1;
            torn.bytes += fs::metadata(&path).map_err(failed("measuring", &path))?.len();
        }
    }
    Ok(torn)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Unknown to whoever sends records, and never zero: a hole in a file is no frame.
fn random_mark() -> u32 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish() as u32 | 1
}
