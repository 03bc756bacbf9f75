//! Events that no mapping fits yet, and why.

use leptos::prelude::*;

use super::events::Raw;
use crate::{
    api::{self, QuarantineEntry},
    components::{EmptyState, ErrorState, PauseButton, RelativeTime, follow, icons},
    model::{mapping::FieldReason, stats::PipelineStats},
};

#[component]
pub fn Quarantine(slug: String, first: Vec<QuarantineEntry>, stats: Signal<PipelineStats>) -> impl IntoView {
    let slug = StoredValue::new(slug);
    let figure = Memo::new(move |_| stats.with(|s| s.quarantined));
    let list = follow(first, figure.into(), move || api::quarantine(slug.get_value()));
    let none = Memo::new(move |_| list.rows.with(Vec::is_empty));
    view! {
        <div class="flex min-h-14 flex-wrap items-center justify-between gap-2 border-b border-line px-4 py-2">
            <p class="text-sm text-ink-2">
                "Nothing is lost: these events are in the lake and wait for a mapping that fits them. The newest 100."
            </p>
            <PauseButton paused=list.paused />
        </div>
        {move || list.error.get().map(|error| view! { <ErrorState error /> })}
        <Show when=move || none.get()>
            <EmptyState title="Quarantine is empty." icon=icons::ShieldCheck>
                <p>"Every event that came was understood by the mapping."</p>
            </EmptyState>
        </Show>
        <ol aria-label="Events in quarantine">
            <For each=move || list.rows.get() key=|e| e.event let:entry>
                <li class="grid gap-x-6 gap-y-2 border-b border-line px-4 py-3 last:border-b-0 lg:grid-cols-2">
                    <div class="flex items-center gap-3 text-xs text-ink-2 lg:col-span-2">
                        <RelativeTime ms=entry.received_at.millis() />
                        <span class="truncate font-mono text-ink-3">"event " {entry.event.to_string()}</span>
                    </div>
                    <Raw text=entry.raw />
                    <Reasons reasons=entry.reasons />
                </li>
            </For>
        </ol>
    }
}

/// A reason for each field.
#[component]
pub fn Reasons(reasons: Vec<FieldReason>) -> impl IntoView {
    let reason = |r: FieldReason| {
        view! {
            <div>
                <dt class="font-mono font-semibold break-all text-warn">{r.field}</dt>
                <dd class="break-words text-ink">{r.reason}</dd>
            </div>
        }
    };
    view! { <dl class="min-w-0 space-y-1 text-sm">{reasons.into_iter().map(reason).collect_view()}</dl> }
}
