//! A dashboard: widgets on a grid of 12 columns.

use serde::{Deserialize, Serialize};

use crate::{
    DashboardId, TeamId,
    query::{MetricQuery, QuerySpec, Shape, TimeRange},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub id: DashboardId,
    pub slug: String,
    pub title: String,
    pub description: String,
    /// The range it opens with.
    pub range: TimeRange,
    pub widgets: Vec<Widget>,
    /// Whose it is; nothing: the whole organization's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    /// Shared with everybody, for reading.
    #[serde(default)]
    pub public: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Widget {
    /// Unique within the dashboard.
    pub id: String,
    pub title: String,
    pub kind: WidgetKind,
    pub queries: Vec<WidgetQuery>,
    /// Shown behind values; the metric's own unit when absent.
    #[serde(default)]
    pub unit: Option<String>,
    /// Decimals of shown values.
    #[serde(default)]
    pub decimals: Option<u8>,
    /// Buckets of a line or bar chart, at most, however wide it is: fine ones of sparse data are mostly gaps. A narrow
    /// chart still asks for fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_points: Option<u32>,
    /// Columns (of 12) and rows (of about 90 px) it takes on a wide screen.
    pub columns: u8,
    pub rows: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WidgetKind {
    Line,
    Bar,
    /// One number and what it was over time.
    Stat,
    /// A row for each group of tags, a column for each query.
    Table,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WidgetQuery {
    /// Legend or column head.
    pub label: String,
    pub query: MetricQuery,
}

/// Charts ask for points in steps of so many pixels, so that viewers with nearly the same screen share one query.
pub const WIDTH_STEP: u32 = 200;

/// Pixels of a bar with the gap beside it.
const BAR_PIXELS: u32 = 8;

/// The same where the widget says how many there are: the thinnest bars that can be told apart.
const LEAST_BAR_PIXELS: u32 = 3;

impl Widget {
    /// What this widget asks for, over `range`, on a chart of about `width` pixels. A stat asks for its
    /// number and for the line behind it, in this order, for each query.
    pub fn specs(&self, range: TimeRange, width: u32) -> Vec<QuerySpec> {
        let width = width.clamp(1, 4_000).div_ceil(WIDTH_STEP) * WIDTH_STEP;
        let shapes: &[Shape] = match self.kind {
            WidgetKind::Line => &[Shape::Series {
                width: self.max_points.map_or(width, |most| width.min(most.max(1))),
            }],
            WidgetKind::Bar => &[Shape::Series {
                width: self
                    .max_points
                    .map_or(width / BAR_PIXELS, |most| most.clamp(1, width / LEAST_BAR_PIXELS)),
            }],
            WidgetKind::Stat => &[Shape::Total, Shape::Series { width: WIDTH_STEP }],
            WidgetKind::Table => &[Shape::Total],
        };
        let ask = |q: &WidgetQuery, shape: Shape| QuerySpec {
            query: q.query.clone(),
            range,
            shape,
        };
        self.queries
            .iter()
            .flat_map(|q| shapes.iter().map(move |s| ask(q, *s)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: &str, max_points: &str, width: u32) -> Vec<Shape> {
        let widget: Widget = serde_json::from_str(&format!(
            r#"{{"id":"w","title":"W","kind":"{kind}",{max_points}"columns":6,"rows":3,
                "queries":[{{"label":"L","query":{{"pipeline":"p","metric":"m"}}}}]}}"#
        ))
        .expect("a widget");
        let specs = widget.specs(TimeRange::All, width);
        specs.into_iter().map(|s| s.shape).collect()
    }

    #[test]
    fn a_chart_asks_for_what_its_pixels_can_show() {
        assert_eq!(asked("line", "", 790), [Shape::Series { width: 800 }]);
        assert_eq!(asked("bar", "", 790), [Shape::Series { width: 100 }]);
    }

    #[test]
    fn a_widget_may_ask_for_fewer_buckets_but_not_for_more_than_fit() {
        let most = r#""max_points":170,"#;
        assert_eq!(asked("line", most, 790), [Shape::Series { width: 170 }]);
        assert_eq!(asked("bar", most, 790), [Shape::Series { width: 170 }]);
        assert_eq!(asked("bar", most, 390), [Shape::Series { width: 133 }]);
        assert_eq!(asked("line", r#""max_points":0,"#, 790), [Shape::Series { width: 1 }]);
        assert_eq!(
            asked("line", r#""max_points":9000,"#, 790),
            [Shape::Series { width: 800 }]
        );
        assert_eq!(asked("stat", most, 790)[1], Shape::Series { width: WIDTH_STEP });
    }
}
