//! What is sent: records that follow from their producer and id alone, so that whoever finds one knows what it must look like.

use std::fmt::Write;

/// Who sends; its records carry dense ids.
pub type Producer = u16;

/// Events of one round lie within so many milliseconds, so that rollups of earlier rounds come to rest.
pub const ROUND_MS: i64 = 2 * 3_600_000;

/// Metrics of each mapped record.
pub const METRICS: u64 = 2;

/// What becomes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A point of each metric.
    Mapped,
    /// The mapping's filter holds it back.
    Filtered,
    /// Its `mix` is no number.
    Quarantined,
    /// It is no JSON object, and never gets an event of its own.
    Rejected,
}

impl Kind {
    pub fn of(id: u64) -> Self {
        match id {
            // Never two in a row: a batch that ends in an accepted record has one.
            _ if id % 53 == 7 => Self::Rejected,
            _ if id % 31 == 5 => Self::Quarantined,
            _ if id % 19 == 3 => Self::Filtered,
            _ => Self::Mapped,
        }
    }

    pub fn is_accepted(self) -> bool {
        self != Self::Rejected
    }
}

/// How many ids below this one are rejected.
pub fn rejected_below(id: u64) -> u64 {
    (id + 45) / 53
}

/// The pipeline that takes these records.
pub const DEFINITION: &str = r#"{
  "name": "Crash", "slug": "crash",
  "mapping": {
    "time": { "path": "at", "format": "epoch_ms" },
    "fields": [{ "name": "keep", "path": "keep", "type": "boolean" }],
    "filter": "keep",
    "metrics": [
      { "name": "id", "path": "id", "required": true },
      { "name": "mix", "path": "mix", "required": true }
    ],
    "tags": [{ "name": "producer", "path": "producer" }]
  }
}"#;

/// The producer's name, its tag in Silver.
pub fn name(producer: Producer) -> String {
    format!("p{producer}")
}

/// The producer of a name.
pub fn producer(name: &str) -> Option<Producer> {
    name.strip_prefix('p')?.parse().ok()
}

/// A number that looks random and follows from the record; below 2^32, so that sums over millions are exact.
pub fn mix(producer: Producer, id: u64) -> u32 {
    let mut z = (u64::from(producer) << 48 ^ id).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 32) as u32
}

/// The record's time in milliseconds since 1970; `base_ms` is where its round begins.
pub fn at_ms(producer: Producer, id: u64, base_ms: i64) -> i64 {
    base_ms + i64::from(mix(producer, id)) % ROUND_MS
}

/// Appends the record as it is sent, byte for byte.
pub fn write_record(out: &mut String, producer: Producer, id: u64, base_ms: i64) {
    let kind = Kind::of(id);
    let mix = mix(producer, id);
    // Writing to a string cannot fail.
    let _ = match kind {
        Kind::Rejected => write!(out, "\"record {id} of {} is no object\"", name(producer)),
        Kind::Quarantined => write!(
            out,
            r#"{{"producer":"{}","id":{id},"mix":"broken","keep":true,"at":{}}}"#,
            name(producer),
            at_ms(producer, id, base_ms)
        ),
        Kind::Mapped | Kind::Filtered => write!(
            out,
            r#"{{"producer":"{}","id":{id},"mix":{mix},"keep":{},"at":{},"note":"{mix:08x}{id:016x}{mix:032x} ümlaut, \"quotes\""}}"#,
            name(producer),
            kind == Kind::Mapped,
            at_ms(producer, id, base_ms)
        ),
    };
}

/// Producer and id of a record as it was sent.
pub fn identify(raw: &[u8]) -> Option<(Producer, u64)> {
    #[derive(serde::Deserialize)]
    struct Named<'a> {
        producer: &'a str,
        id: u64,
    }
    let named: Named<'_> = serde_json::from_slice(raw).ok()?;
    Some((producer(named.producer)?, named.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_its_producer_and_id_unless_it_is_rejected() {
        for id in 0..2_000 {
            let mut record = String::new();
            write_record(&mut record, 3, id, 0);
            let expected = Kind::of(id).is_accepted().then_some((3, id));
            assert_eq!(identify(record.as_bytes()), expected, "{record}");
        }
    }

    #[test]
    fn rejected_ids_are_counted() {
        let mut rejected = 0;
        for id in 0..2_000 {
            assert_eq!(rejected_below(id), rejected, "{id}");
            rejected += u64::from(!Kind::of(id).is_accepted());
        }
    }

    #[test]
    fn no_two_rejected_records_follow_one_another() {
        assert!((0..10_000).all(|id| Kind::of(id).is_accepted() || Kind::of(id + 1).is_accepted()));
    }
}
