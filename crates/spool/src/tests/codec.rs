use bytes::Bytes;
use dash_model::{EventSeq, Micros, PipelineId, receipt::Rejection};
use proptest::{collection::vec, option, prelude::*};
use uuid::Uuid;

use super::{batch, expected};
use crate::{
    IdempotencyKey, NewBatch,
    codec::{self, FrameHead, Header, HeaderError, NoFrame},
    scan::{Tail, scan},
};

const MARK: u32 = 0xA1B2_C3D5;
const HEADER: Header = Header {
    node: 3,
    first: EventSeq(100),
    mark: MARK,
};

fn any_batch() -> impl Strategy<Value = NewBatch> {
    let key = ("\\PC{0,20}", any::<[u8; 32]>()).prop_map(|(key, body_hash)| IdempotencyKey { key, body_hash });
    let rejection = (any::<u32>(), "\\PC{0,20}").prop_map(|(index, reason)| Rejection { index, reason });
    (
        any::<u128>(),
        any::<i64>(),
        option::of(key),
        vec(any::<u8>(), 0..40),
        vec(vec(any::<u8>(), 0..40), 0..8),
        any::<u32>(),
        vec(rejection, 0..4),
    )
        .prop_map(
            |(pipeline, received_at, idempotency, meta, records, rejected, rejections)| NewBatch {
                pipeline: PipelineId(Uuid::from_u128(pipeline)),
                received_at: Micros(received_at),
                idempotency,
                meta: Bytes::from(meta),
                records: records.iter().map(Vec::as_slice).collect(),
                rejected,
                rejections,
            },
        )
}

fn frame(batch: &NewBatch) -> Vec<u8> {
    let mut out = Vec::new();
    codec::encode_frame(&mut out, MARK, HEADER.first, batch);
    out
}

/// A segment of commits, each of some batches, and where each frame ends.
fn segment(commits: &[Vec<NewBatch>]) -> (Vec<u8>, Vec<usize>) {
    let mut data = HEADER.encode().to_vec();
    let mut ends = vec![data.len()];
    let mut next = HEADER.first;
    for commit in commits {
        let mut group = Vec::new();
        for batch in commit {
            let head = FrameHead::of(batch, group.len() as u32, next);
            codec::encode_frame(&mut group, MARK, next, batch);
            next = head.end();
            ends.push(data.len() + group.len());
        }
        data.extend(group);
    }
    (data, ends)
}

proptest! {
    #[test]
    fn a_frame_comes_back_as_it_was(batch in any_batch()) {
        let frame = Bytes::from(frame(&batch));
        prop_assert_eq!(frame.len(), codec::frame_len(&batch));
        prop_assert_eq!(codec::check_frame(&frame, MARK), Ok(frame.len()));
        prop_assert_eq!(FrameHead::decode(&frame), Some(FrameHead::of(&batch, 0, HEADER.first)));
        prop_assert_eq!(codec::decode_frame(&frame), Some(expected(HEADER.first, batch)));
    }

    #[test]
    fn any_flipped_byte_of_a_frame_is_noticed(batch in any_batch(), at: prop::sample::Index, flip in 1_u8..) {
        let mut frame = frame(&batch);
        let at = at.index(frame.len());
        frame[at] ^= flip;
        prop_assert!(codec::check_frame(&frame, MARK).is_err());
    }

    #[test]
    fn decoding_garbage_never_panics(garbage in vec(any::<u8>(), 0..200)) {
        let garbage = Bytes::from(garbage);
        let _ = codec::decode_frame(&garbage);
        let _ = codec::check_frame(&garbage, MARK);
        let _ = Header::decode(&garbage);
        let _ = scan(&garbage, HEADER);
    }

    #[test]
    fn a_cut_anywhere_keeps_the_whole_frames_and_is_no_damage(
        commits in vec(vec(any_batch(), 1..3), 1..3),
        cut: prop::sample::Index,
    ) {
        let (data, ends) = segment(&commits);
        let cut = codec::HEADER + cut.index(data.len() - codec::HEADER + 1);
        let scanned = scan(&data[..cut], HEADER);
        let whole = ends.iter().rposition(|end| *end <= cut).unwrap();
        prop_assert_eq!(scanned.frames.len(), whole);
        prop_assert_eq!(scanned.end, ends[whole]);
        prop_assert_eq!(scanned.tail, if ends[whole] == cut { Tail::Clean } else { Tail::Short });
    }

    #[test]
    fn a_flip_before_a_good_frame_is_damage_and_in_the_last_frame_a_torn_tail(
        commits in vec(vec(any_batch(), 1..3), 2..4),
        at: prop::sample::Index,
        flip in 1_u8..,
    ) {
        let (mut data, ends) = segment(&commits);
        let at = codec::HEADER + at.index(data.len() - codec::HEADER);
        data[at] ^= flip;
        let scanned = scan(&data, HEADER);
        let good = ends.iter().filter(|end| **end <= at).count() - 1;
        prop_assert_eq!(scanned.frames.len(), good);
        prop_assert_eq!(scanned.end, ends[good]);
        let is_last = good + 2 == ends.len();
        if is_last {
            // A longer length looks like a frame that was cut off.
            prop_assert!(matches!(scanned.tail, Tail::Garbage | Tail::Short));
        } else {
            prop_assert_eq!(scanned.tail, Tail::Damaged);
        }
    }
}

#[test]
fn every_flipped_bit_of_a_header_is_noticed() {
    let good = HEADER.encode();
    assert_eq!(Header::decode(&good), Ok(HEADER));
    for at in 0..codec::HEADER {
        for bit in 0..8 {
            let mut bad = good;
            bad[at] ^= 1 << bit;
            assert_eq!(Header::decode(&bad), Err(HeaderError::Damaged), "byte {at} bit {bit}");
        }
        assert_eq!(Header::decode(&good[..at]), Err(HeaderError::Damaged));
    }
}

#[test]
fn a_newer_version_is_told_from_a_damage() {
    let mut newer = HEADER.encode();
    newer[8] = 2;
    let crc = crc32c::crc32c(&newer[..28]).to_le_bytes();
    newer[28..].copy_from_slice(&crc);
    assert_eq!(Header::decode(&newer), Err(HeaderError::Version(2)));
}

#[test]
fn a_frame_of_another_segment_is_none() {
    assert_eq!(codec::check_frame(&frame(&batch(1, 1)), MARK + 1), Err(NoFrame::Wrong));
}

#[test]
fn a_hole_in_the_last_commit_is_a_torn_tail() {
    // 2 acknowledged commits, then one of which a sector in the first frame never reached the disk.
    let last = vec![batch(2, 200), batch(3, 1)];
    let (mut data, ends) = segment(&[vec![batch(0, 1)], vec![batch(1, 1)], last]);
    let hole = (ends[2] + 600).next_multiple_of(512);
    data[hole..hole + 512].fill(0);
    let scanned = scan(&data, HEADER);
    assert_eq!((scanned.end, scanned.tail), (ends[2], Tail::Garbage));
}

#[test]
fn a_hole_in_the_first_sector_of_the_last_commit_is_a_torn_tail() {
    let (mut data, ends) = segment(&[vec![batch(0, 1)], vec![batch(2, 200), batch(3, 1)]]);
    let start = ends[1];
    data[start..start.next_multiple_of(512)].fill(0);
    assert_eq!(scan(&data, HEADER).tail, Tail::Garbage);
}

#[test]
fn zeros_after_the_last_frame_are_a_torn_tail() {
    let (mut data, ends) = segment(&[vec![batch(0, 1)], vec![batch(1, 1)]]);
    data.extend([0; 5_000]);
    let scanned = scan(&data, HEADER);
    assert_eq!((scanned.end, scanned.tail), (ends[2], Tail::Garbage));
}

#[test]
fn a_frame_that_is_missing_between_two_is_noticed() {
    let (mut data, ends) = segment(&[vec![batch(0, 1)], vec![batch(1, 1)], vec![batch(2, 1)]]);
    data.drain(ends[1]..ends[2]);
    let scanned = scan(&data, HEADER);
    assert_eq!((scanned.end, scanned.tail), (ends[1], Tail::Misplaced));
}

#[test]
fn a_hole_before_a_later_commit_is_damage() {
    let (mut data, ends) = segment(&[vec![batch(0, 200), batch(1, 1)], vec![batch(2, 1)]]);
    let hole = (ends[0] + 600).next_multiple_of(512);
    data[hole..hole + 512].fill(0);
    assert_eq!(scan(&data, HEADER).tail, Tail::Damaged);
}

#[test]
fn a_frame_that_a_client_forged_in_a_record_is_not_taken_for_one() {
    // A whole good frame, but with a mark that the client could only guess.
    let mut forged = Vec::new();
    codec::encode_frame(&mut forged, MARK ^ 0x10, EventSeq(100), &batch(1, 1));
    let mut carrier = batch(2, 0);
    carrier.records = [forged.as_slice()].into_iter().collect();
    let (mut data, _) = segment(&[vec![carrier]]);
    data[codec::HEADER + 20] ^= 1;
    assert_eq!(scan(&data, HEADER).tail, Tail::Garbage);
}
