//! An answer in parts, of which those that nobody wrote to since are taken over by the next.

use std::ops::{Range, RangeInclusive};

use dash_model::{
    mapping::Tags,
    order,
    query::{Aggregation, Point, QueryResult, SeriesData, Shape},
};

use crate::resolution::floor;

/// What was read for an answer, bucket by bucket, for the next answer to the same question by the same mapping version. The default
/// serves for none.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Width of the buckets in milliseconds.
    step: i64,
    /// The range, in milliseconds.
    range: Range<i64>,
    /// By rising time each, in the order of [`order::groups`].
    lines: Vec<Line>,
}

/// The parts of one group.
#[derive(Clone, Debug)]
pub struct Line {
    pub tags: Tags,
    pub parts: Vec<Part>,
}

/// A bucket.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its start, in milliseconds.
    pub at: i64,
    /// Points in it.
    pub n: f64,
    /// Their sum for `Sum` and `Avg`, else their aggregate.
    pub v: f64,
    /// Time of the newest, in milliseconds.
    pub newest: i64,
}

/// Goes on from an earlier answer.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    pub parts: &'a Parts,
    /// Times (microseconds since 1970) between which all points lie that were committed since the snapshot of that answer;
    /// more does no harm. Nothing: none were.
    pub changed: Option<RangeInclusive<i64>>,
}

/// What is taken over, and what has to be read.
pub struct Reused<'a> {
    known: &'a Parts,
    /// Where the buckets of the answer begin, in milliseconds.
    starts: Range<i64>,
    /// Buckets that have to be read, whole, in milliseconds.
    buckets: Vec<Range<i64>>,
    /// The parts of them that lie in the range, in microseconds, rising, apart.
    pub stale: Vec<Range<i64>>,
}

impl<'a> Known<'a> {
    /// What serves for an answer over `range` (milliseconds) in buckets of `step`.
    pub fn reuse(&self, range: &Range<i64>, step: i64) -> Option<Reused<'a>> {
        let known = self.parts;
        if known.step != step {
            return None;
        }
        // The buckets at an edge that moved hold another part of their points; those between the old and the new edge too.
        let edge = |a: i64, b: i64| (a != b).then(|| a.min(b)..a.max(b) + 1);
        let written = self
            .changed
            .as_ref()
            .map(|c| c.start().div_euclid(1_000)..c.end().div_euclid(1_000) + 1);
        let pieces = [
            edge(known.range.start, range.start),
            edge(known.range.end, range.end),
            written,
        ];
        let mut buckets: Vec<Range<i64>> = pieces
            .into_iter()
            .flatten()
            .map(|r| floor(r.start, step)..floor(r.end - 1, step) + step)
            .collect();
        buckets.sort_by_key(|r| r.start);
        buckets.dedup_by(|next, before| {
            let touch = before.end >= next.start;
            if touch {
                before.end = before.end.max(next.end);
            }
            touch
        });
        let clipped = buckets
            .iter()
            .map(|r| r.start.max(range.start) * 1_000..r.end.min(range.end) * 1_000);
        Some(Reused {
            known,
            starts: floor(range.start, step)..range.end,
            stale: clipped.filter(|r| !r.is_empty()).collect(),
            buckets,
        })
    }
}

impl Reused<'_> {
    /// Adds what is taken over to `lines`, which hold just the stale buckets.
    pub fn complete(self, lines: &mut Vec<Line>) {
        let holds = |p: &&Part| self.starts.contains(&p.at) && !self.buckets.iter().any(|r| r.contains(&p.at));
        for old in &self.known.lines {
            let mut parts: Vec<Part> = old.parts.iter().filter(holds).copied().collect();
            if parts.is_empty() {
                continue;
            }
            match lines.iter_mut().find(|line| line.tags == old.tags) {
                Some(line) => {
                    parts.append(&mut line.parts);
                    parts.sort_by_key(|p| p.at);
                    line.parts = parts;
                }
                None => lines.push(Line {
                    tags: old.tags.clone(),
                    parts,
                }),
            }
        }
        lines.sort_by(|a, b| order::groups(&a.tags, &b.tags));
    }
}

impl Parts {
    /// To be gone on from. Answers that leave series out are not: which ones changes with every point.
    pub fn of(result: &QueryResult, step: i64, lines: Vec<Line>) -> Option<Self> {
        (result.omitted_series == 0).then_some(Self {
            step,
            range: result.from_ms..result.to_ms,
            lines,
        })
    }
}

/// What is shown of the parts; nothing when a sum of them is too large for a number.
pub fn shown(lines: &[Line], agg: Aggregation, shape: Shape) -> Option<Vec<SeriesData>> {
    lines
        .iter()
        .map(|line| {
            let points = match shape {
                Shape::Series { .. } => line.parts.iter().map(|p| Point(p.at, value(p, agg))).collect(),
                Shape::Total => {
                    let all = line.parts.iter().copied().reduce(|a, b| join(a, b, agg));
                    all.iter().map(|p| Point(p.newest, value(p, agg))).collect()
                }
            };
            let finite = |points: &Vec<Point>| points.iter().all(|p| p.1.is_finite());
            Some(points).filter(finite).map(|points| SeriesData {
                tags: line.tags.clone(),
                points,
            })
        })
        .collect()
}

fn value(part: &Part, agg: Aggregation) -> f64 {
    match agg {
        Aggregation::Avg => part.v / part.n,
        Aggregation::Count => part.n,
        _ => part.v,
    }
}

/// Two parts as one. `b` is the later.
fn join(a: Part, b: Part, agg: Aggregation) -> Part {
    Part {
        at: a.at,
        n: a.n + b.n,
        v: match agg {
            Aggregation::Avg | Aggregation::Sum | Aggregation::Count => a.v + b.v,
            Aggregation::Min => a.v.min(b.v),
            Aggregation::Max => a.v.max(b.v),
            Aggregation::First => a.v,
            Aggregation::Last => b.v,
        },
        newest: a.newest.max(b.newest),
    }
}
