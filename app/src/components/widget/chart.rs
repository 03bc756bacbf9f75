//! Line and bar widgets: a canvas, and the same in figures for readers without eyes or scripts.

use leptos::{html, prelude::*};

use super::{answers::Answers, canvas};
use crate::{
    chart::{self, Preview, Stacked, SummaryRow},
    components::format,
    model::{
        dashboard::{Widget, WidgetKind},
        query::Aggregation,
    },
};

#[component]
pub fn ChartBody(widget: Widget, answers: Answers, width: Signal<Option<u32>>, group: String) -> impl IntoView {
    let element = NodeRef::<html::Div>::new();
    let title = widget.title.clone();
    let widget = StoredValue::new(widget);
    let drawn = canvas::draw(element, group, move || {
        let width = width.get().unwrap_or(800);
        widget.with_value(|w| answers.with_series(|a| chart::to_json(&chart::option(w, a, width))))
    });
    // The table is for those who do not see the chart: it need not follow every point.
    let rows = Memo::new(move |_| {
        widget.with_value(|w| {
            answers.with_series(|a| {
                let unit = unit(w, a);
                (chart::summary(&chart::named(w, a)), unit)
            })
        })
    });
    let decimals = widget.with_value(|w| if counts(w) { Some(0) } else { w.decimals });
    // What the server drew stays until the canvas is there: no flash, and a picture where scripts are off.
    let preview = untrack(|| {
        answers.with_series(|a| {
            let from = a.iter().map(|a| a.result.from_ms).min()?;
            let to = a.iter().map(|a| a.result.to_ms).max()?;
            widget.with_value(|w| {
                let bars = (w.kind == WidgetKind::Bar).then(|| Stacked(chart::stacks(w, 0)));
                chart::preview(&chart::named(w, a), from, to, bars)
            })
        })
    });
    let stroke = widget.with_value(|w| if w.kind == WidgetKind::Bar { "6" } else { "1.5" });
    view! {
        <div class="absolute inset-x-3 top-0 bottom-2" aria-hidden="true">
            <div class="h-3/5" hidden=move || drawn.get()>
                <Picture preview stroke />
            </div>
            <div class="absolute inset-0" node_ref=element></div>
        </div>
        <div
            class=move || if drawn.get() { "sr-only" } else { "absolute inset-x-3 bottom-2 max-h-2/5 overflow-auto" }
            role="region"
            aria-label=format!("{title}, in figures")
            tabindex=move || (!drawn.get()).then_some("0")
        >
            <table class="data-table [&_td]:py-1.5 [&_th]:py-1.5">
                <thead>
                    <tr>
                        <th scope="col">"Series"</th>
                        <th scope="col" class="number">
                            "Newest"
                        </th>
                        <th scope="col" class="number">
                            "Lowest"
                        </th>
                        <th scope="col" class="number">
                            "Highest"
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {move || {
                        let (rows, unit) = rows.get();
                        rows.into_iter().map(|row| figures(row, unit.as_deref(), decimals)).collect_view()
                    }}
                </tbody>
            </table>
        </div>
    }
}

#[component]
fn Picture(preview: Option<Preview>, stroke: &'static str) -> impl IntoView {
    preview.map(|preview| {
        let paths = preview.paths.into_iter().map(|path| {
            view! {
                <path
                    d=path.line
                    style=format!("color: {}", path.color)
                    stroke="currentColor"
                    fill="none"
                    stroke-width=stroke
                    stroke-linejoin="round"
                    vector-effect="non-scaling-stroke"
                />
            }
        });
        view! {
            <svg class="size-full" viewBox="0 0 100 100" preserveAspectRatio="none">
                {paths.collect_view()}
            </svg>
        }
    })
}

fn figures(row: SummaryRow, unit: Option<&str>, decimals: Option<u8>) -> impl IntoView + use<> {
    let cell = |value: f64| format::value(value, unit, decimals).to_string();
    view! {
        <tr>
            <th scope="row">
                <span
                    class="mr-2 inline-block h-1 w-3 rounded-full align-middle"
                    style=format!("background: {}", row.color)
                    aria-hidden="true"
                ></span>
                {row.name}
            </th>
            <td class="number">{cell(row.newest.1)}</td>
            <td class="number">{cell(row.lowest)}</td>
            <td class="number">{cell(row.highest)}</td>
        </tr>
    }
}

fn counts(widget: &Widget) -> bool {
    widget.queries.iter().all(|q| q.query.agg == Aggregation::Count)
}

/// The widget's unit, or the metric's own; counts have none.
pub fn unit(widget: &Widget, answers: &[chart::Answer]) -> Option<String> {
    if counts(widget) {
        return None;
    }
    let of_metric = || answers.iter().find_map(|a| a.result.unit.clone());
    widget.unit.clone().or_else(of_metric)
}
