//! Parquet objects of the lake.
//!
//! Input: a digit for what it is made of. 0: an object as it stands. 1: rows, which are encoded, and then changes of the
//! object's bytes. 2: the same, the changes counted from the footer's beginning.

use bytes::Bytes;
use dash_lake::{
    ALL_EVENTS, LakeError, LakeRow,
    codec::{decode, encode},
    read_in_memory,
};
use dash_model::{EventSeq, Micros, PipelineId};
use uuid::Uuid;

use crate::input::{Input, change};

/// Rows or an error, never a panic; both ways of reading give the same rows; what was not changed comes back.
pub fn target(data: &[u8]) {
    let mut input = Input::new(data);
    match input.below(3) {
        0 => {
            // An error is as good as rows.
            let _ = read(input.rest().to_vec());
        }
        how => {
            let rows = rows(&mut input);
            let good = encode(PipelineId(Uuid::from_u128(7)), &rows).expect("no event occurs twice");
            let mut object = good.to_vec();
            if how == 1 {
                change(&mut object, &mut input);
            } else {
                let at = footer(&object);
                let mut end = object.split_off(at);
                change(&mut end, &mut input);
                object.extend(end);
            }
            let same = object == good;
            let found = read(object);
            if same {
                assert_eq!(found.expect("it was encoded here"), rows);
            }
        }
    }
}

fn read(object: Vec<u8>) -> Result<Vec<LakeRow>, LakeError> {
    let object = Bytes::from(object);
    let whole = decode(object.clone());
    let grouped = read_in_memory(&object, &ALL_EVENTS);
    if let (Ok(whole), Ok(grouped)) = (&whole, &grouped) {
        // Statistics that lie may leave out a group, and sequences below zero are none.
        let mut whole = whole.iter();
        assert!(grouped.iter().all(|row| whole.any(|w| w == row)), "another row");
    }
    whole
}

fn footer(object: &[u8]) -> usize {
    let length = object[object.len() - 8..][..4].try_into().expect("four bytes");
    object.len() - 8 - u32::from_le_bytes(length) as usize
}

fn rows(input: &mut Input) -> Vec<LakeRow> {
    let mut event = 0;
    (0..input.below(20))
        .map(|_| {
            event += 1 + i64::from(input.byte());
            let n = input.below(64);
            LakeRow {
                event: EventSeq(event),
                batch: EventSeq(event - event % 4),
                received_at: Micros(i64::from(input.u32())),
                raw: Bytes::copy_from_slice(input.take(n)),
                meta: if input.below(2) == 0 {
                    "{}".into()
                } else {
                    "{\"a\":1}".into()
                },
            }
        })
        .collect()
}
