//! Cuts a range into pieces that rollups hold exactly, and pieces that only the points do.

use std::ops::Range;

use dash_model::query::Rollup;

use crate::resolution::{DAY, HOUR, bucket};

/// Microseconds since 1970: inclusive, exclusive.
type Micros = i64;

/// Pieces of a range, by where they are read from. Together they are the range, and none overlap.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cover {
    pub raw: Vec<Range<Micros>>,
    pub minutes: Vec<Range<Micros>>,
    pub hours: Vec<Range<Micros>>,
    pub days: Vec<Range<Micros>>,
}

impl Cover {
    /// `coarsest` is the widest bucket that may be used; `dirty` are the starts of hours whose rollups are out of date, rising.
    pub fn new(range: Range<Micros>, coarsest: Rollup, dirty: &[Micros]) -> Self {
        let mut cover = Self::default();
        cover.add(range, coarsest, dirty);
        for pieces in [&mut cover.raw, &mut cover.minutes, &mut cover.hours, &mut cover.days] {
            pieces.sort_by_key(|piece| piece.start);
            pieces.dedup_by(|next, piece| {
                let touch = piece.end == next.start;
                if touch {
                    piece.end = next.end;
                }
                touch
            });
        }
        cover
    }

    fn add(&mut self, range: Range<Micros>, rollup: Rollup, dirty: &[Micros]) {
        let Some(bucket_ms) = bucket(rollup) else {
            if !range.is_empty() {
                self.raw.push(range);
            }
            return;
        };
        let (width, finer) = (bucket_ms * 1_000, finer(rollup));
        let inner = ceil(range.start, width)..floor(range.end, width);
        if inner.is_empty() {
            return self.add(range, finer, dirty);
        }
        self.add(range.start..inner.start, finer, dirty);
        let mut at = inner.start;
        for unit in dirty_units(dirty, &inner, width) {
            self.take(rollup, at..unit.start);
            // Of a day, the clean hours may still be read from their rollup; a dirty hour only from its points.
            let within = if rollup == Rollup::Day {
                Rollup::Hour
            } else {
                Rollup::Raw
            };
            self.add(unit.clone(), within, dirty);
            at = unit.end;
        }
        self.take(rollup, at..inner.end);
        self.add(inner.end..range.end, finer, dirty);
    }

    fn take(&mut self, rollup: Rollup, piece: Range<Micros>) {
        if piece.is_empty() {
            return;
        }
        match rollup {
            Rollup::Raw => &mut self.raw,
            Rollup::Minute => &mut self.minutes,
            Rollup::Hour => &mut self.hours,
            Rollup::Day => &mut self.days,
        }
        .push(piece);
    }

    /// What of it lies in `ranges`, which rise, and whose edges cut no bucket that is read.
    pub fn only(&self, ranges: &[Range<Micros>]) -> Self {
        let cut = |pieces: &[Range<Micros>]| {
            let within = |piece: &Range<Micros>| {
                let piece = piece.clone();
                let parts = ranges
                    .iter()
                    .map(move |r| r.start.max(piece.start)..r.end.min(piece.end));
                parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
            };
            pieces.iter().flat_map(within).collect()
        };
        Self {
            raw: cut(&self.raw),
            minutes: cut(&self.minutes),
            hours: cut(&self.hours),
            days: cut(&self.days),
        }
    }

    /// The coarsest source that is read.
    pub fn coarsest(&self) -> Rollup {
        [
            (Rollup::Day, &self.days),
            (Rollup::Hour, &self.hours),
            (Rollup::Minute, &self.minutes),
        ]
        .into_iter()
        .find(|(_, pieces)| !pieces.is_empty())
        .map_or(Rollup::Raw, |(rollup, _)| rollup)
    }
}

/// The parts of `inner` that lie in a dirty hour, in whole hours or, where buckets are wider, whole buckets, clipped to `inner`.
fn dirty_units(dirty: &[Micros], inner: &Range<Micros>, bucket: Micros) -> Vec<Range<Micros>> {
    let unit = bucket.max(HOUR * 1_000);
    let from = dirty.partition_point(|hour| hour + HOUR * 1_000 <= inner.start);
    let mut units: Vec<Range<Micros>> = Vec::new();
    for &hour in dirty[from..].iter().take_while(|hour| **hour < inner.end) {
        let start = floor(hour, unit);
        let next = start.max(inner.start)..(start + unit).min(inner.end);
        match units.last_mut() {
            Some(last) if last.end >= next.start => last.end = last.end.max(next.end),
            _ => units.push(next),
        }
    }
    units
}

fn finer(rollup: Rollup) -> Rollup {
    match rollup {
        Rollup::Day => Rollup::Hour,
        Rollup::Hour => Rollup::Minute,
        Rollup::Minute | Rollup::Raw => Rollup::Raw,
    }
}

fn floor(at: Micros, width: Micros) -> Micros {
    at.div_euclid(width) * width
}

fn ceil(at: Micros, width: Micros) -> Micros {
    floor(at + width - 1, width)
}

/// How far around a range dirty hours matter: a bucket of a day may reach as far.
pub const MARGIN_MS: i64 = DAY;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE_US: i64 = 60_000_000;
    const HOUR_US: i64 = 60 * MINUTE_US;
    const DAY_US: i64 = 24 * HOUR_US;

    proptest! {
        #[test]
        fn pieces_are_the_range_and_no_rollup_of_a_dirty_hour_is_read(
            start in 0..5 * DAY_US,
            length in 1..4 * DAY_US,
            hours in prop::collection::btree_set(0i64..240, 0..20),
            coarsest in prop::sample::select(vec![Rollup::Raw, Rollup::Minute, Rollup::Hour, Rollup::Day]),
        ) {
            let dirty: Vec<i64> = hours.iter().map(|h| h * HOUR_US).collect();
            let cover = Cover::new(start..start + length, coarsest, &dirty);
            let mut all: Vec<Range<i64>> = Vec::new();
            for (pieces, width) in [
                (&cover.raw, 1), (&cover.minutes, MINUTE_US), (&cover.hours, HOUR_US), (&cover.days, DAY_US),
            ] {
                for piece in pieces {
                    prop_assert!(!piece.is_empty());
                    prop_assert_eq!((piece.start % width, piece.end % width), (0, 0));
                    if width > 1 {
                        let touched = dirty.iter().find(|h| **h < piece.end && **h + HOUR_US > piece.start);
                        prop_assert_eq!(touched, None);
                    }
                    all.push(piece.clone());
                }
            }
            all.sort_by_key(|p| p.start);
            prop_assert_eq!(all.first().map(|p| p.start), Some(start));
            prop_assert_eq!(all.last().map(|p| p.end), Some(start + length));
            prop_assert!(all.windows(2).all(|w| w[0].end == w[1].start));
            prop_assert!(cover.coarsest() <= coarsest);

            // Parts of the range that cut no bucket: each is read from where it was, and nothing else is.
            let parts: Vec<Range<i64>> = all.iter().step_by(2).cloned().collect();
            let only = cover.only(&parts);
            let mut left: Vec<Range<i64>> = [only.raw, only.minutes, only.hours, only.days].concat();
            left.sort_by_key(|p| p.start);
            prop_assert_eq!(left, parts);
        }
    }

    #[test]
    fn a_clean_day_is_read_as_a_day_and_its_edges_ever_finer() {
        let (day, hour, minute) = (DAY_US, HOUR_US, MINUTE_US);
        let range = day - hour - minute - 1..2 * day + hour;
        assert_eq!(
            Cover::new(range.clone(), Rollup::Day, &[]),
            Cover {
                raw: std::iter::once(range.start..range.start + 1).collect(),
                minutes: std::iter::once(day - hour - minute..day - hour).collect(),
                hours: vec![day - hour..day, 2 * day..2 * day + hour],
                days: std::iter::once(day..2 * day).collect(),
            }
        );
    }

    #[test]
    fn of_a_dirty_day_only_the_dirty_hour_is_read_from_points() {
        let cover = Cover::new(0..DAY_US, Rollup::Day, &[5 * HOUR_US]);
        assert_eq!(cover.raw, vec![5 * HOUR_US..6 * HOUR_US]);
        assert_eq!(cover.hours, vec![0..5 * HOUR_US, 6 * HOUR_US..DAY_US]);
        assert!(cover.days.is_empty() && cover.minutes.is_empty());
    }
}
