//! Which events are done already: what a restart must not do again.

use std::collections::HashMap;

use dash_model::EventSeq;

/// Closed ranges of events for each key (a pipeline or a mapping version). Ranges of one key do not overlap.
#[derive(Debug, Default)]
pub struct Coverage<K>(HashMap<K, Vec<(EventSeq, EventSeq)>>);

impl<K: std::hash::Hash + Eq> Coverage<K> {
    pub fn new(ranges: impl IntoIterator<Item = (K, EventSeq, EventSeq)>) -> Self {
        let mut all: HashMap<K, Vec<_>> = HashMap::new();
        for (key, first, last) in ranges {
            all.entry(key).or_default().push((first, last));
        }
        all.values_mut().for_each(|ranges| ranges.sort_unstable());
        Self(all)
    }

    pub fn contains(&self, key: &K, event: EventSeq) -> bool {
        let Some(ranges) = self.0.get(key) else { return false };
        let after = ranges.partition_point(|(first, _)| *first <= event);
        after > 0 && ranges[after - 1].1 >= event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_covered_and_nothing_beside_them() {
        let coverage = Coverage::new([
            ('a', EventSeq(10), EventSeq(12)),
            ('a', EventSeq(20), EventSeq(20)),
            ('b', EventSeq(0), EventSeq(99)),
        ]);
        let covered: Vec<i64> = (0..30).filter(|e| coverage.contains(&'a', EventSeq(*e))).collect();
        assert_eq!(covered, [10, 11, 12, 20]);
        assert!(!coverage.contains(&'c', EventSeq(10)));
    }
}
