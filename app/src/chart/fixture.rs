//! Small widgets and answers for the tests of this module.

use crate::model::{
    dashboard::{Widget, WidgetKind, WidgetQuery},
    query::{Aggregation, MetricQuery, Point, QueryResult, Resolution, Rollup, SeriesData},
};

pub fn widget(kind: WidgetKind, labels: &[&str], by: &[&str]) -> Widget {
    Widget {
        id: "w".into(),
        title: "W".into(),
        kind,
        queries: labels
            .iter()
            .map(|label| WidgetQuery {
                label: (*label).into(),
                query: MetricQuery {
                    pipeline: "machine".into(),
                    metric: "m".into(),
                    agg: Aggregation::Avg,
                    by: by.iter().map(|b| (*b).into()).collect(),
                    only: vec![],
                },
            })
            .collect(),
        unit: None,
        decimals: None,
        max_points: None,
        columns: 6,
        rows: 3,
    }
}

/// Each series: the value of its tag `t` (none when empty) and its points.
pub fn result(bucket_ms: i64, series: &[(&str, &[(i64, f64)])]) -> QueryResult {
    QueryResult {
        resolution: Resolution {
            bucket_ms,
            from: Rollup::Raw,
        },
        from_ms: 0,
        to_ms: 10_000,
        series: series
            .iter()
            .map(|(tag, points)| SeriesData {
                tags: Some(("t".to_owned(), (*tag).to_owned()))
                    .filter(|t| !t.1.is_empty())
                    .into_iter()
                    .collect(),
                points: points.iter().map(|p| Point(p.0, p.1)).collect(),
            })
            .collect(),
        omitted_series: 0,
        unit: None,
    }
}
