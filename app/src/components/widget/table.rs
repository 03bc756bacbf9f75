//! A row for each group of tags, a column for each query.

use std::{cmp::Ordering, collections::BTreeMap};

use leptos::prelude::*;

use super::{answers::Answers, time, words};
use crate::{
    chart::Answer,
    components::format,
    model::{dashboard::Widget, mapping::Tags, order, query::Aggregation},
};

#[derive(Clone, Debug, Default, PartialEq)]
struct Rows {
    /// Names of tags that tell rows apart.
    tags: Vec<String>,
    units: Vec<Option<String>>,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    tags: Tags,
    /// By query.
    values: Vec<Option<f64>>,
    newest_ms: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Tag(usize),
    Value(usize),
    Newest,
}

#[component]
pub fn TableBody(widget: Widget, answers: Answers) -> impl IntoView {
    let queries = widget.queries.len();
    let labels: Vec<String> = widget.queries.iter().map(|q| q.label.clone()).collect();
    let aggs: Vec<Aggregation> = widget.queries.iter().map(|q| q.query.agg).collect();
    let (unit, decimals) = (widget.unit.clone(), widget.decimals);
    let title = format!("{}, in rows", widget.title);
    let rows = Memo::new(move |_| answers.with_totals(|a| collect(a, queries, unit.as_deref())));
    let tags = Memo::new(move |_| rows.with(|r| r.tags.clone()));
    // Nothing chosen: in the order of the tags. The server shows that as well.
    let (order, set_order) = signal(None::<(Column, bool)>);
    let hydrated = RwSignal::new(false);
    Effect::new(move |_| hydrated.set(true));

    let head = move |label: String, column: Column, number: bool| {
        let sorted = move || order.get().filter(|o| o.0 == column).map(|o| o.1);
        let toggle = move |_| {
            // Numbers are looked at from the top, words from A.
            let descending = sorted().map_or(number, |descending| !descending);
            set_order.set(Some((column, descending)));
        };
        let arrow = move || match sorted() {
            Some(true) => " ↓",
            Some(false) => " ↑",
            None => "",
        };
        let aria = move || match sorted() {
            Some(true) => "descending",
            Some(false) => "ascending",
            None => "none",
        };
        view! {
            <th scope="col" class:number=number aria-sort=aria>
                <button type="button" class="min-h-8 font-medium hover:text-ink" on:click=toggle>
                    {label}
                    <span aria-hidden="true">{arrow}</span>
                </button>
            </th>
        }
    };
    let heads = move || {
        let tag_heads = tags
            .get()
            .into_iter()
            .enumerate()
            .map(|(i, t)| head(t, Column::Tag(i), false));
        let value_heads = labels
            .clone()
            .into_iter()
            .enumerate()
            .map(|(i, l)| head(l, Column::Value(i), true));
        tag_heads
            .chain(value_heads)
            .chain([head("Last event".into(), Column::Newest, true)])
            .collect_view()
    };
    let body = move || {
        let mut all = rows.get();
        if let Some((column, descending)) = order.get() {
            all.sort(column, descending);
        }
        let local = hydrated.get();
        let Rows { tags, units, rows } = all;
        rows.into_iter()
            .map(|row| line(row, &tags, &units, &aggs, decimals, local))
            .collect_view()
    };
    view! {
        <div class="h-full overflow-auto max-sm:max-h-120" role="region" aria-label=title tabindex="0">
            <table class="data-table [&_td]:py-1.5 [&_th]:py-1 max-sm:[&_td]:px-1.5 max-sm:[&_th]:px-1.5">
                <thead class="sticky top-0 bg-surface">
                    <tr>{heads}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
}

fn line(
    row: Row,
    tags: &[String],
    units: &[Option<String>],
    aggs: &[Aggregation],
    decimals: Option<u8>,
    local: bool,
) -> impl IntoView + use<> {
    let names = tags.iter().map(|t| row.tags.get(t).cloned().unwrap_or_default());
    let names = names.map(|name| view! { <td>{name}</td> }).collect_view();
    let values = row.values.iter().zip(units).zip(aggs).map(|((value, unit), agg)| {
        let text = value.map_or_else(
            || "–".to_owned(),
            |v| words::figure(v, *agg, unit.as_deref(), decimals).to_string(),
        );
        view! { <td class="number">{text}</td> }
    });
    let values = values.collect_view();
    let newest = if local {
        time::local_short(row.newest_ms, time::now_ms())
    } else {
        format::utc(row.newest_ms)
    };
    view! {
        <tr>
            {names} {values} <td class="number text-ink-2">
                <time datetime=format::iso(row.newest_ms)>{newest}</time>
            </td>
        </tr>
    }
}

fn collect(answers: &[Answer], queries: usize, unit: Option<&str>) -> Rows {
    let mut units = vec![unit.map(str::to_owned); queries];
    let mut rows: BTreeMap<&Tags, Row> = BTreeMap::new();
    for answer in answers {
        let Some(own) = units.get_mut(answer.query) else {
            continue;
        };
        if own.is_none() {
            own.clone_from(&answer.result.unit);
        }
        for series in &answer.result.series {
            let Some(point) = series.points.last() else { continue };
            let row = rows.entry(&series.tags).or_insert_with(|| Row {
                tags: series.tags.clone(),
                values: vec![None; queries],
                newest_ms: point.0,
            });
            row.values[answer.query] = Some(point.1);
            row.newest_ms = row.newest_ms.max(point.0);
        }
    }
    let mut tags: Vec<String> = rows.keys().flat_map(|t| t.keys()).cloned().collect();
    tags.sort_unstable();
    tags.dedup();
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by(|a, b| order::groups(&a.tags, &b.tags));
    Rows { tags, units, rows }
}

impl Rows {
    /// Rows without the value come last in either direction.
    fn sort(&mut self, column: Column, descending: bool) {
        let Self { tags, rows, .. } = self;
        let directed = |o: Ordering| if descending { o.reverse() } else { o };
        rows.sort_by(|a, b| match column {
            Column::Tag(i) => {
                let of = |r: &Row| tags.get(i).and_then(|t| r.tags.get(t).cloned());
                compare(of(a), of(b), |a, b| directed(order::natural(a, b)))
            }
            Column::Value(i) => {
                let of = |r: &Row| r.values.get(i).copied().flatten();
                compare(of(a), of(b), |a, b| directed(a.total_cmp(b)))
            }
            Column::Newest => directed(a.newest_ms.cmp(&b.newest_ms)),
        });
    }
}

fn compare<T>(a: Option<T>, b: Option<T>, both: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => both(&a, &b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::query::{Point, QueryResult, Resolution, Rollup, SeriesData};

    fn answer(series: &[(&str, i64, f64)]) -> QueryResult {
        QueryResult {
            resolution: Resolution {
                bucket_ms: 0,
                from: Rollup::Raw,
            },
            from_ms: 0,
            to_ms: 10,
            series: series
                .iter()
                .map(|(core, t, v)| SeriesData {
                    tags: Tags::from([("core".into(), (*core).into())]),
                    points: vec![Point(*t, *v)],
                })
                .collect(),
            omitted_series: 0,
            unit: Some("%".into()),
        }
    }

    fn rows() -> Rows {
        let (a, b) = (
            answer(&[("9", 1, 5.0), ("10", 7, 6.0)]),
            answer(&[("10", 3, 1.0), ("x", 2, 0.0)]),
        );
        let answers = [Answer { query: 0, result: &a }, Answer { query: 1, result: &b }];
        collect(&answers, 2, None)
    }

    fn cores(rows: &Rows) -> Vec<&str> {
        rows.rows.iter().map(|r| r.tags["core"].as_str()).collect()
    }

    #[test]
    fn groups_of_several_queries_share_a_row() {
        let rows = rows();
        assert_eq!(rows.tags, ["core"]);
        let ten = rows.rows.iter().find(|r| r.tags["core"] == "10").expect("a row");
        assert_eq!(
            (ten.values.as_slice(), ten.newest_ms),
            ([Some(6.0), Some(1.0)].as_slice(), 7)
        );
        assert_eq!(rows.units, [Some("%".to_owned()), Some("%".to_owned())]);
    }

    #[test]
    fn rows_go_by_the_size_of_numbers_in_their_tags() {
        assert_eq!(cores(&rows()), ["9", "10", "x"]);
    }

    #[test]
    fn sorting_knows_numbers_and_keeps_missing_values_last() {
        let mut rows = rows();
        rows.sort(Column::Tag(0), false);
        assert_eq!(cores(&rows), ["9", "10", "x"]);
        rows.sort(Column::Value(1), true);
        assert_eq!(cores(&rows), ["10", "x", "9"]);
        rows.sort(Column::Value(1), false);
        assert_eq!(cores(&rows), ["x", "10", "9"]);
        rows.sort(Column::Newest, true);
        assert_eq!(cores(&rows), ["10", "x", "9"]);
    }
}
