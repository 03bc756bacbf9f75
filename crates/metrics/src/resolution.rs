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
