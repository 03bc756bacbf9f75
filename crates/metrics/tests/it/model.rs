//! What an answer must be, worked out from the points one by one.

use std::collections::BTreeMap;

use dash_model::{
    mapping::Tags,
    point::SeriesKey,
    query::{Aggregation, Point, QueryResult, QuerySpec, SeriesData, Shape, TimeRange},
};

/// A point as the model keeps it.
#[derive(Clone, Debug)]
pub struct Known {
    pub time: i64,
    pub key: SeriesKey,
    /// The number of the series in the database, which breaks ties.
    pub series: i64,
    pub value: f64,
    pub event: i64,
}

/// Checks all of `result` but which resolution was chosen.
pub fn check(points: &[Known], spec: &QuerySpec, now: i64, result: &QueryResult) {
    let matching: Vec<&Known> = points.iter().filter(|p| matches(p, spec)).collect();
    let (from, to) = match spec.range {
        TimeRange::Between { from_ms, to_ms } => (from_ms, to_ms),
        TimeRange::Last { seconds } => {
            let to = now.div_euclid(1_000) + 1;
            (to - i64::from(seconds) * 1_000, to)
        }
        TimeRange::All => match (
            matching.iter().map(|p| p.time).min(),
            matching.iter().map(|p| p.time).max(),
        ) {
            (Some(first), Some(last)) => (first.div_euclid(1_000), last.div_euclid(1_000) + 1),
            _ => (now.div_euclid(1_000), now.div_euclid(1_000) + 1),
        },
    };
    assert_eq!((result.from_ms, result.to_ms), (from, to), "{spec:?}");

    let mut groups: BTreeMap<Tags, Vec<&Known>> = BTreeMap::new();
    for p in matching
        .into_iter()
        .filter(|p| (from * 1_000..to * 1_000).contains(&p.time))
    {
        let tags = p.key.tags.iter().filter(|(name, _)| spec.query.by.contains(name));
        groups
            .entry(tags.map(|(k, v)| (k.clone(), v.clone())).collect())
            .or_default()
            .push(p);
    }
    let expected: Vec<SeriesData> = groups
        .into_iter()
        .map(|(tags, points)| SeriesData {
            tags,
            points: expected(points, spec, result.resolution.bucket_ms),
        })
        .collect();
    assert_eq!(result.series, expected, "{spec:?} at {:?}", result.resolution);
    assert_eq!(result.omitted_series, 0);
}

fn expected(mut points: Vec<&Known>, spec: &QuerySpec, bucket_ms: i64) -> Vec<Point> {
    points.sort_by_key(|p| (p.time, p.event));
    match spec.shape {
        Shape::Total => {
            let newest = points.iter().map(|p| p.time).max().unwrap();
            vec![Point(newest.div_euclid(1_000), aggregate(&points, spec.query.agg))]
        }
        Shape::Series { .. } if bucket_ms == 0 => points
            .iter()
            .map(|p| Point(p.time.div_euclid(1_000), p.value))
            .collect(),
        Shape::Series { .. } => {
            let monday = if bucket_ms == 604_800_000 { 4 * 86_400_000 } else { 0 };
            let mut buckets: BTreeMap<i64, Vec<&Known>> = BTreeMap::new();
            for p in points {
                let start = (p.time.div_euclid(1_000) - monday).div_euclid(bucket_ms) * bucket_ms + monday;
                buckets.entry(start).or_default().push(p);
            }
            buckets
                .into_iter()
                .map(|(start, points)| Point(start, aggregate(&points, spec.query.agg)))
                .collect()
        }
    }
}

fn matches(p: &Known, spec: &QuerySpec) -> bool {
    let only = |f: &dash_model::query::TagFilter| p.key.tags.get(&f.tag).is_some_and(|v| f.values.contains(v));
    p.key.metric == spec.query.metric && spec.query.only.iter().all(only)
}

fn aggregate(points: &[&Known], agg: Aggregation) -> f64 {
    let values = || points.iter().map(|p| p.value);
    let n = points.len() as f64;
    match agg {
        Aggregation::Avg => values().sum::<f64>() / n,
        Aggregation::Sum => values().sum(),
        Aggregation::Min => values().fold(f64::INFINITY, f64::min),
        Aggregation::Max => values().fold(f64::NEG_INFINITY, f64::max),
        Aggregation::Count => n,
        Aggregation::First => {
            points
                .iter()
                .min_by_key(|p| (p.time, std::cmp::Reverse((p.series, p.event))))
                .unwrap()
                .value
        }
        Aggregation::Last => points.iter().max_by_key(|p| (p.time, p.series, p.event)).unwrap().value,
    }
}
