//! Which ids were found so far, a bit for each.

use crate::event::{Kind, Producer};

/// What earlier audits found in Bronze; the next one goes on behind it.
#[derive(Debug, Default)]
pub struct Seen {
    producers: Vec<Vec<u64>>,
    /// The highest event that was audited; -1 before the first.
    pub watermark: i64,
    pub mapped: u64,
    pub filtered: u64,
    pub quarantined: u64,
}

impl Seen {
    pub fn new() -> Self {
        Self {
            watermark: -1,
            ..Self::default()
        }
    }

    /// Notes an id; false when it was noted before.
    pub fn note(&mut self, producer: Producer, id: u64) -> bool {
        let (producer, word, bit) = place(producer, id);
        if self.producers.len() <= producer {
            self.producers.resize_with(producer + 1, Vec::new);
        }
        let words = &mut self.producers[producer];
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        let fresh = words[word] & bit == 0;
        words[word] |= bit;
        if fresh {
            match Kind::of(id) {
                Kind::Mapped => self.mapped += 1,
                Kind::Filtered => self.filtered += 1,
                Kind::Quarantined => self.quarantined += 1,
                Kind::Rejected => {}
            }
        }
        fresh
    }

    pub fn has(&self, producer: Producer, id: u64) -> bool {
        let (producer, word, bit) = place(producer, id);
        let word = self.producers.get(producer).and_then(|words| words.get(word));
        word.is_some_and(|word| word & bit != 0)
    }

    /// Events in Bronze.
    pub fn events(&self) -> u64 {
        self.mapped + self.filtered + self.quarantined
    }
}

fn place(producer: Producer, id: u64) -> (usize, usize, u64) {
    (usize::from(producer), (id / 64) as usize, 1 << (id % 64))
}
