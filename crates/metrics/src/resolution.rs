//! How wide the buckets of an answer are.

use dash_model::query::Rollup;

pub const SECOND: i64 = 1_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Widths that people read well off an axis, in milliseconds.
const STEPS: [i64; 20] = [
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    LONGEST,
];
const LONGEST: i64 = 30 * DAY;

/// The finest step of which `range_ms` holds at most `width`; multiples of 30 days when even those are too fine.
pub fn step(range_ms: i64, width: u32) -> i64 {
    let width = i64::from(width.max(1));
    let fits = |step: &i64| range_ms <= step.saturating_mul(width);
    // Rounded up; ranges are positive.
    let long = || LONGEST * ((range_ms - 1) / (LONGEST * width) + 1);
    STEPS.into_iter().find(fits).unwrap_or_else(long)
}

/// Points of one answer. A browser draws a thousand in some 4 ms, so that more lines get fewer points each.
const POINTS: i64 = 40_000;
/// Fewest buckets of a line, however many lines there are.
const FEWEST: i64 = 100;
/// Rows of a rollup that an answer may read before it goes to the next coarser one: PostgreSQL aggregates a few million a second.
const ROWS: i64 = 250_000;

/// As [`step`], for an answer of so many lines, made of so many series.
pub fn affordable_step(range_ms: i64, width: u32, lines: usize, series: usize) -> i64 {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX).max(1);
    let most = (POINTS / count(lines)).max(FEWEST);
    let width = width.min(u32::try_from(most).unwrap_or(u32::MAX));
    let finest = step(range_ms, width);
    let affordable = |step: &i64| {
        let rows = bucket(rollup_for(*step)).map_or(0, |bucket| (range_ms / bucket).saturating_mul(count(series)));
        rows <= ROWS
    };
    // What is coarser must still be a line: about the buckets of a day in hours.
    let readable = |step: &i64| range_ms / step >= 24;
    let coarser = STEPS.into_iter().filter(|step| *step > finest).take_while(readable);
    std::iter::once(finest)
        .chain(coarser)
        .find(affordable)
        .unwrap_or(finest)
}

/// The coarsest rollup of which whole buckets make up a step.
pub fn rollup_for(step_ms: i64) -> Rollup {
    let divides = |bucket| step_ms % bucket == 0;
    if divides(DAY) {
        Rollup::Day
    } else if divides(HOUR) {
        Rollup::Hour
    } else if divides(MINUTE) {
        Rollup::Minute
    } else {
        Rollup::Raw
    }
}

/// Width of a rollup's buckets in milliseconds.
pub fn bucket(rollup: Rollup) -> Option<i64> {
    match rollup {
        Rollup::Raw => None,
        Rollup::Minute => Some(MINUTE),
        Rollup::Hour => Some(HOUR),
        Rollup::Day => Some(DAY),
    }
}

/// Where buckets are counted from: weeks begin on Monday, all others divide the days since 1970. RFC 3339.
pub fn origin(step_ms: i64) -> &'static str {
    if step_ms == 7 * DAY {
        "1970-01-05T00:00:00Z"
    } else {
        "1970-01-01T00:00:00Z"
    }
}

/// Start of the bucket that a time is in. All in milliseconds.
pub fn floor(at: i64, step_ms: i64) -> i64 {
    // 1970 began on a Thursday.
    let origin = if step_ms == 7 * DAY { 4 * DAY } else { 0 };
    (at - origin).div_euclid(step_ms) * step_ms + origin
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_range_has_at_most_a_bucket_a_pixel(range in 1i64..300_000_000_000_000, width in 1u32..5_000) {
            let step = step(range, width);
            prop_assert!(range <= step * i64::from(width));
            // And not far fewer: the next finer step would not do.
            if let Some(finer) = STEPS.into_iter().rev().find(|s| *s < step) {
                prop_assert!(range > finer * i64::from(width));
            }
        }
    }

    #[test]
    fn many_lines_get_fewer_points_each_and_long_ranges_coarser_rollups() {
        let week = 7 * DAY;
        assert_eq!(affordable_step(week, 800, 1, 1), step(week, 800));
        assert_eq!(affordable_step(DAY, 800, 100, 100), 5 * MINUTE, "400 buckets a line");
        // A million rows of minutes are not read for a week of a hundred series; of hours it is 16,800.
        assert_eq!(affordable_step(week, 800, 100, 100), HOUR);
        assert_eq!(affordable_step(week, 800, 1, 100), HOUR);
        // With nothing coarser that would still be a line, what was asked for stays.
        assert_eq!(affordable_step(DAY, 800, 1, 1_000_000), step(DAY, 800));
    }

    #[test]
    fn steps_rise_and_each_is_made_of_whole_buckets() {
        assert!(STEPS.is_sorted());
        for step in STEPS {
            let rollup = rollup_for(step);
            assert_eq!(bucket(rollup).map_or(0, |b| step % b), 0);
        }
        assert_eq!(rollup_for(30 * SECOND), Rollup::Raw);
        assert_eq!(rollup_for(30 * MINUTE), Rollup::Minute);
        assert_eq!(rollup_for(12 * HOUR), Rollup::Hour);
        assert_eq!(rollup_for(7 * DAY), Rollup::Day);
    }
}
