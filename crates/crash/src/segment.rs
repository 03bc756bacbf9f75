//! The newest segment of a spool, read from outside: where its frames lie, to damage them on purpose.
//!
//! Written from the description of the format in `crates/spool/src/codec.rs`, not with its code.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use anyhow::Context;

const HEADER: usize = 32;
const MARK_AT: usize = 20;
const FRAME_HEAD: usize = 12;

/// A segment as it lies on the disk.
pub struct Segment {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    /// Bytes of each frame, in order.
    pub frames: Vec<Range<usize>>,
}

impl Segment {
    /// The newest segment of `spool`, with or without frames.
    ///
    /// # Errors
    /// When there is none, or the directory cannot be read.
    pub fn newest(spool: &Path) -> anyhow::Result<Self> {
        let newest = paths(spool)?.pop();
        Self::read(newest.with_context(|| format!("{} holds no segment", spool.display()))?)
    }

    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let frames = frames(&bytes);
        Ok(Self { path, bytes, frames })
    }

    /// Where the last frame ends.
    pub fn end(&self) -> usize {
        self.frames.last().map_or(HEADER, |frame| frame.end)
    }

    /// What every frame of it begins with.
    pub fn mark(&self) -> &[u8] {
        &self.bytes[MARK_AT..MARK_AT + 4]
    }
}

/// All segments of `spool`, the oldest first: names are sequences of equal length.
pub fn paths(spool: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(spool).with_context(|| format!("listing {}", spool.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "seg") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn frames(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut frames = Vec::new();
    let Some(mark) = bytes.get(MARK_AT..MARK_AT + 4) else {
        return frames;
    };
    let mut at = HEADER;
    while let Some(head) = bytes.get(at..at + FRAME_HEAD)
        && &head[..4] == mark
    {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let end = at + FRAME_HEAD + length;
        if end > bytes.len() {
            break;
        }
        frames.push(at..end);
        at = end;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_frames_are_found_and_a_torn_one_is_not() {
        let mut bytes = vec![0; HEADER];
        bytes[MARK_AT..MARK_AT + 4].copy_from_slice(b"mark");
        for length in [5_u32, 0, 7] {
            bytes.extend(b"mark");
            bytes.extend(length.to_le_bytes());
            bytes.extend([9; 4]);
            bytes.extend(vec![1; length as usize]);
        }
        assert_eq!(frames(&bytes), [32..49, 49..61, 61..80]);
        bytes.pop();
        assert_eq!(frames(&bytes), [32..49, 49..61]);
    }
}
