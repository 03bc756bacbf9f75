//! Answers to drawings: pure functions, the same on the server and in the browser.
//!
//! [`option`] makes a charming chart of a line or bar widget; how it looks (colours, fonts, grid) is added by
//! `style/charts`. [`spark`] is the line behind a stat and [`preview`] a chart before its script, both plain SVG.
//! [`summary`] says in figures what a chart shows, for readers without eyes or scripts.

mod gaps;
mod named;
mod option;
mod scale;
mod spark;
mod summary;

pub use named::{NamedSeries, named};
pub use option::{option, stacks, to_json};
pub use spark::{Preview, PreviewPath, Spark, Stacked, preview, spark};
pub use summary::{SummaryRow, summary};

use crate::model::query::QueryResult;

/// The answer to one of a widget's queries, by the place of the query in the widget.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub query: usize,
    pub result: &'a QueryResult,
}

#[cfg(test)]
pub mod fixture;
