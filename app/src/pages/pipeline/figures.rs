//! What came in and where it is now.

use leptos::prelude::*;

use crate::{
    components::{
        Badge, Card, RelativeTime, StatFigure, Tone,
        format::{self, Figure},
    },
    model::stats::PipelineStats,
};

/// A lag that a person should look at, in milliseconds.
const LATE_MS: u64 = 60_000;

#[component]
pub fn Figures(stats: Signal<PipelineStats>) -> impl IntoView {
    let figure =
        move |get: fn(&PipelineStats) -> Figure| -> Signal<Figure> { Memo::new(move |_| stats.with(get)).into() };
    let late = move |get: fn(&PipelineStats) -> u64| {
        Signal::derive(move || {
            if stats.with(get) > LATE_MS {
                Tone::Warn
            } else {
                Tone::Neutral
            }
        })
    };
    let objects = Signal::derive(move || {
        stats.with(|s| {
            let objects = format::count(s.bronze_objects);
            let word = if s.bronze_objects == 1 { "object" } else { "objects" };
            Some(match format::ratio(s.raw_bytes, s.bronze_bytes) {
                Some(ratio) => format!("{objects} {word}, {ratio} smaller than raw"),
                None => format!("{objects} {word}"),
            })
        })
    });
    let last = Memo::new(move |_| stats.with(|s| s.last_event_at));
    view! {
        <div class="grid gap-4 xl:grid-cols-2">
            <Sum stats />
            <Card class="flex flex-col justify-between gap-4">
                <dl class="grid grid-cols-2 gap-4 sm:grid-cols-4">
                    <StatFigure label="Events now" figure=figure(|s| format::rate(s.events_per_second)) />
                    <StatFigure label="Points" figure=figure(|s| Figure::new(format::count(s.silver_points), "")) />
                    <StatFigure label="Series" figure=figure(|s| Figure::new(format::count(s.series), "")) />
                    <StatFigure label="Lag of the points" figure=figure(|s| format::duration_ms(s.lag.silver_ms)) tone=late(|s| s.lag.silver_ms) />
                    <StatFigure label="Lake rows" figure=figure(|s| Figure::new(format::count(s.bronze_rows), "")) />
                    <StatFigure label="Lake size" figure=figure(|s| format::bytes(s.bronze_bytes)) note=objects />
                    <StatFigure label="Raw size" figure=figure(|s| format::bytes(s.raw_bytes)) />
                    <StatFigure label="Lag of the lake" figure=figure(|s| format::duration_ms(s.lag.bronze_ms)) />
                </dl>
                <p class="text-xs text-ink-3">
                    "Last event: "
                    {move || match last.get() {
                        Some(at) => view! { <RelativeTime ms=at.millis() /> }.into_any(),
                        None => "none yet".into_any(),
                    }}
                </p>
            </Card>
        </div>
    }
}

/// Received = mapped + filtered + quarantined + rejected + pending, as numbers and as a bar.
#[component]
fn Sum(stats: Signal<PipelineStats>) -> impl IntoView {
    // Order of `format::sum`.
    const LOOK: [(&str, &str, &str); 5] = [
        ("Mapped", "fill-chart-2", "became points"),
        ("Filtered", "fill-chart-8", "not wanted by the filter"),
        ("Quarantined", "fill-chart-5", "wait for a mapping that fits"),
        ("Rejected", "fill-chart-6", "were refused when posted"),
        ("Pending", "fill-chart-1", "on their way"),
    ];
    let sum = Memo::new(move |_| stats.with(format::sum));
    let received = Memo::new(move |_| stats.with(|s| s.received));
    let badge = move || {
        let missing = sum.get().1;
        match missing {
            0 => view! { <Badge tone=Tone::Good>"The sum adds up"</Badge> }.into_any(),
            _ => {
                let text = format!("{} being counted", format::count(missing.unsigned_abs()));
                view! { <Badge>{text}</Badge> }.into_any()
            }
        }
    };
    let bar = move || {
        let (parts, _) = sum.get();
        let total = parts.iter().map(|p| p.1).sum::<u64>().max(1) as f64;
        let mut x = 0.0;
        parts
            .into_iter()
            .zip(LOOK)
            .map(|((_, n), (_, fill, _))| {
                let width = n as f64 * 100.0 / total;
                let rect = view! {
                    <rect class=fill x=format!("{x:.3}") y="0" width=format!("{width:.3}") height="2" />
                };
                x += width;
                rect
            })
            .collect_view()
    };
    let part = move |i: usize| {
        let (label, fill, note) = LOOK[i];
        let value = Memo::new(move |_| sum.get().0[i].1);
        let sign = if i == 0 { "=" } else { "+" };
        view! {
            <div class="min-w-0">
                <dt class="flex items-center gap-1.5 text-xs text-ink-2">
                    <svg class="size-2 shrink-0" viewBox="0 0 8 8" aria-hidden="true">
                        <rect class=fill width="8" height="8" rx="2" />
                    </svg>
                    {label}
                </dt>
                <dd class="mt-0.5">
                    <span class="mr-1 text-lg text-ink-3" aria-hidden="true">
                        {sign}
                    </span>
                    <span class="text-xl font-semibold tracking-tight">{move || format::count(value.get())}</span>
                    <span class="block text-xs text-ink-3">{note}</span>
                </dd>
            </div>
        }
    };
    view! {
        <Card>
            <div class="mb-3 flex flex-wrap items-center justify-between gap-2">
                <h2>"Every event received"</h2>
                {badge}
            </div>
            <dl class="grid grid-cols-2 gap-4 sm:grid-cols-3">
                <StatFigure
                    label="Received"
                    figure=Signal::derive(move || Figure::new(format::count(received.get()), ""))
                />
                {(0..LOOK.len()).map(part).collect_view()}
            </dl>
            <svg class="mt-4 h-2 w-full overflow-hidden rounded-full bg-raised" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
                {bar}
            </svg>
        </Card>
    }
}
