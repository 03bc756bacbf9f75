//! One number, what it was over time, and how it changed.

use leptos::prelude::*;

use super::{answers::Answers, change, chart::unit, words};
use crate::{
    chart::{self, Spark},
    components::format::Figure,
    model::{
        dashboard::Widget,
        query::{QueryResult, SeriesData, TimeRange},
    },
};

/// Numbers that fit a widget; a table shows more.
const MOST: usize = 6;

#[derive(Clone, Debug, PartialEq)]
struct Item {
    label: String,
    figure: Figure,
    change: Option<String>,
    spark: Option<Spark>,
    color: String,
}

#[component]
pub fn StatBody(widget: Widget, answers: Answers, range: TimeRange) -> impl IntoView {
    let widget = StoredValue::new(widget);
    let items = Memo::new(move |_| widget.with_value(|w| items(w, answers, range)));
    view! {
        {move || {
            let mut items = items.get();
            let more = items.len().saturating_sub(MOST);
            items.truncate(MOST);
            if let [one] = items.as_slice() {
                return view! { <One item=one.clone() /> }.into_any();
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
fn One(item: Item) -> impl IntoView {
    view! {
        <div class="flex h-full flex-col">
            <p class="flex flex-wrap items-baseline gap-x-2">
                <span>
                    <span class="figure">{item.figure.number}</span>
                    <span class="ml-1 text-base text-ink-2">{item.figure.unit}</span>
                </span>
                {item
                    .change
                    .map(|change| view! { <span class="text-xs text-ink-2">{change}</span> })}
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

fn items(widget: &Widget, answers: Answers, range: TimeRange) -> Vec<Item> {
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
                    let agg = widget.queries.get(s.query)?.query.agg;
                    Some(Item {
                        figure: words::figure(value, agg, unit.as_deref(), widget.decimals),
                        change: history.and_then(|(l, h): (&QueryResult, &SeriesData)| {
                            change::words(agg, range, l, &h.points, unit.as_deref())
                        }),
                        spark: history.and_then(|(l, h)| chart::spark(l, &h.points)),
                        color: s.color(),
                        label: s.name,
                    })
                })
                .collect()
        })
    })
}
