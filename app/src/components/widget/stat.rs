//! One number, what it was over time, and how it changed.

use leptos::prelude::*;

use super::{answers::Answers, chart::unit, words};
use crate::{
    chart::{self, Spark},
    components::format::{self, Figure},
    model::{
        dashboard::Widget,
        query::{Aggregation, QueryResult, SeriesData, TimeRange},
    },
};

/// Numbers that fit a widget; a table shows more.
const MOST: usize = 6;

#[derive(Clone, Debug, PartialEq)]
struct Item {
    label: String,
    figure: Figure,
    change: Option<f64>,
    spark: Option<Spark>,
    color: String,
}

#[component]
pub fn StatBody(widget: Widget, answers: Answers, range: TimeRange) -> impl IntoView {
    let widget = StoredValue::new(widget);
    let items = Memo::new(move |_| widget.with_value(|w| items(w, answers)));
    let since = words::since_start(range);
    view! {
        {move || {
            let mut items = items.get();
            let more = items.len().saturating_sub(MOST);
            items.truncate(MOST);
            if let [one] = items.as_slice() {
                return view! { <One item=one.clone() since=since.clone() /> }.into_any();
            }
            view! {
                <dl class="grid h-full auto-rows-fr grid-cols-2 gap-x-4 gap-y-1 overflow-auto">
                    {items.into_iter().map(|item| view! { <Small item /> }).collect_view()}
                </dl>
                {(more > 0).then(|| view! { <p class="text-xs text-ink-3">{format!("{more} more not shown")}</p> })}
            }
                .into_any()
        }}
    }
}

#[component]
fn One(item: Item, since: String) -> impl IntoView {
    view! {
        <div class="flex h-full flex-col">
            <p class="flex flex-wrap items-baseline gap-x-2">
                <span>
                    <span class="figure">{item.figure.number}</span>
                    <span class="ml-1 text-base text-ink-2">{item.figure.unit}</span>
                </span>
                {item
                    .change
                    .map(|change| view! { <span class="text-xs text-ink-2">{words_of(change)} " " {since}</span> })}
            </p>
            <Line spark=item.spark color=item.color />
        </div>
    }
}

#[component]
fn Small(item: Item) -> impl IntoView {
    view! {
        <div class="flex min-h-0 min-w-0 flex-col">
            <dt class="truncate text-xs text-ink-2">{item.label}</dt>
            <dd class="text-lg font-semibold">
                {item.figure.number} <span class="ml-1 text-xs font-normal text-ink-2">{item.figure.unit}</span>
            </dd>
            <Line spark=item.spark color=item.color />
        </div>
    }
}

/// Decoration: the words beside it say the same.
#[component]
fn Line(spark: Option<Spark>, color: String) -> impl IntoView {
    spark.map(|spark| {
        view! {
            <svg
                class="mt-1 min-h-0 w-full flex-1"
                viewBox="0 0 100 100"
                preserveAspectRatio="none"
                aria-hidden="true"
                style=format!("color: {color}")
            >
                <path d=spark.area fill="currentColor" opacity="0.1" />
                <path
                    d=spark.line
                    fill="none"
                    stroke="currentColor"
                    stroke-width="1.5"
                    stroke-linejoin="round"
                    stroke-linecap="round"
                    vector-effect="non-scaling-stroke"
                />
            </svg>
        }
    })
}

fn items(widget: &Widget, answers: Answers) -> Vec<Item> {
    answers.with(|all| {
        let lines: Vec<Option<&QueryResult>> = all
            .iter()
            .skip(1)
            .step_by(2)
            .map(|r| r.as_ref().ok().copied())
            .collect();
        answers.with_totals(|totals| {
            let unit = unit(widget, totals);
            chart::named(widget, totals)
                .into_iter()
                .filter_map(|s| {
                    let value = s.data.points.last()?.1;
                    let line = lines.get(s.query).copied().flatten();
                    let history = line.and_then(|l| Some((l, l.series.iter().find(|h| h.tags == s.data.tags)?)));
                    let agg = widget.queries.get(s.query).map(|q| q.query.agg);
                    // A sum, a count or an extreme of the range has no start to be compared with.
                    let level = matches!(agg, Some(Aggregation::Avg | Aggregation::First | Aggregation::Last));
                    Some(Item {
                        figure: words::figure(value, agg, unit.as_deref(), widget.decimals),
                        change: history
                            .filter(|_| level)
                            .and_then(|(_, h): (_, &SeriesData)| chart::change(&h.points)),
                        spark: history.and_then(|(l, h)| chart::spark(l, &h.points)),
                        color: s.color(),
                        label: s.name,
                    })
                })
                .collect()
        })
    })
}

/// "+12%", "-0.4%", "no change".
fn words_of(change: f64) -> String {
    let percent = change * 100.0;
    let decimals = u8::from(percent.abs() < 10.0);
    let number = format::number(percent, decimals);
    if number.bytes().all(|b| matches!(b, b'0' | b'.')) {
        return "no change".into();
    }
    let sign = if percent > 0.0 { "+" } else { "" };
    format!("{sign}{number}%")
}

#[cfg(test)]
mod tests {
    use super::words_of;

    #[test]
    fn a_change_reads_as_a_signed_percentage() {
        assert_eq!(words_of(0.5), "+50%");
        assert_eq!(words_of(-0.0123), "-1.2%");
        assert_eq!(words_of(0.0001), "no change");
        assert_eq!(words_of(-0.0001), "no change");
        assert_eq!(words_of(123.4), "+12,340%");
    }
}
