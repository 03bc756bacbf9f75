//! The small line behind a stat, as SVG paths in a box of 100 x 100 that stretches.

use std::{collections::BTreeMap, fmt::Write};

use super::{NamedSeries, gaps};
use crate::model::query::{Point, QueryResult};

/// Paths in user units, y downwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spark {
    pub line: String,
    /// The same, closed along the bottom.
    pub area: String,
}

/// Points that a line needs to say something. The first and the last bucket are cut by the range, so a sum or a count
/// dips there whatever happened; between them two points are a slope and nothing else. From three whole ones on there
/// is a course to see.
const FEWEST: usize = 5;

/// The line of `points` within the range of `result`; nothing when they are too few to make a shape.
pub fn spark(result: &QueryResult, points: &[Point]) -> Option<Spark> {
    if points.len() < FEWEST {
        return None;
    }
    let (min, max) = extent(points.iter().map(|p| p.1))?;
    let plane = Plane {
        from_ms: result.from_ms,
        to_ms: result.to_ms.max(result.from_ms + 1),
        min,
        max,
    };
    Some(plane.line(points, result.resolution.bucket_ms))
}

/// A chart before, or without, its script: a path for each series, in a common plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub paths: Vec<PreviewPath>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewPath {
    pub color: String,
    pub line: String,
}

/// All series of a line or bar widget. Bars begin at zero, or on top of the series before when they are `stacked`.
pub fn preview(series: &[NamedSeries], from_ms: i64, to_ms: i64, bars: Option<Stacked>) -> Option<Preview> {
    let stacked = bars == Some(Stacked(true));
    let mut tops: BTreeMap<i64, f64> = BTreeMap::new();
    // Foot and top of each point.
    let spans: Vec<Vec<(i64, f64, f64)>> = series
        .iter()
        .map(|s| {
            let span = |p: &Point| {
                let top = tops.entry(p.0).or_default();
                let foot = if stacked { *top } else { 0.0 };
                *top = foot + p.1;
                (p.0, foot, *top)
            };
            s.data.points.iter().map(span).collect()
        })
        .collect();
    let zero = Some(0.0).filter(|_| bars.is_some());
    let (min, max) = extent(spans.iter().flatten().map(|s| s.2).chain(zero))?;
    let plane = Plane {
        from_ms,
        to_ms: to_ms.max(from_ms + 1),
        min,
        max,
    };
    let path = |(s, spans): (&NamedSeries, &Vec<_>)| PreviewPath {
        color: s.color(),
        line: if bars.is_some() {
            plane.bars(spans)
        } else {
            let (points, step_ms) = thinned(&s.data.points, s.resolution.bucket_ms);
            plane.line(&points, step_ms).line
        },
    };
    Some(Preview {
        paths: series.iter().zip(&spans).map(path).collect(),
    })
}

/// Whether the bars of one time stand on each other or beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stacked(pub bool);

/// Steps that a preview divides its range into; each keeps its lowest and its highest point.
const STEPS: usize = 120;

/// At most two points a step, so that the page does not carry every point twice; and the width of the buckets that
/// these points stand for.
fn thinned(points: &[Point], bucket_ms: i64) -> (Vec<Point>, i64) {
    if points.len() <= 2 * STEPS {
        return (points.to_vec(), bucket_ms);
    }
    let by_value = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
    let size = points.len().div_ceil(STEPS);
    let thin = points
        .chunks(size)
        .flat_map(|step| {
            let mut both: Vec<Point> = [step.iter().min_by(by_value), step.iter().max_by(by_value)]
                .into_iter()
                .flatten()
                .copied()
                .collect();
            both.sort_by_key(|p| p.0);
            both.dedup_by_key(|p| p.0);
            both
        })
        .collect();
    // Two that were kept are at most two steps apart, and a gap begins at one and a half buckets.
    (thin, bucket_ms * size as i64 * 4 / 3)
}

fn extent(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    (min <= max).then_some((min, max))
}

/// What the box shows.
struct Plane {
    from_ms: i64,
    to_ms: i64,
    min: f64,
    max: f64,
}

impl Plane {
    fn x(&self, t: i64) -> f64 {
        let x = (t - self.from_ms) as f64 / (self.to_ms - self.from_ms) as f64 * 100.0;
        x.clamp(0.0, 100.0)
    }

    /// A constant runs through the middle.
    fn y(&self, v: f64) -> f64 {
        if self.max > self.min {
            95.0 - (v - self.min) / (self.max - self.min) * 90.0
        } else {
            50.0
        }
    }

    fn line(&self, points: &[Point], bucket_ms: i64) -> Spark {
        let mut out = Spark::default();
        let mut run: Vec<(f64, f64)> = Vec::new();
        for (t, v) in gaps::with_gaps(points, bucket_ms, (self.to_ms - self.from_ms) / 200) {
            match v {
                Some(v) => run.push((self.x(t), self.y(v))),
                None => out.close(&mut run),
            }
        }
        out.close(&mut run);
        out
    }

    fn bars(&self, spans: &[(i64, f64, f64)]) -> String {
        spans.iter().fold(String::new(), |mut out, (t, foot, top)| {
            // Writing to a String cannot fail.
            let _ = write!(out, "M{:.1} {:.1}V{:.1}", self.x(*t), self.y(*foot), self.y(*top));
            out
        })
    }
}

impl Spark {
    fn close(&mut self, run: &mut Vec<(f64, f64)>) {
        let (Some(first), Some(last)) = (run.first().copied(), run.last().copied()) else {
            return;
        };
        // Writing to a String cannot fail.
        let _ = write!(self.area, "M{:.1} 100", first.0);
        for (i, (x, y)) in run.drain(..).enumerate() {
            let _ = write!(self.line, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
            let _ = write!(self.area, "L{x:.1} {y:.1}");
        }
        let _ = write!(self.area, "L{:.1} 100Z", last.0);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Answer, fixture, named},
        *,
    };
    use crate::model::dashboard::WidgetKind;

    fn of(bucket: i64, points: &[(i64, f64)]) -> Option<Spark> {
        let result = fixture::result(bucket, &[("", points)]);
        spark(&result, &result.series[0].points)
    }

    #[test]
    fn it_spans_the_range_and_the_values() {
        let points = [(0, 1.0), (2_000, 2.0), (5_000, 3.0), (8_000, 2.0), (10_000, 2.0)];
        let spark = of(0, &points).expect("a line");
        assert_eq!(spark.line, "M0.0 95.0L20.0 50.0L50.0 5.0L80.0 50.0L100.0 50.0");
        assert_eq!(
            spark.area,
            "M0.0 100L0.0 95.0L20.0 50.0L50.0 5.0L80.0 50.0L100.0 50.0L100.0 100Z"
        );
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let points = [(0, 1.0), (1_000, 1.0), (7_000, 1.0), (8_000, 1.0), (9_000, 1.0)];
        let spark = of(1_000, &points).expect("a line");
        assert_eq!(spark.line, "M0.0 50.0L10.0 50.0M70.0 50.0L80.0 50.0L90.0 50.0");
    }

    #[test]
    fn a_preview_shares_one_plane_and_stays_small() {
        let widget = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let many: Vec<(i64, f64)> = (0..5_000)
            .map(|i| (i * 2, if i == 2_500 { 9.0 } else { 1.0 }))
            .collect();
        let result = fixture::result(2, &[("a", &many), ("b", &[(0, 5.0), (10, 5.0)])]);
        let answers = [Answer {
            query: 0,
            result: &result,
        }];
        let preview = preview(&named(&widget, &answers), 0, 10_000, None).expect("series");
        assert!(preview.paths[0].line.contains(" 5.0"), "the peak is kept");
        assert_eq!(preview.paths[0].line.matches('M').count(), 1, "thinning makes no gaps");
        assert!(preview.paths[0].line.len() < 4_000, "{}", preview.paths[0].line.len());
        assert!(
            preview.paths[1].line.starts_with("M0.0 50.0"),
            "{}",
            preview.paths[1].line
        );
    }

    #[test]
    fn bars_stand_on_zero_or_on_each_other() {
        let widget = fixture::widget(WidgetKind::Bar, &["CPU"], &["t"]);
        let result = fixture::result(1_000, &[("a", &[(0, 1.0), (5_000, 2.0)]), ("b", &[(0, 1.0)])]);
        let answers = [Answer {
            query: 0,
            result: &result,
        }];
        let lines = |stacked| -> Vec<String> {
            let preview = preview(&named(&widget, &answers), 0, 10_000, Some(Stacked(stacked))).expect("series");
            preview.paths.into_iter().map(|p| p.line).collect()
        };
        assert_eq!(lines(false), ["M0.0 95.0V50.0M50.0 95.0V5.0", "M0.0 95.0V50.0"]);
        assert_eq!(lines(true), ["M0.0 95.0V50.0M50.0 95.0V5.0", "M0.0 50.0V5.0"]);
    }

    #[test]
    fn few_points_are_no_line() {
        let points: Vec<(i64, f64)> = (0..5).map(|i| (i * 2_000, i as f64)).collect();
        for few in 0..5 {
            assert_eq!(of(2_000, &points[..few]), None, "{few} points");
        }
        assert!(of(2_000, &points).is_some());
    }
}
