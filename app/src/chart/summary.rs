//! What a chart shows, in figures.

use super::NamedSeries;
use crate::model::query::Point;

/// A series in one row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct SummaryRow {
    pub name: String,
    /// As CSS.
    pub color: String,
    pub newest: Point,
    pub lowest: f64,
    pub highest: f64,
}

/// One row for each series that has points.
pub fn summary(series: &[NamedSeries]) -> Vec<SummaryRow> {
    let row = |s: &NamedSeries| {
        let newest = *s.data.points.last()?;
        let values = || s.data.points.iter().map(|p| p.1);
        Some(SummaryRow {
            name: s.name.clone(),
            color: s.color(),
            newest,
            lowest: values().fold(f64::INFINITY, f64::min),
            highest: values().fold(f64::NEG_INFINITY, f64::max),
        })
    };
    series.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};
    use crate::{
        chart::{Answer, named},
        model::dashboard::WidgetKind,
    };

    #[test]
    fn a_row_says_newest_lowest_and_highest() {
        let widget = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let result = fixture::result(0, &[("a", &[(0, 5.0), (1, -2.0), (2, 3.0)]), ("b", &[])]);
        let rows = summary(&named(
            &widget,
            &[Answer {
                query: 0,
                result: &result,
            }],
        ));
        let row = SummaryRow {
            name: "a".into(),
            color: rows[0].color.clone(),
            newest: Point(2, 3.0),
            lowest: -2.0,
            highest: 5.0,
        };
        assert_eq!(rows, [row]);
    }
}
