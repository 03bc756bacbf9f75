//! Chooses the range of time: links and a form, so that it works without a script.

use leptos::{ev::SubmitEvent, html, prelude::*};
use leptos_router::hooks::use_navigate;

use super::range::{Chosen, PRESETS};
use crate::{
    components::{format, widget::time},
    model::query::TimeRange,
};

/// Presets as a row of links, and a form for any other range.
#[component]
pub fn RangePicker(chosen: Chosen) -> impl IntoView {
    let range = chosen.range;
    let presets = PRESETS.map(|(name, words, preset)| {
        let label = if name == "all" { "All" } else { name };
        view! {
            <li>
                <a
                    class="inline-flex min-h-10 min-w-10 items-center justify-center px-0.5 text-sm font-medium sm:px-2.5 text-ink-2 hover:bg-raised hover:text-ink aria-[current]:bg-accent-soft aria-[current]:text-accent"
                    href=format!("?range={name}")
                    title=words
                    aria-current=(preset == range).then_some("true")
                >
                    {label}
                </a>
            </li>
        }
        .into_any()
    });
    let presets = presets.into_iter().collect_view();
    // Erased types, here and below: what a page is rendered with lies on the stack whole, level by level.
    view! {
        <div class="flex max-w-full flex-col items-stretch gap-2 sm:items-end">
            // The form of a range of one's own hangs at the end of this row, wherever its button is.
            <div class="relative flex max-w-full flex-wrap items-center gap-1 sm:gap-2">
                <nav class="max-w-full overflow-x-auto rounded-md border border-line bg-surface" aria-label="Time range">
                    <ul class="flex">{presets}</ul>
                </nav>
                <Custom range />
            </div>
            {chosen
                .complaint
                .map(|complaint| {
                    view! {
                        <p class="max-w-prose text-sm text-bad" role="alert">
                            {complaint}
                        </p>
                    }
                })}
        </div>
    }
    .into_any()
}

/// From and to. Without a script both are UTC; with one they are in the visitor's zone.
#[component]
fn Custom(range: TimeRange) -> impl IntoView {
    let between = match range {
        TimeRange::Between { from_ms, to_ms } => Some((from_ms, to_ms)),
        _ => None,
    };
    let (local, set_local) = signal(false);
    Effect::new(move |_| set_local.set(true));
    let (from, to) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    // What an input of this kind takes has no zone: the seconds and the `Z` go.
    let shown = move |ms: Option<i64>| {
        let ms = ms?;
        let ms = if local.get() { time::local_wall_ms(ms) } else { ms };
        Some(format::iso(ms)[..19].to_owned())
    };
    let zone = move || if local.get() { "" } else { " (UTC)" };
    let navigate = use_navigate();
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let time = |input: NodeRef<html::Input>| {
            input
                .get()
                .and_then(|i| time::parse_local(&i.value()))
                .map(format::iso)
                .unwrap_or_default()
        };
        navigate(&format!("?from={}&to={}", time(from), time(to)), Default::default());
    };
    let field = "min-h-10 rounded-md border border-line-strong bg-surface px-2 text-sm text-ink";
    let inputs = view! {
        <label class="flex flex-col gap-1 text-xs text-ink-2">
            <span>"From" {zone}</span>
            <input
                class=field
                type="datetime-local"
                step="1"
                name="from"
                required
                node_ref=from
                value=move || shown(between.map(|b| b.0))
            />
        </label>
        <label class="flex flex-col gap-1 text-xs text-ink-2">
            <span>"To" {zone} " (empty: now)"</span>
            <input
                class=field
                type="datetime-local"
                step="1"
                name="to"
                node_ref=to
                value=move || shown(between.map(|b| b.1))
            />
        </label>
    }
    .into_any();
    view! {
        <details>
            <summary class=move || {
                let current = if between.is_some() { "bg-accent-soft text-accent" } else { "" };
                format!("btn list-none px-2 sm:px-3 [&::-webkit-details-marker]:hidden {current}")
            }>"Custom"</summary>
            <form
                class="absolute top-full right-0 z-30 mt-1 flex w-64 max-w-full flex-col gap-3 rounded-lg border border-line bg-surface p-3 shadow-lg"
                method="get"
                on:submit=submit
            >
                {inputs}
                <button class="btn btn-primary" type="submit">
                    "Show this range"
                </button>
            </form>
        </details>
    }
    .into_any()
}
