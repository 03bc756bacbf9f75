//! The bytes of segments, for fuzzing: made and read by the code that recovery and readers use, without a disk.

use std::ops::Range;

use bytes::Bytes;
use dash_model::EventSeq;

pub use crate::scan::Tail;
use crate::{
    Batch, NewBatch,
    codec::{self, FrameHead, Header},
    scan::scan,
};

/// Bytes before the first frame of a segment.
pub const HEADER: usize = codec::HEADER;

/// The header of a segment.
pub fn header(node: u8, first: EventSeq, mark: u32) -> Vec<u8> {
    Header { node, first, mark }.encode().to_vec()
}

/// Appends one commit to a segment of this mark; answers the sequence after it.
pub fn commit(segment: &mut Vec<u8>, mark: u32, mut next: EventSeq, batches: &[NewBatch]) -> EventSeq {
    let mut group = Vec::new();
    for batch in batches {
        let head = FrameHead::of(batch, group.len() as u32, next);
        codec::encode_frame(&mut group, mark, next, batch);
        next = head.end();
    }
    segment.extend(group);
    next
}

/// What a start finds in a segment.
#[derive(Debug)]
pub struct Segment {
    pub mark: u32,
    pub first: EventSeq,
    pub frames: Vec<Frame>,
    /// Where the last of them ends.
    pub end: usize,
    pub tail: Tail,
    /// The sequence after the last of them.
    pub next: EventSeq,
}

/// A frame that is taken for whole.
#[derive(Debug)]
pub struct Frame {
    /// Its bytes in the segment.
    pub place: Range<usize>,
    /// Nothing when it holds other bytes than a batch is written as.
    pub batch: Option<Batch>,
}

/// Reads a segment; nothing when its header is none.
pub fn read(data: &Bytes) -> Option<Segment> {
    let header = Header::decode(data).ok()?;
    let scanned = scan(data, header);
    let mut at = codec::HEADER;
    let mut frames = Vec::new();
    while at < scanned.end {
        // Recovery finds frames, the reader finds them again: each by this.
        let len = codec::check_frame(&data[at..scanned.end], header.mark).expect("recovery found it whole");
        let place = at..at + len;
        let batch = codec::decode_frame(&data.slice(place.clone()));
        frames.push(Frame { place, batch });
        at += len;
    }
    assert_eq!(frames.len(), scanned.frames.len(), "recovery and reader differ");
    Some(Segment {
        mark: header.mark,
        first: header.first,
        frames,
        end: scanned.end,
        tail: scanned.tail,
        next: scanned.next,
    })
}
