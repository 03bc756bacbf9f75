//! Holds the ledger against the manifest, event by event as far as their ranges tell.
//!
//! Both are lists of ranges with a number of events each, cut at other places. Up to an event at which a range of each ends, both
//! numbers are known, and must be the same. Within a range only bounds are: nothing of it, or all. Comparing goes on from
//! the last place where both were known, so that each difference is found where it is and reported once.

use dash_metrics::{Extent, PipelineBooks};
use dash_model::EventSeq;

/// What the walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walked {
    pub differences: Vec<Segment>,
    /// Events of the ledger that are on their way to the lake, and the other way round.
    pub waiting_for_lake: u64,
    pub waiting_for_silver: u64,
}

/// Events of which ledger and manifest have a different number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub first: EventSeq,
    pub last: EventSeq,
    pub ledger: Bounds,
    pub manifest: Bounds,
}

/// A number that is at least `least` and at most `most`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub least: u64,
    pub most: u64,
}

impl Bounds {
    pub fn is_exact(self) -> bool {
        self.least == self.most
    }

    fn since(self, base: u64) -> Self {
        Self {
            least: self.least.saturating_sub(base),
            most: self.most.saturating_sub(base),
        }
    }

    fn may_equal(self, other: Self) -> bool {
        self.least <= other.most && other.least <= self.most
    }
}

/// Walks every node's events.
pub fn walk(books: &PipelineBooks) -> Walked {
    let mut walked = Walked::default();
    for extent in &books.extents {
        node(books, extent, &mut walked);
    }
    walked
}

fn node(books: &PipelineBooks, extent: &Extent, walked: &mut Walked) {
    let of_node = |event: EventSeq| event.node() == extent.node;
    let pieces = || books.pieces.iter().filter(|p| of_node(p.last_event));
    let objects = || books.objects.iter().filter(|o| of_node(o.last_event));
    let ended = RunningSum::new(objects().map(|o| (o.last_event, o.rows)));
    let begun = RunningSum::new(objects().map(|o| (o.first_event, o.rows)));
    let manifest_at = |at: EventSeq| Bounds {
        least: ended.up_to(&at),
        most: begun.up_to(&at),
    };

    let mut base = (0, 0);
    let firsts = pieces().map(|p| p.first_event).chain(objects().map(|o| o.first_event));
    let mut from = firsts.min().unwrap_or_else(|| EventSeq::first_of_node(extent.node));
    let mut open: Option<Segment> = None;
    for (at, ledger) in places(books, extent) {
        let manifest = manifest_at(at);
        let segment = Segment {
            first: from,
            last: at,
            ledger: ledger.since(base.0),
            manifest: manifest.since(base.1),
        };
        let agrees = segment.ledger.may_equal(segment.manifest);
        if !agrees && open.is_none() {
            open = Some(segment);
        }
        if ledger.is_exact() && manifest.is_exact() {
            // Here the numbers are known, which says more than bounds did.
            let found = open.take().map(|open| if agrees { open } else { segment });
            walked.differences.extend(found);
            base = (ledger.least, manifest.least);
            from = at.offset(1);
        }
    }
    walked.differences.extend(open);
    let booked = pieces().map(|p| p.events).sum::<u64>().saturating_sub(base.0);
    let listed = objects().map(|o| o.rows).sum::<u64>().saturating_sub(base.1);
    walked.waiting_for_lake += booked.saturating_sub(listed);
    walked.waiting_for_silver += listed.saturating_sub(booked);
}

/// Where both must be complete, and what the ledger has up to there.
fn places(books: &PipelineBooks, extent: &Extent) -> Vec<(EventSeq, Bounds)> {
    let pieces = || books.pieces.iter().filter(|p| p.last_event.node() == extent.node);
    let ended = RunningSum::new(pieces().map(|p| (p.to, p.events)));
    let begun = RunningSum::new(pieces().map(|p| (p.from, p.events)));
    let limit = extent.silver.min(extent.lake);
    let thresholds = books.thresholds.iter().enumerate();
    let mut places: Vec<(EventSeq, Bounds)> = thresholds
        .filter(|(_, at)| at.0 >= 0 && at.node() == extent.node && **at <= limit)
        .map(|(i, &at)| {
            let (least, most) = (ended.up_to(&i), begun.up_to(&i));
            (at, Bounds { least, most })
        })
        .collect();
    // Where Silver is behind, the ledger has up to there all that it has.
    if extent.silver == limit && limit.0 >= 0 && places.last().is_none_or(|(at, _)| *at < limit) {
        let all = pieces().map(|p| p.events).sum();
        places.push((limit, Bounds { least: all, most: all }));
    }
    places
}

/// Sums of numbers up to a key.
struct RunningSum<K> {
    keys: Vec<K>,
    sums: Vec<u64>,
}

impl<K: Ord + Copy> RunningSum<K> {
    fn new(numbers: impl Iterator<Item = (K, u64)>) -> Self {
        let mut numbers: Vec<(K, u64)> = numbers.collect();
        numbers.sort_unstable();
        let sums = numbers.iter().scan(0, |sum, (_, n)| {
            *sum += n;
            Some(*sum)
        });
        Self {
            sums: sums.collect(),
            keys: numbers.iter().map(|(key, _)| *key).collect(),
        }
    }

    fn up_to(&self, key: &K) -> u64 {
        let after = self.keys.partition_point(|k| k <= key);
        after.checked_sub(1).map_or(0, |last| self.sums[last])
    }
}

#[cfg(test)]
mod tests {
    use dash_metrics::{BookedObject, Piece};
    use proptest::prelude::*;

    use super::*;

    /// The books of ranges of events, as the queries make them.
    fn books(ledger: &[(i64, i64, u64)], manifest: &[(i64, i64, u64)], floor: Option<i64>) -> PipelineBooks {
        let objects: Vec<BookedObject> = manifest
            .iter()
            .map(|&(first, last, rows)| BookedObject {
                key: format!("{first}"),
                first_event: EventSeq(first),
                last_event: EventSeq(last),
                rows,
                bytes: 1,
                raw_bytes: 1,
            })
            .collect();
        let mut thresholds: Vec<EventSeq> = objects.iter().map(|o| o.last_event).collect();
        thresholds.extend(floor.map(|from| EventSeq(from - 1)));
        thresholds.sort_unstable();
        thresholds.dedup();
        let place = |event: i64| thresholds.partition_point(|t| t.0 < event);
        let pieces: Vec<Piece> = ledger
            .iter()
            .map(|&(first, last, events)| Piece {
                from: place(first),
                to: place(last),
                first_event: EventSeq(first),
                last_event: EventSeq(last),
                events,
            })
            .collect();
        let end = |ranges: &[(i64, i64, u64)]| {
            ranges
                .iter()
                .map(|r| r.1)
                .max()
                .unwrap_or(-1)
                .max(floor.unwrap_or(0) - 1)
        };
        PipelineBooks {
            extents: vec![Extent {
                node: 0,
                silver: EventSeq(end(ledger)),
                lake: EventSeq(end(manifest)),
            }],
            objects,
            thresholds,
            pieces,
            ..PipelineBooks::default()
        }
    }

    fn exactly(n: u64) -> Bounds {
        Bounds { least: n, most: n }
    }

    #[test]
    fn what_only_one_side_has_yet_is_waiting() {
        let walked = walk(&books(&[(1, 10, 10), (11, 20, 10)], &[(1, 15, 15)], None));
        assert_eq!((walked.differences.len(), walked.waiting_for_lake), (0, 5));
        let walked = walk(&books(&[(1, 10, 10)], &[(1, 15, 15), (16, 30, 15)], None));
        assert_eq!((walked.differences.len(), walked.waiting_for_silver), (0, 20));
    }

    #[test]
    fn an_object_that_is_not_listed_is_found_where_it_was() {
        let ledger = [(1, 10, 10), (11, 20, 10), (21, 30, 10)];
        let walked = walk(&books(&ledger, &[(1, 10, 10), (21, 30, 10)], None));
        let lost = Segment {
            first: EventSeq(11),
            last: EventSeq(30),
            ledger: exactly(20),
            manifest: exactly(10),
        };
        assert_eq!((walked.differences, walked.waiting_for_lake), (vec![lost], 0));
    }

    #[test]
    fn a_row_that_the_ledger_lost_is_found_where_it_was() {
        let manifest = [(1, 10, 10), (11, 20, 10), (21, 30, 10)];
        let walked = walk(&books(&[(1, 10, 10), (21, 30, 10)], &manifest, None));
        let lost = Segment {
            first: EventSeq(11),
            last: EventSeq(20),
            ledger: exactly(0),
            manifest: exactly(10),
        };
        assert_eq!((walked.differences, walked.waiting_for_silver), (vec![lost], 0));
    }

    #[test]
    fn what_the_spool_let_go_of_is_not_waiting() {
        let ledger = [(1, 10, 10), (11, 20, 10)];
        assert_eq!(walk(&books(&ledger, &[(1, 10, 10)], Some(15))).differences, vec![]);
        let walked = walk(&books(&ledger, &[(1, 10, 10)], Some(21)));
        assert_eq!(walked.differences[0].manifest, exactly(0));
        assert_eq!((walked.differences[0].last, walked.waiting_for_lake), (EventSeq(20), 0));
        let nothing_written = walk(&books(&[], &[(1, 10, 10)], Some(11)));
        assert_eq!(nothing_written.differences[0].ledger, exactly(0));
    }

    /// Batches of a pipeline: where each begins, with other pipelines' events between them, and its events, of which there may be none.
    fn batches() -> impl Strategy<Value = Vec<(i64, u64)>> {
        prop::collection::vec((0_i64..5, 0_u64..6), 1..40).prop_map(|sizes| {
            let mut next = 0;
            let place = |(gap, events): (i64, u64)| {
                let first = next + gap;
                next = first + i64::try_from(events.max(1)).expect("small");
                (first, events)
            };
            sizes.into_iter().map(place).collect()
        })
    }

    /// Runs of batches as ranges. The lake knows nothing of batches without events.
    fn ranges(batches: &[(i64, u64)], cuts: &[bool], lake: bool) -> Vec<(i64, i64, u64)> {
        let mut ranges: Vec<(i64, i64, u64)> = Vec::new();
        let mut open = false;
        for (&(first, events), &cut) in batches.iter().zip(cuts) {
            if lake && events == 0 {
                continue;
            }
            let last = first + i64::try_from(events.max(1)).expect("small") - 1;
            match ranges.last_mut().filter(|_| open) {
                Some(range) => (range.1, range.2) = (last, range.2 + events),
                None => ranges.push((first, last, events)),
            }
            open = !cut;
        }
        ranges
    }

    proptest! {
        /// However the two are cut, and however far each is, nothing is said to differ, and what waits is counted.
        #[test]
        fn no_false_alarm(
            batches in batches(),
            silver_cuts in prop::collection::vec(any::<bool>(), 40),
            lake_cuts in prop::collection::vec(any::<bool>(), 40),
            silver_done in 0_usize..40,
            lake_done in 0_usize..40,
            trimmed in 0_usize..40,
        ) {
            let done = |n: usize| &batches[..n.min(batches.len())];
            let ledger = ranges(done(silver_done), &silver_cuts, false);
            let manifest = ranges(done(lake_done), &lake_cuts, true);
            let floor = batches.get(trimmed.min(silver_done).min(lake_done)).map(|b| b.0);
            let walked = walk(&books(&ledger, &manifest, floor));
            prop_assert_eq!(&walked.differences, &vec![]);
            let events = |ranges: &[(i64, i64, u64)]| ranges.iter().map(|r| r.2).sum::<u64>();
            prop_assert_eq!(
                events(&manifest) + walked.waiting_for_lake,
                events(&ledger) + walked.waiting_for_silver
            );
        }

        /// Once all is done, whatever is lost of either is found.
        #[test]
        fn no_loss_is_overlooked(
            batches in batches(),
            silver_cuts in prop::collection::vec(any::<bool>(), 40),
            lake_cuts in prop::collection::vec(any::<bool>(), 40),
            of_ledger in any::<bool>(),
            which in any::<prop::sample::Index>(),
        ) {
            let mut ledger = ranges(&batches, &silver_cuts, false);
            let mut manifest = ranges(&batches, &lake_cuts, true);
            let end = batches.last().map_or(0, |(first, events)| first + i64::try_from(*events.max(&1)).expect("small"));
            let losing = if of_ledger { &mut ledger } else { &mut manifest };
            prop_assume!(!losing.is_empty());
            let lost = losing.remove(which.index(losing.len()));
            let walked = walk(&books(&ledger, &manifest, Some(end)));
            prop_assert_eq!(walked.differences.is_empty(), lost.2 == 0, "{:?} {:?}", lost, walked);
        }
    }
}
