//! How a number differs from what it was when the range began, in words: "+17 % in 5 min".

use crate::{
    components::format,
    model::query::{Aggregation, Point, QueryResult, TimeRange},
};

/// A relative change beyond this says only that it began near nothing.
const MOST: f64 = 10.0;

/// Nothing where a comparison would say nothing: counts, sums and extremes of a range have no start to be compared with, a
/// range that does not move has no now, and a line that begins late was not there at the start.
pub fn words(
    agg: Aggregation,
    range: TimeRange,
    line: &QueryResult,
    points: &[Point],
    unit: Option<&str>,
) -> Option<String> {
    let TimeRange::Last { seconds } = range else {
        return None;
    };
    if !matches!(agg, Aggregation::Avg | Aggregation::Last) {
        return None;
    }
    let [first, _, ..] = points else { return None };
    if (first.0 - line.from_ms) * 10 > line.to_ms - line.from_ms {
        return None;
    }
    // A tenth at either end: single points jump about.
    let few = (points.len() / 10).max(1);
    let (before, now) = (mean(&points[..few]), mean(&points[points.len() - few..]));
    let what = match unit {
        // A percentage of percents would be read as points.
        Some("%" | "percent") => signed(now - before, "pts"),
        _ => {
            let fraction = (now - before) / before.abs();
            (fraction.abs() < MOST).then(|| signed(fraction * 100.0, "%"))?
        }
    };
    let time = format::duration_ms(u64::from(seconds) * 1_000);
    Some(format!("{what} in {time}"))
}

fn mean(points: &[Point]) -> f64 {
    points.iter().map(|p| p.1).sum::<f64>() / points.len() as f64
}

/// "+12 pts", "-0.4 %", "no change".
fn signed(value: f64, unit: &str) -> String {
    let number = format::number(value, u8::from(value.abs() < 10.0));
    if number.bytes().all(|b| matches!(b, b'0' | b'.')) {
        return "no change".into();
    }
    let sign = if value > 0.0 { "+" } else { "" };
    // Not parted at the end of a line.
    format!("{sign}{number}\u{a0}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::fixture;

    const MINUTES: TimeRange = TimeRange::Last { seconds: 300 };

    fn of(agg: Aggregation, range: TimeRange, unit: Option<&str>, points: &[(i64, f64)]) -> Option<String> {
        let line = fixture::result(0, &[("", points)]);
        words(agg, range, &line, &line.series[0].points, unit)
    }

    fn level(unit: &str, from: f64, to: f64) -> String {
        of(Aggregation::Last, MINUTES, Some(unit), &[(0, from), (9_000, to)])
            .unwrap_or_default()
            .replace('\u{a0}', " ")
    }

    #[test]
    fn a_level_changes_by_a_part_of_its_start() {
        assert_eq!(level("B", 100.0, 117.0), "+17 % in 5 min");
        assert_eq!(level("B", 1_000.0, 988.0), "-1.2 % in 5 min");
        assert_eq!(level("B", -10.0, -5.0), "+50 % in 5 min");
        assert_eq!(level("B", 10.0, 10.0001), "no change in 5 min");
    }

    #[test]
    fn one_point_that_jumps_is_no_great_change() {
        let mut points: Vec<(i64, f64)> = (0..100).map(|i| (i * 100, 50.0)).collect();
        points[0].1 = 0.0;
        let words = of(Aggregation::Avg, MINUTES, Some("%"), &points).unwrap_or_default();
        assert_eq!(words.replace('\u{a0}', " "), "+5.0 pts in 5 min");
    }

    #[test]
    fn percents_change_by_points() {
        assert_eq!(level("%", 10.0, 22.0), "+12 pts in 5 min");
        assert_eq!(level("percent", 1.0, 0.5), "-0.5 pts in 5 min");
    }

    #[test]
    fn what_began_near_nothing_has_no_change() {
        assert_eq!(level("B", 0.0, 5.0), "");
        assert_eq!(level("B", 0.0, 0.0), "");
        assert_eq!(level("B", 1.0, 500.0), "");
    }

    #[test]
    fn only_levels_over_a_moving_range_change() {
        let points = [(0, 1.0), (9_000, 2.0)];
        assert!(of(Aggregation::Avg, MINUTES, None, &points).is_some());
        for agg in [
            Aggregation::Sum,
            Aggregation::Count,
            Aggregation::Min,
            Aggregation::Max,
            Aggregation::First,
        ] {
            assert_eq!(of(agg, MINUTES, None, &points), None, "{agg:?}");
        }
        assert_eq!(of(Aggregation::Avg, TimeRange::All, None, &points), None);
        let between = TimeRange::Between {
            from_ms: 0,
            to_ms: 10_000,
        };
        assert_eq!(of(Aggregation::Avg, between, None, &points), None);
    }

    #[test]
    fn a_line_that_begins_late_has_no_start_of_the_range() {
        assert_eq!(of(Aggregation::Avg, MINUTES, None, &[(2_000, 1.0), (9_000, 2.0)]), None);
        assert_eq!(of(Aggregation::Avg, MINUTES, None, &[(0, 1.0)]), None);
    }
}
