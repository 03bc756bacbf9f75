//! The newest events, each beside what became of it.

use leptos::prelude::*;

use super::{FEW, MOST, quarantine::Reasons};
use crate::{
    api,
    components::{
        Badge, EmptyState, ErrorState, Icon, PauseButton, RelativeTime, Tone, follow,
        format::{self, exact, series},
        icons,
    },
    model::{
        Micros,
        pipeline::{Pipeline, Source},
        stats::{MappedPoint, Outcome, PipelineStats, RecentEvent},
    },
};

/// Letters of a record, and points, that a closed row holds: what does not fit is cut by the page.
const LINE_SHOWN: usize = 320;
const LINE_POINTS: usize = 8;
/// Letters of a record in quarantine before it is opened.
const RAW_SHOWN: usize = 480;

/// The newest `show` events.
#[component]
pub fn Events(pipeline: Pipeline, first: Vec<RecentEvent>, stats: Signal<PipelineStats>, show: usize) -> impl IntoView {
    let address = format!("/pipelines/{}?tab=events", pipeline.slug);
    let slug = StoredValue::new(pipeline.slug);
    let posted = matches!(pipeline.source, Source::Webhook { .. });
    let figure = Memo::new(move |_| stats.with(|s| s.mapped + s.filtered + s.quarantined));
    let list = follow(first, figure.into(), move || api::recent_events(slug.get_value()));
    let none = Memo::new(move |_| list.rows.with(Vec::is_empty));
    let more = Memo::new(move |_| show < MOST && list.rows.with(|r| r.len() > show));
    let rows = move || list.rows.with(|r| r.iter().take(show).cloned().collect::<Vec<_>>());
    // An event that a later mapping treats otherwise is another row.
    let key = |e: &RecentEvent| (e.event, std::mem::discriminant(&e.outcome));
    let other = move || {
        let (href, words) = if more.get() {
            (format!("{address}&show={MOST}"), format!("Show the last {MOST}"))
        } else if show > FEW {
            (address.clone(), format!("Show the last {FEW} only"))
        } else {
            return None;
        };
        Some(view! {
            <p class="border-t border-line px-4 py-2 text-sm">
                <a class="link inline-flex min-h-10 items-center" href=href data-noscroll>
                    {words}
                </a>
            </p>
        })
    };
    view! {
        <div class="flex min-h-14 flex-wrap items-center justify-between gap-2 border-b border-line px-4 py-2">
            <p class="text-sm text-ink-2">"Newest first: each as it came, and what became of it. Open one to see it whole."</p>
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
            <For each=rows key let:event>
                <Row event />
            </For>
        </ol>
        {other}
    }
}

/// One line of an event; the whole of it when opened.
#[component]
fn Row(event: RecentEvent) -> impl IntoView {
    let (label, tone) = match &event.outcome {
        Outcome::Mapped { .. } => ("mapped", Tone::Good),
        Outcome::Filtered => ("filtered", Tone::Neutral),
        Outcome::Quarantined { .. } => ("quarantined", Tone::Warn),
    };
    let line: String = event.raw.chars().take(LINE_SHOWN).collect();
    let result = in_line(&event.outcome);
    let result_class = match event.outcome {
        Outcome::Mapped { .. } => "font-mono",
        Outcome::Filtered => "text-ink-2",
        Outcome::Quarantined { .. } => "text-warn",
    };
    let whole = format::pretty_json(&event.raw);
    view! {
        <li class="border-b border-line last:border-b-0">
            <details class="group">
                <summary class="grid min-h-10 list-none grid-cols-[1rem_auto_1fr] items-center gap-x-3 gap-y-1 px-4 py-2 text-sm hover:bg-raised lg:grid-cols-[1rem_6rem_7rem_minmax(0,1fr)_minmax(0,1fr)] lg:py-1.5 lg:noscript:grid-cols-[1rem_11rem_7rem_minmax(0,1fr)_minmax(0,1fr)] [&::-webkit-details-marker]:hidden">
                    <Icon icon=icons::ChevronRight size="0.875rem" class="text-ink-3 transition-transform group-open:rotate-90" />
                    <span class="truncate text-xs text-ink-2">
                        <RelativeTime ms=event.received_at.millis() />
                    </span>
                    <span>
                        <Badge tone>{label}</Badge>
                    </span>
                    <span class="col-span-2 col-start-2 truncate font-mono text-ink-2 lg:col-span-1 lg:col-start-auto">{line}</span>
                    <span class=format!("col-span-2 col-start-2 truncate lg:col-span-1 lg:col-start-auto {result_class}")>{result}</span>
                </summary>
                <div class="grid gap-x-6 gap-y-3 px-4 pt-1 pb-4 lg:grid-cols-2 lg:pl-11">
                    <pre class="code max-h-96 break-all whitespace-pre-wrap" tabindex="0" role="region" aria-label="The record as it came">
                        <code>{whole}</code>
                    </pre>
                    <div class="min-w-0 space-y-2">
                        {match event.outcome {
                            Outcome::Mapped { points } => view! { <Points points /> }.into_any(),
                            Outcome::Filtered => {
                                view! { <p class="text-sm text-ink-2">"The filter is not true for this event: it makes no point."</p> }
                                    .into_any()
                            }
                            Outcome::Quarantined { reasons } => view! { <Reasons reasons /> }.into_any(),
                        }} <p class="font-mono text-xs break-all text-ink-3">"event " {event.event.to_string()}</p>
                    </div>
                </div>
            </details>
        </li>
    }
}

/// What became of an event, in one line.
fn in_line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Mapped { points } if points.is_empty() => "no point".into(),
        // Points of one event mostly share their tags: said once, behind the numbers.
        Outcome::Mapped { points } => {
            let values = |of: &[MappedPoint]| {
                let values: Vec<_> = of.iter().map(|p| format!("{} = {}", p.metric, exact(p))).collect();
                format!("{} {}", values.join(", "), series("", &of[0].tags))
                    .trim_end()
                    .to_owned()
            };
            let shown = &points[..points.len().min(LINE_POINTS)];
            let groups: Vec<_> = shown.chunk_by(|a, b| a.tags == b.tags).map(values).collect();
            let more = if points.len() > LINE_POINTS { " …" } else { "" };
            format!("{}{more}", groups.join("; "))
        }
        Outcome::Filtered => "the filter is not true: no point".into(),
        Outcome::Quarantined { reasons } => {
            let reasons: Vec<_> = reasons.iter().map(|r| format!("{}: {}", r.field, r.reason)).collect();
            reasons.join("; ")
        }
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
    view! { <ul class="min-w-0 text-sm">{points.iter().map(point).collect_view()}</ul> }.into_any()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mapping::{FieldReason, Tags};

    #[test]
    fn a_closed_row_says_what_became_of_its_event() {
        let point = |value| MappedPoint {
            metric: "heat".into(),
            tags: Tags::from([("room".into(), "hall".into())]),
            time: Micros(0),
            value,
        };
        let mapped = |points| in_line(&Outcome::Mapped { points });
        assert_eq!(mapped(vec![]), "no point");
        assert_eq!(
            mapped(vec![point(20.5), point(3.0)]),
            "heat = 20.5, heat = 3 {room=hall}"
        );
        assert!(mapped(vec![point(1.0); 9]).ends_with("} …"));
        let reasons = vec![FieldReason {
            field: "heat".into(),
            reason: "is text".into(),
        }];
        assert_eq!(in_line(&Outcome::Quarantined { reasons }), "heat: is text");
    }
}
