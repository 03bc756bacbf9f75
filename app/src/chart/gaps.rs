//! A line must not claim what was not measured: where buckets are missing it has a gap.

use crate::model::query::Point;

/// Raw points have no bucket: what is so many times longer than the usual step is a gap.
const RAW_GAP: i64 = 10;
/// Fewer raw points than this have no usual step.
const RAW_MIN: usize = 10;

/// The points with `None` where the line breaks. `pixel_ms` is the time that one pixel stands for: a point alone
/// between two gaps becomes a stroke as long as its bucket, or two pixels, since a line of one point is invisible.
pub fn with_gaps(points: &[Point], bucket_ms: i64, pixel_ms: i64) -> Vec<(i64, Option<f64>)> {
    let limit = if bucket_ms > 0 {
        bucket_ms + bucket_ms / 2
    } else {
        raw_limit(points)
    };
    let stroke = bucket_ms.max(2 * pixel_ms).max(1);
    let mut out = Vec::with_capacity(points.len() + 8);
    let mut run = 0;
    for (i, p) in points.iter().enumerate() {
        out.push((p.0, Some(p.1)));
        run += 1;
        let next = points.get(i + 1).map(|n| n.0);
        let breaks = next.is_none_or(|n| n - p.0 > limit);
        if !breaks {
            continue;
        }
        let end = p.0 + next.map_or(stroke, |n| stroke.min((n - p.0) / 2));
        if run == 1 && points.len() > 1 {
            out.push((end, Some(p.1)));
        }
        if next.is_some() {
            out.push((end, None));
        }
        run = 0;
    }
    out
}

fn raw_limit(points: &[Point]) -> i64 {
    if points.len() < RAW_MIN {
        return i64::MAX;
    }
    let mut steps: Vec<i64> = points.windows(2).map(|w| w[1].0 - w[0].0).collect();
    let middle = steps.len() / 2;
    let (_, usual, _) = steps.select_nth_unstable(middle);
    usual.saturating_mul(RAW_GAP).max(1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(times: &[i64]) -> Vec<Point> {
        times.iter().map(|t| Point(*t, 1.0)).collect()
    }

    #[test]
    fn neighbouring_buckets_are_joined_and_missing_ones_are_not() {
        let line = with_gaps(&points(&[0, 60, 120, 300, 360]), 60, 1);
        let breaks: Vec<i64> = line.iter().filter(|p| p.1.is_none()).map(|p| p.0).collect();
        assert_eq!(breaks, [180]);
    }

    #[test]
    fn a_bucket_alone_is_as_long_as_it_is() {
        let line = with_gaps(&points(&[0, 600]), 60, 1);
        assert_eq!(
            line,
            [
                (0, Some(1.0)),
                (60, Some(1.0)),
                (60, None),
                (600, Some(1.0)),
                (660, Some(1.0))
            ]
        );
    }

    #[test]
    fn raw_points_break_where_the_step_is_far_from_usual() {
        let mut times: Vec<i64> = (0..20).map(|i| i * 1_000).collect();
        times.extend((0..20).map(|i| 600_000 + i * 1_000));
        let line = with_gaps(&points(&times), 0, 1);
        assert_eq!(line.iter().filter(|p| p.1.is_none()).count(), 1);
    }

    #[test]
    fn a_few_raw_points_are_one_line() {
        assert!(
            with_gaps(&points(&[0, 10, 100_000]), 0, 1)
                .iter()
                .all(|p| p.1.is_some())
        );
    }

    proptest! {
        #[test]
        fn time_never_runs_back_and_no_point_is_lost(
            steps in proptest::collection::vec(1i64..5_000, 1..60),
            bucket in prop_oneof![Just(0i64), 1i64..2_000],
        ) {
            let times: Vec<i64> = steps.iter().scan(0, |t, s| { *t += s; Some(*t) }).collect();
            let line = with_gaps(&points(&times), bucket, 7);
            prop_assert!(line.windows(2).all(|w| w[0].0 <= w[1].0), "{:?}", line);
            for t in times {
                prop_assert!(line.contains(&(t, Some(1.0))));
            }
        }
    }
}
