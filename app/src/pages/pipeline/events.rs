//! The newest events, each beside what became of it.

use leptos::prelude::*;

use super::quarantine::Reasons;
use crate::{
    api,
    components::{
        Badge, EmptyState, ErrorState, PauseButton, RelativeTime, Tone, follow,
        format::{self, exact, series},
    },
    model::{
        Micros,
        pipeline::{Pipeline, Source},
        stats::{MappedPoint, Outcome, PipelineStats, RecentEvent},
    },
};

/// What a row shows before it is opened.
const RAW_SHOWN: usize = 480;
const POINTS_SHOWN: usize = 6;

#[component]
pub fn Events(pipeline: Pipeline, first: Vec<RecentEvent>, stats: Signal<PipelineStats>) -> impl IntoView {
    let slug = StoredValue::new(pipeline.slug);
    let posted = matches!(pipeline.source, Source::Webhook { .. });
    let figure = Memo::new(move |_| stats.with(|s| s.mapped + s.filtered + s.quarantined));
    let list = follow(first, figure.into(), move || api::recent_events(slug.get_value()));
    let none = Memo::new(move |_| list.rows.with(Vec::is_empty));
    // An event that a later mapping treats otherwise is another row.
    let key = |e: &RecentEvent| (e.event, std::mem::discriminant(&e.outcome));
    view! {
        <div class="flex min-h-14 flex-wrap items-center justify-between gap-2 border-b border-line px-4 py-2">
            <p class="text-sm text-ink-2">"The last 100 events, newest first: as they came, and what became of them."</p>
            <PauseButton paused=list.paused />
        </div>
        {move || list.error.get().map(|error| view! { <ErrorState error /> })}
        <Show when=move || none.get()>
            <EmptyState title="No event has come yet.">
                {posted
                    .then(|| {
                        view! {
                            <p>
                                "The "
                                <a class="link" href="/#start">
                                    "start page"
                                </a> " has a command that sends the first one."
                            </p>
                        }
                    })}
            </EmptyState>
        </Show>
        <ol aria-label="Newest events">
            <For each=move || list.rows.get() key let:event>
                <Row event />
            </For>
        </ol>
    }
}

#[component]
fn Row(event: RecentEvent) -> impl IntoView {
    let (label, tone) = match &event.outcome {
        Outcome::Mapped { .. } => ("mapped", Tone::Good),
        Outcome::Filtered => ("filtered", Tone::Neutral),
        Outcome::Quarantined { .. } => ("quarantined", Tone::Warn),
    };
    view! {
        <li class="grid gap-x-6 gap-y-2 border-b border-line px-4 py-3 last:border-b-0 lg:grid-cols-2">
            <div class="flex items-center gap-3 text-xs text-ink-2 lg:col-span-2">
                <Badge tone>{label}</Badge>
                <RelativeTime ms=event.received_at.millis() />
                <span class="truncate font-mono text-ink-3">"event " {event.event.to_string()}</span>
            </div>
            <Raw text=event.raw />
            {match event.outcome {
                Outcome::Mapped { points } => view! { <Points points /> }.into_any(),
                Outcome::Filtered => {
                    view! { <p class="text-sm text-ink-2">"The filter is not true for this event: it makes no point."</p> }.into_any()
                }
                Outcome::Quarantined { reasons } => view! { <Reasons reasons /> }.into_any(),
            }}
        </li>
    }
}

/// A record as it came: the start in short, the whole on several lines when asked for.
#[component]
pub fn Raw(text: String) -> impl IntoView {
    let start: String = text.chars().take(RAW_SHOWN).collect();
    let cut = start.len() < text.len();
    let whole = format::pretty_json(&text);
    view! {
        <div class="min-w-0 text-sm">
            <pre class="break-all whitespace-pre-wrap">
                <code>{start}{cut.then_some(" …")}</code>
            </pre>
            {cut
                .then(|| {
                    view! {
                        <details class="mt-1">
                            <summary class="inline-flex min-h-8 items-center font-medium text-accent">
                                "The whole record"
                            </summary>
                            <pre class="break-all whitespace-pre-wrap">
                                <code>{whole}</code>
                            </pre>
                        </details>
                    }
                })}
        </div>
    }
}

#[component]
fn Points(points: Vec<MappedPoint>) -> impl IntoView {
    if points.is_empty() {
        return view! { <p class="text-sm text-ink-2">"None of its fields makes a point."</p> }.into_any();
    }
    let mut points = points;
    let rest = points.split_off(points.len().min(POINTS_SHOWN));
    let more = (!rest.is_empty()).then(|| {
        let label = format!("{} more points", rest.len());
        view! {
            <details class="mt-1">
                <summary class="inline-flex min-h-8 items-center font-medium text-accent">{label}</summary>
                <ul>{rest.iter().map(point).collect_view()}</ul>
            </details>
        }
    });
    view! {
        <div class="min-w-0 text-sm">
            <ul>{points.iter().map(point).collect_view()}</ul>
            {more}
        </div>
    }
    .into_any()
}

/// `metric{tags} = value @ time`
fn point(point: &MappedPoint) -> impl IntoView + use<> {
    let Micros(us) = point.time;
    view! {
        <li class="font-mono break-all">
            {series(&point.metric, &point.tags)} " = " <span class="font-semibold">{exact(point)}</span>
            <span class="text-ink-3">" @ " {format::iso(us.div_euclid(1_000))}</span>
        </li>
    }
}
