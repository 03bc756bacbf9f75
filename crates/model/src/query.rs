//! Questions to the metrics, and their answers.

use serde::{Deserialize, Serialize};

use crate::mapping::Tags;

/// What to read: one metric of one pipeline, grouped by tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MetricQuery {
    /// Slug or id.
    pub pipeline: String,
    pub metric: String,
    #[serde(default)]
    pub agg: Aggregation,
    /// Tags that make a series of their own; the others are aggregated over.
    #[serde(default)]
    pub by: Vec<String>,
    /// Only series whose tag has one of these values.
    #[serde(default)]
    pub only: Vec<TagFilter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TagFilter {
    pub tag: String,
    pub values: Vec<String>,
}

/// How the points of a bucket become one. All but `First` and `Last` do not depend on order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    #[default]
    Avg,
    Sum,
    Min,
    Max,
    Count,
    First,
    Last,
}

/// Which time a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TimeRange {
    /// The last so many seconds, moving with the clock.
    Last { seconds: u32 },
    /// From (inclusive) to (exclusive), milliseconds since 1970 UTC.
    Between { from_ms: i64, to_ms: i64 },
    /// Everything there is.
    All,
}

/// One series over time, or one number for the whole range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shape {
    /// At most about two points for each of `width` pixels.
    Series { width: u32 },
    /// One point a series: the aggregate of the range, at the time of its newest point.
    Total,
}

/// A question with its time and its shape: what one widget needs. Two viewers who ask the same share one computation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QuerySpec {
    pub query: MetricQuery,
    pub range: TimeRange,
    pub shape: Shape,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueryResult {
    pub resolution: Resolution,
    /// The range that was answered: inclusive, exclusive, milliseconds.
    pub from_ms: i64,
    pub to_ms: i64,
    /// In the order of [`order::groups`](crate::order::groups).
    pub series: Vec<SeriesData>,
    /// Series that were left out because there are more than [`MAX_SERIES`].
    pub omitted_series: u32,
    pub unit: Option<String>,
}

/// Most series that one answer holds: those with the newest points.
pub const MAX_SERIES: usize = 100;

/// Points of one group of tags, by rising time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesData {
    pub tags: Tags,
    pub points: Vec<Point>,
}

/// Time in milliseconds, value. A bucket carries the time of its start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point(pub i64, pub f64);

/// Where the points of an answer come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Width of a bucket in milliseconds; 0 for points as they were written.
    pub bucket_ms: i64,
    pub from: Rollup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Rollup {
    #[serde(rename = "raw")]
    Raw,
    #[serde(rename = "1m")]
    Minute,
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "1d")]
    Day,
}

impl Rollup {
    pub fn label(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Minute => "1m",
            Self::Hour => "1h",
            Self::Day => "1d",
        }
    }
}
