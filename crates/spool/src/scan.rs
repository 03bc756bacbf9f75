//! What a segment holds, and whether what does not fit is a torn tail or a damage.

use dash_model::EventSeq;

use crate::codec::{self, FrameHead, Header, NoFrame};

/// Disks write whole sectors; what a crash kept from being written reads as zeros.
const SECTOR: usize = 512;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scan {
    pub frames: Vec<FrameHead>,
    /// Where the last frame ends.
    pub end: usize,
    pub tail: Tail,
    /// The sequence after the last frame.
    pub next: EventSeq,
}

/// What follows the last good frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Clean,
    /// The beginning of a frame, and nothing else: a write that was cut off.
    Short,
    /// No frame, and none that was acknowledged follows: a write of which parts never reached the disk.
    Garbage,
    /// No frame, but frames follow: what was acknowledged is damaged.
    Damaged,
    /// A whole frame that does not go on where the one before it ended.
    Misplaced,
}

/// Reads the frames of a whole segment.
pub(crate) fn scan(data: &[u8], header: Header) -> Scan {
    let mut frames = Vec::new();
    let mut end = codec::HEADER.min(data.len());
    let mut next = header.first;
    let tail = loop {
        let rest = &data[end..];
        if rest.is_empty() {
            break Tail::Clean;
        }
        let frame = codec::check_frame(rest, header.mark)
            .and_then(|len| Ok((len, FrameHead::decode(&rest[..len]).ok_or(NoFrame::Wrong)?)));
        match frame {
            Ok((len, head)) if head.id == next => {
                end += len;
                next = head.end();
                frames.push(head);
            }
            // That was never a torn write.
            Ok(_) => break Tail::Misplaced,
            Err(why) => break tail_at(data, end, header.mark, why),
        }
    };
    Scan {
        frames,
        end,
        tail,
        next,
    }
}

fn tail_at(data: &[u8], bad: usize, mark: u32, why: NoFrame) -> Tail {
    let mut following = following(data, bad + 1, mark);
    let Some((first, head)) = following.next() else {
        return match why {
            NoFrame::Short => Tail::Short,
            NoFrame::Wrong => Tail::Garbage,
        };
    };
    // A crash may write the sectors of one commit in any order, so that good frames of a commit that nobody was told
    // of follow a hole. A hole is zeros; and whatever a later commit follows was durable.
    let same_commit = |at: usize, head: &FrameHead| head.back as usize <= at && at - head.back as usize <= bad;
    let unacknowledged = same_commit(first, &head) && following.all(|(at, head)| same_commit(at, &head));
    if unacknowledged && has_hole(data, bad, first) {
        Tail::Garbage
    } else {
        Tail::Damaged
    }
}

/// The good frames from `from` on, wherever they begin.
fn following(data: &[u8], from: usize, mark: u32) -> impl Iterator<Item = (usize, FrameHead)> {
    let mut at = from;
    std::iter::from_fn(move || {
        loop {
            let found = memchr::memmem::find(data.get(at..)?, &mark.to_le_bytes())? + at;
            match codec::check_frame(&data[found..], mark) {
                Ok(len) => {
                    at = found + len;
                    if let Some(head) = FrameHead::decode(&data[found..at]) {
                        return Some((found, head));
                    }
                }
                Err(_) => at = found + 1,
            }
        }
    })
}

/// True when a sector between the bad frame's start and the next good frame was never written. Marks are never zero,
/// so a frame that begins with zeros up to the end of its sector is such a hole too.
fn has_hole(data: &[u8], bad: usize, good: usize) -> bool {
    let zeros = |a: usize, b: usize| b <= good && a < b && data[a..b].iter().all(|&byte| byte == 0);
    let aligned = bad.next_multiple_of(SECTOR);
    (aligned - bad >= 4 && zeros(bad, aligned)) || (aligned..good).step_by(SECTOR).any(|at| zeros(at, at + SECTOR))
}
