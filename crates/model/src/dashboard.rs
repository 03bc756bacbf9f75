//! A dashboard: widgets on a grid of 12 columns.

use serde::{Deserialize, Serialize};

use crate::{
    DashboardId,
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

/// Pixels of a bar chart for each pixel that is asked for: at two points a pixel, a bar is then four wide.
const BAR_PIXELS: u32 = 8;

impl Widget {
    /// What this widget asks for, over `range`, on a chart of about `width` pixels. A stat asks for its
    /// number and for the line behind it, in this order, for each query.
    pub fn specs(&self, range: TimeRange, width: u32) -> Vec<QuerySpec> {
        let width = width.clamp(1, 4_000).div_ceil(WIDTH_STEP) * WIDTH_STEP;
        let shapes: &[Shape] = match self.kind {
            WidgetKind::Line => &[Shape::Series { width }],
            WidgetKind::Bar => &[Shape::Series {
                width: width / BAR_PIXELS,
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
