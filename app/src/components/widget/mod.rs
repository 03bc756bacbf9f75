//! Widgets of a dashboard: rendered from the server's first answers, then live.

mod answers;
mod canvas;
mod change;
mod chart;
mod stat;
mod table;
pub mod time;
pub mod words;

use leptos::{html, prelude::*};

use self::{
    answers::{Answers, Phase},
    chart::ChartBody,
    stat::StatBody,
    table::TableBody,
};
use crate::{
    AppError,
    components::{EmptyState, Icon, icons},
    live::{Connection, use_connection},
    model::{
        dashboard::{Widget, WidgetKind},
        query::{QueryResult, TimeRange},
    },
};

/// One widget, with its heading and whatever state it is in.
#[component]
pub fn WidgetView(
    widget: Widget,
    range: TimeRange,
    /// The server's answers to the widget's specs, in their order.
    initial: Vec<Result<QueryResult, AppError>>,
    /// Charts of one group move their pointers together.
    group: String,
) -> impl IntoView {
    let body = NodeRef::<html::Div>::new();
    let width = measured(body);
    let answers = Answers::follow(&widget, range, initial, width);
    let phase = answers.phase();
    let heading = format!("widget-{}", widget.id);
    let place = format!(
        "--columns: {}; --rows: {}",
        widget.columns.clamp(1, 12),
        widget.rows.clamp(1, 20)
    );
    let title = widget.title.clone();
    // Of two columns, up to a wide screen: a number needs half of a phone, a chart all of it.
    let span = match (widget.kind, widget.columns) {
        (WidgetKind::Stat, ..=6) => "",
        (_, ..=6) => "max-sm:col-span-2",
        _ => "max-lg:col-span-2",
    };
    // A phone shows no row of widgets whose heights must agree: a table is as high as it has rows.
    let height = if widget.kind == WidgetKind::Table {
        "max-sm:h-auto"
    } else {
        ""
    };
    let stat = widget.kind == WidgetKind::Stat;
    let widget = StoredValue::new(widget);
    let content = move || {
        let widget = widget.get_value();
        match widget.kind {
            WidgetKind::Line | WidgetKind::Bar => {
                view! { <ChartBody widget answers width group=group.clone() /> }.into_any()
            }
            WidgetKind::Stat => view! { <StatBody widget answers range /> }.into_any(),
            WidgetKind::Table => view! { <TableBody widget answers /> }.into_any(),
        }
    };
    // Erased types: what a page is rendered with lies on the stack whole, level by level, and in debug builds a thread's
    // stack would not hold ten widgets.
    let head = view! {
        <div class="flex min-h-9 items-center justify-between gap-2 px-3 pt-2">
            <h2 class="truncate text-sm font-medium" id=heading.clone()>
                {title}
            </h2>
            <Freshness answers phase />
        </div>
    }
    .into_any();
    let body = view! {
        <div class="relative min-h-0 flex-1 px-3 pb-2" node_ref=body>
            {move || match phase.get() {
                Phase::Content => content(),
                Phase::Empty => view! { <Empty stat all=range == TimeRange::All /> }.into_any(),
                Phase::Failed(error) => view! { <Failed words=error.to_string() /> }.into_any(),
                Phase::Refused(why) => view! { <Failed words=why /> }.into_any(),
            }}
        </div>
    }
    .into_any();
    let notes = view! { <Notes answers phase /> }.into_any();
    view! {
        <section
            class=format!(
                "card flex h-[calc(var(--rows)*5.625rem)] flex-col {height} {span} lg:[grid-column:span_var(--columns)]",
            )
            style=place
            aria-labelledby=heading
            data-widget=widget.with_value(|w| w.id.clone())
        >
            {head}
            {body}
            {notes}
        </section>
    }
    .into_any()
}

/// The width of the chart's element, once there is a browser to measure it; follows the window.
fn measured(body: NodeRef<html::Div>) -> Signal<Option<u32>> {
    let (width, set_width) = signal(None);
    // Padding is not the chart's. The number is rounded up to steps by `Widget::specs`, so that few changes ask again.
    let measure = move || {
        let element = body.try_get_untracked().flatten();
        if let Some(width) = element.map(|e| e.client_width()).filter(|w| *w > 24) {
            set_width.try_set(Some(width as u32 - 24));
        }
    };
    Effect::new(move |_| {
        if body.get().is_some() {
            measure();
        }
    });
    Effect::new(move |_| {
        let resized = window_event_listener_untyped("resize", move |_| measure());
        on_cleanup(move || resized.remove());
    });
    width.into()
}

/// Since when the widget is out of date, or else at which resolution it shows things.
#[component]
fn Freshness(answers: Answers, phase: Memo<Phase>) -> impl IntoView {
    let connection = use_connection();
    let stale = Memo::new(move |_| match connection.get() {
        Connection::Stale { since_ms } => Some(since_ms),
        Connection::Live | Connection::Connecting => None,
    });
    let resolution = Memo::new(move |_| (phase.get() == Phase::Content).then(|| answers.resolution()).flatten());
    view! {
        {move || match stale.get() {
            Some(since) => {
                view! {
                    <span class="badge shrink-0 bg-warn-soft text-warn" data-stale>
                        "stale since "
                        {time::local_clock(since)}
                    </span>
                }
                    .into_any()
            }
            None => {
                view! {
                    <span class="shrink-0 text-xs text-ink-3" title="Where these points are read from">
                        {move || resolution.get()}
                    </span>
                }
                    .into_any()
            }
        }}
    }
}

/// What is missing although the rest is there.
#[component]
fn Notes(answers: Answers, phase: Memo<Phase>) -> impl IntoView {
    let omitted = Memo::new(move |_| answers.omitted());
    let complaint = Memo::new(move |_| (phase.get() == Phase::Content).then(|| answers.complaint()).flatten());
    view! {
        {move || {
            (omitted.get() > 0)
                .then(|| {
                    view! { <p class="px-3 pb-2 text-xs text-ink-3">{format!("+{} series not shown", omitted.get())}</p> }
                })
        }}
        {move || {
            complaint
                .get()
                .map(|words| {
                    view! {
                        <p class="flex items-center gap-1.5 px-3 pb-2 text-xs text-warn">
                            <Icon icon=icons::Warning />
                            {words}
                        </p>
                    }
                })
        }}
    }
}

/// Nothing to draw: what a reader can do about it, where there is room for it.
#[component]
fn Empty(stat: bool, all: bool) -> impl IntoView {
    let title = if all { "No data yet" } else { "No data in this range" };
    if stat {
        return view! { <p class="flex h-full items-center justify-center pb-4 text-sm text-ink-2">{title}</p> }
            .into_any();
    }
    view! {
        <div class="grid h-full place-content-center overflow-auto">
            <EmptyState title=title>
                <p>
                    {(!all)
                        .then(|| {
                            view! {
                                <a class="link" href="?range=all">
                                    "Show everything there is"
                                </a>
                                ", or "
                            }
                        })} <a class="link" href="/#start">
                        {if all { "Send an event" } else { "send an event" }}
                    </a> ": the chart moves when it arrives."
                </p>
            </EmptyState>
        </div>
    }
    .into_any()
}

/// The words of the failure, and a link that asks again with or without a script.
#[component]
fn Failed(words: String) -> impl IntoView {
    view! {
        <div class="flex h-full flex-col items-center justify-center gap-2 overflow-auto text-center" role="alert">
            <Icon icon=icons::Warning size="1.5rem" class="text-bad" />
            <p class="max-w-prose text-sm">{words}</p>
            <a class="btn" href="" rel="external">
                <Icon icon=icons::Retry />
                "Try again"
            </a>
        </div>
    }
}
