//! Line and bar widgets as ECharts options. No colours but the palette's, no functions: JSON text is all that leaves.

use charming::{
    component::{Axis, Grid, Legend, LegendType},
    datatype::CompositeValue,
    element::{AreaStyle, AxisLabel, AxisType, Formatter, ItemStyle, LineStyle, LineStyleType, Tooltip, Trigger},
    series::{Bar, Line},
};
use serde::Serialize;

use super::{Answer, NamedSeries, gaps, named::named, scale::Scale};
use crate::model::{
    dashboard::{Widget, WidgetKind},
    query::Aggregation,
};

/// Up to so many points a series shows them as dots.
const DOTS: usize = 30;
/// Height of the legend, in pixels.
const LEGEND: i32 = 24;

/// The root of an option: of `charming::Chart` what Dash's charts have. Chart itself can be any chart, and brings how all of them are written
/// as JSON to every visitor.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    grid: [Grid; 1],
    tooltip: Tooltip,
    #[serde(skip_serializing_if = "Option::is_none")]
    legend: Option<Legend>,
    x_axis: Axis,
    y_axis: Axis,
    series: Vec<Series>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Series {
    Line(Box<Line>),
    Bar(Box<Bar>),
}

/// The chart of a line or bar widget on `width` pixels.
pub fn option(widget: &Widget, answers: &[Answer], width: u32) -> Chart {
    let series = named(widget, answers);
    let values = || series.iter().flat_map(|s| &s.data.points).map(|p| p.1);
    let largest = values().fold(0.0, |max: f64, v| max.max(v.abs()));
    // Counts have neither the metric's unit nor its decimals.
    let counts = widget.queries.iter().all(|q| q.query.agg == Aggregation::Count);
    let of_metric = || answers.iter().find_map(|a| a.result.unit.as_deref());
    let unit = widget.unit.as_deref().or_else(of_metric).filter(|_| !counts);
    let decimals = if counts { Some(0) } else { widget.decimals };
    let scale = Scale::of(unit, largest, decimals);

    let from = answers.iter().map(|a| a.result.from_ms).min().unwrap_or(0);
    let to = answers.iter().map(|a| a.result.to_ms).max().unwrap_or(0).max(from + 1);
    let bars = widget.kind == WidgetKind::Bar;
    // A bar stands in the middle of its time: the first needs room on its left.
    let margin = if bars {
        answers.iter().map(|a| a.result.resolution.bucket_ms).max().unwrap_or(0) / 2
    } else {
        0
    };

    let legend = series.len() > 1;
    let pixel_ms = (to - from) / i64::from(width.max(1));
    Chart {
        grid: [Grid::new().top(if legend { LEGEND + 8 } else { 12 })],
        tooltip: Tooltip::new()
            .trigger(Trigger::Axis)
            .value_formatter(Formatter::String(scale.value_template())),
        legend: legend.then(|| Legend::new().type_(LegendType::Scroll)),
        x_axis: Axis::new().type_(AxisType::Time).min(from - margin).max(to),
        y_axis: Axis::new()
            .type_(AxisType::Value)
            .scale(!bars && is_far_from_zero(values()))
            .axis_label(AxisLabel::new().formatter(Formatter::String(scale.axis_template()))),
        series: series
            .iter()
            .map(|s| match bars {
                true => Series::Bar(Box::new(bar(s, widget, &scale))),
                false => Series::Line(Box::new(line(s, &scale, pixel_ms, series.len() == 1))),
            })
            .collect(),
    }
}

/// The text that the browser hands to ECharts.
pub fn to_json(chart: &Chart) -> String {
    serde_json::to_string(chart).expect("options hold nothing that JSON cannot")
}

fn line(s: &NamedSeries, scale: &Scale, pixel_ms: i64, alone: bool) -> Line {
    let points = gaps::with_gaps(&s.data.points, s.resolution.bucket_ms, pixel_ms);
    let line = Line::new()
        .id(s.name.clone())
        .name(s.name.clone())
        .show_symbol(s.data.points.len() <= DOTS)
        .item_style(ItemStyle::new().color(s.color()))
        .line_style(LineStyle::new().type_(match s.round {
            0 => LineStyleType::Solid,
            1 => LineStyleType::Dashed,
            _ => LineStyleType::Dotted,
        }))
        .data(
            points
                .into_iter()
                .map(|(t, v)| datum(t, v.map(|v| v / scale.divisor)))
                .collect(),
        );
    // Areas of several series hide each other.
    if alone { line.area_style(AreaStyle::new()) } else { line }
}

fn bar(s: &NamedSeries, widget: &Widget, scale: &Scale) -> Bar {
    let bar = Bar::new()
        .id(s.name.clone())
        .name(s.name.clone())
        .item_style(ItemStyle::new().color(s.color()))
        .data(
            s.data
                .points
                .iter()
                .map(|p| datum(p.0, Some(p.1 / scale.divisor)))
                .collect(),
        );
    if stacks(widget, s.query) {
        bar.stack(format!("query {}", s.query))
    } else {
        bar
    }
}

/// Whether the bars of this query stand on each other: only what adds up may.
pub fn stacks(widget: &Widget, query: usize) -> bool {
    let agg = widget.queries.get(query).map(|q| q.query.agg);
    matches!(agg, Some(Aggregation::Sum | Aggregation::Count))
}

fn datum(time: i64, value: Option<f64>) -> Vec<CompositeValue> {
    vec![time.into(), value.into()]
}

/// Values that differ by little compared to their size are flat on an axis from zero: it then begins below them.
fn is_far_from_zero(values: impl Iterator<Item = f64>) -> bool {
    let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let nearest = if min > 0.0 && min.is_finite() {
        min
    } else if max < 0.0 && max.is_finite() {
        -max
    } else {
        return false;
    };
    (max - min) < nearest * 0.25
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::fixture, *};
    use crate::model::query::QueryResult;

    fn made(widget: &Widget, result: &QueryResult) -> Value {
        let chart = option(widget, &[Answer { query: 0, result }], 800);
        serde_json::from_str(&to_json(&chart)).expect("JSON")
    }

    #[test]
    fn a_line_has_its_range_its_unit_and_its_gap() {
        let mut widget = fixture::widget(WidgetKind::Line, &["Memory"], &[]);
        widget.unit = Some("bytes".into());
        let result = fixture::result(
            1_000,
            &[("", &[(0, 2048.0), (1_000, 4096.0), (5_000, 1024.0), (6_000, 0.0)])],
        );
        let option = made(&widget, &result);
        assert_eq!(option["xAxis"]["type"], "time");
        assert_eq!(
            (&option["xAxis"]["min"], &option["xAxis"]["max"]),
            (&json!(0), &json!(10_000))
        );
        assert_eq!(option["yAxis"]["axisLabel"]["formatter"], "{value} KiB");
        assert_eq!(option["tooltip"]["valueFormatter"], "{value} KiB");
        assert_eq!(
            option["series"][0]["data"],
            json!([[0, 2.0], [1_000, 4.0], [2_000, null], [5_000, 1.0], [6_000, 0.0]])
        );
    }

    #[test]
    fn one_series_needs_no_legend_and_two_do() {
        let widget = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let points: &[(i64, f64)] = &[(0, 1.0)];
        assert!(made(&widget, &fixture::result(0, &[("a", points)]))["legend"].is_null());
        let two = made(&widget, &fixture::result(0, &[("a", points), ("b", points)]));
        assert_eq!(two["legend"]["type"], "scroll");
        assert_eq!(two["series"][1]["name"], "b");
    }

    #[test]
    fn bars_stack_only_what_adds_up() {
        let points: &[(i64, f64)] = &[(0, 1.0)];
        let result = fixture::result(1_000, &[("a", points)]);
        let mut widget = fixture::widget(WidgetKind::Bar, &["Events"], &["t"]);
        assert!(made(&widget, &result)["series"][0]["stack"].is_null());
        widget.queries[0].query.agg = Aggregation::Count;
        let option = made(&widget, &result);
        assert_eq!(option["series"][0]["stack"], "query 0");
        assert_eq!(option["xAxis"]["min"], -500);
        assert_eq!(option["tooltip"]["valueFormatter"], "{value:0}");
    }

    #[test]
    fn names_from_the_data_are_text_and_nothing_else() {
        let widget = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let evil = "</script><img src=x onerror=alert(1)>\"}";
        let result = fixture::result(0, &[(evil, &[(0, 1.0)])]);
        assert_eq!(made(&widget, &result)["series"][0]["name"], evil);
    }

    #[test]
    fn an_axis_leaves_zero_only_where_a_line_would_be_flat() {
        let starts_at_zero = |points: &[(i64, f64)]| {
            let widget = fixture::widget(WidgetKind::Line, &["Pressure"], &[]);
            made(&widget, &fixture::result(0, &[("", points)]))["yAxis"]["scale"] == json!(false)
        };
        assert!(!starts_at_zero(&[(0, 1013.0), (1, 1015.0)]));
        assert!(starts_at_zero(&[(0, 10.0), (1, 20.0)]));
        assert!(starts_at_zero(&[(0, -1.0), (1, 1.0)]));
        assert!(starts_at_zero(&[]));
    }
}
