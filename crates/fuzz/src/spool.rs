//! The spool's segments.
//!
//! Input: a digit for what it is made of. 0: a segment as it stands. 1: a good header, then bytes as they stand. 2: one frame
//! whose checksum holds, around bytes as they stand. 3: commits of batches, and then changes of their bytes.

use bytes::Bytes;
use dash_model::{EventSeq, Micros, PipelineId, receipt::Rejection};
use dash_spool::{
    Batch, IdempotencyKey, NewBatch,
    fuzzing::{HEADER, Segment, Tail, commit, header, read},
};
use uuid::Uuid;

use crate::input::{Input, change};

const MARK: u32 = 0xA1B2_C3D5;
const FIRST: EventSeq = EventSeq(100);
/// Mark, length, checksum.
const FRAME_HEAD: usize = 12;

/// Never panics; no frame without its checksum; sequences without a gap; a batch is written as it was read; what lies
/// before the first changed byte is read as it was written.
pub fn target(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(4) {
        0 => {
            segment(&Bytes::copy_from_slice(input.rest()));
        }
        1 => {
            let bytes = [&header(3, FIRST, MARK)[..], input.rest()].concat();
            segment(&bytes.into());
        }
        2 => {
            let mut bytes = header(3, FIRST, MARK);
            bytes.extend(frame(input.rest()));
            let found = segment(&bytes.into()).expect("the header is good");
            assert!(found.frames.len() <= 1);
        }
        _ => changed(&mut input),
    }
}

/// A frame around `payload`, with the sequence that is due.
fn frame(payload: &[u8]) -> Vec<u8> {
    let mut payload = payload.to_vec();
    if let Some(id) = payload.get_mut(4..12) {
        id.copy_from_slice(&FIRST.0.to_le_bytes());
    }
    let mut out = MARK.to_le_bytes().to_vec();
    let length = (payload.len() as u32).to_le_bytes();
    out.extend(length);
    out.extend(checksum(&length, &payload).to_le_bytes());
    out.extend(payload);
    out
}

fn checksum(length: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), payload)
}

/// What holds of every segment.
fn segment(data: &Bytes) -> Option<Segment> {
    let found = read(data)?;
    let mut at = HEADER;
    let mut next = found.first;
    for frame in &found.frames {
        assert_eq!(frame.place.start, at, "bytes were passed over");
        at = frame.place.end;
        let bytes = &data[frame.place.clone()];
        let (head, payload) = bytes.split_at(FRAME_HEAD);
        assert_eq!(head[..4], found.mark.to_le_bytes(), "the mark of another segment");
        assert_eq!(
            head[8..],
            checksum(&head[4..8], payload).to_le_bytes(),
            "a bad checksum"
        );
        if let Some(batch) = &frame.batch {
            assert_eq!(batch.id, next, "a gap");
            next = batch.end();
            let mut again = Vec::new();
            commit(&mut again, found.mark, batch.id, &[new(batch)]);
            // But for the checksum, and how far back its commit began.
            assert_eq!(again[..8], bytes[..8], "another length");
            assert_eq!(again[FRAME_HEAD + 4..], bytes[FRAME_HEAD + 4..], "written otherwise");
        } else {
            // How many events it had only its head says.
            let events = bytes[FRAME_HEAD + 36..][..4].try_into().expect("four bytes");
            next = next.offset(u32::from_le_bytes(events).max(1) as usize);
        }
    }
    assert_eq!((found.end, found.next), (at, next));
    assert_eq!(found.tail == Tail::Clean, found.end == data.len());
    Some(found)
}

fn new(batch: &Batch) -> NewBatch {
    let batch = batch.clone();
    NewBatch {
        pipeline: batch.pipeline,
        received_at: batch.received_at,
        idempotency: batch.idempotency,
        meta: batch.meta,
        records: batch.records,
        rejected: batch.rejected,
        rejections: batch.rejections,
    }
}

fn changed(input: &mut Input) {
    let mut good = header(3, FIRST, MARK);
    let mut written = Vec::new();
    let mut ends = Vec::new();
    let mut next = FIRST;
    for _ in 0..input.below(4) {
        let group: Vec<NewBatch> = (0..=input.below(3)).map(|_| batch(input)).collect();
        let mut at = good.len();
        for batch in &group {
            let mut alone = Vec::new();
            commit(&mut alone, MARK, next, std::slice::from_ref(batch));
            at += alone.len();
            ends.push(at);
        }
        next = commit(&mut good, MARK, next, &group);
        written.extend(group);
    }
    let mut bytes = good.clone();
    change(&mut bytes, input);
    let same = good.iter().zip(&bytes).take_while(|(a, b)| a == b).count();
    let Some(found) = segment(&bytes.into()) else {
        assert!(same < HEADER, "a good header is taken for none");
        return;
    };
    let whole = ends.iter().filter(|end| **end <= same).count();
    assert!(found.frames.len() >= whole, "a frame before the change is lost");
    for (frame, written) in found.frames.iter().zip(&written[..whole]) {
        let batch = frame.batch.as_ref().expect("it was written here");
        let (read, was) = (new(batch), written);
        assert!(read.records.iter().eq(was.records.iter()));
        let records = was.records.clone();
        assert_eq!(
            NewBatch {
                records: records.clone(),
                ..read
            },
            NewBatch { records, ..was.clone() }
        );
    }
    if same == good.len() && found.end == good.len() {
        assert_eq!((found.frames.len(), found.next), (written.len(), next));
    }
}

fn batch(input: &mut Input) -> NewBatch {
    let records: Vec<Vec<u8>> = (0..input.below(4))
        .map(|_| {
            let (n, of) = (usize::from(input.byte()), input.byte());
            vec![of; n]
        })
        .collect();
    let key = (input.below(2) == 1).then(|| IdempotencyKey {
        key: String::from_utf8_lossy(input.take(3)).into_owned(),
        body_hash: [input.byte(); 32],
    });
    let n = input.below(3);
    NewBatch {
        pipeline: PipelineId(Uuid::from_u128(u128::from(input.byte()))),
        received_at: Micros(i64::from(input.u32())),
        idempotency: key,
        meta: Bytes::copy_from_slice(input.take(n)),
        records: records.iter().map(Vec::as_slice).collect(),
        rejected: u32::from(input.byte()),
        rejections: (0..input.below(3) as u32)
            .map(|index| Rejection {
                index,
                reason: String::from_utf8_lossy(input.take(2)).into_owned(),
            })
            .collect(),
    }
}
