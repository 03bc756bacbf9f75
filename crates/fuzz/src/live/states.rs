//! Three states of one topic, and the patches between them.

use dash_model::{
    live::QueryPatch,
    mapping::Tags,
    order,
    query::{Point, QueryResult, Resolution, Rollup, SeriesData},
};

use crate::input::Input;

/// A patch leads from the one to the other, and two in a row are one.
pub fn target(input: &mut Input) {
    let total = input.below(2) == 1;
    let (a, b, c) = (state(input), state(input), state(input));
    let Some(first) = QueryPatch::between(&a, &b, total) else {
        return;
    };
    let mut state = a.clone();
    first.apply(&mut state);
    assert_eq!(state, b, "a patch leads elsewhere");
    if let Some(second) = QueryPatch::between(&b, &c, total) {
        let mut state = a;
        first.then(&second).apply(&mut state);
        assert_eq!(state, c, "two patches are not one");
    }
}

/// As answers are: series in order, none without points; times rising, none before the range.
fn state(input: &mut Input) -> QueryResult {
    let from_ms = input.below(8) as i64;
    let mut series: Vec<SeriesData> = (0..input.below(5))
        .map(|_| SeriesData {
            tags: tags(input),
            points: points(input, from_ms),
        })
        .filter(|s| !s.points.is_empty())
        .collect();
    series.sort_by(|a, b| order::groups(&a.tags, &b.tags));
    series.dedup_by(|a, b| a.tags == b.tags);
    QueryResult {
        resolution: Resolution {
            bucket_ms: input.below(2) as i64,
            from: Rollup::Raw,
        },
        from_ms,
        to_ms: from_ms + 100,
        series,
        omitted_series: input.below(2) as u32,
        unit: None,
    }
}

fn tags(input: &mut Input) -> Tags {
    (0..input.below(3))
        .map(|_| {
            let (name, value) = (input.take(1), input.take(2));
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            (text(name), text(value))
        })
        .collect()
}

fn points(input: &mut Input, from_ms: i64) -> Vec<Point> {
    let mut time = from_ms;
    (0..input.below(6))
        .map(|_| {
            time += 1 + input.below(3) as i64;
            Point(time - 1, f64::from(input.byte()))
        })
        .collect()
}
