//! What an organization should know on every page: limits that are nearly reached, and that it is about to be deleted.

use leptos::prelude::*;

use super::{
    format,
    icon::{Icon, icons},
};
use crate::{here, model::people::Seat};

#[component]
pub fn Warnings() -> impl IntoView {
    let seat = here::person().and_then(|person| person.organization);
    seat.filter(|seat| seat.delete_at.is_some() || !seat.warnings.is_empty())
        .map(|seat| view! { <Bar seat /> })
}

#[component]
fn Bar(seat: Seat) -> impl IntoView {
    let deleted = seat.delete_at.map(|at| {
        view! {
            <p>
                {format!("{} will be deleted on {}. ", seat.name, format::utc(at.millis()))}
                <a class="link" href="/organization?tab=settings" rel="external">
                    "Change that"
                </a>
            </p>
        }
    });
    let limits = seat.warnings.into_iter().map(|words| {
        view! {
            <p>
                {words} " "
                <a class="link" href="/organization?tab=usage" rel="external">
                    "See the limits"
                </a>
            </p>
        }
    });
    view! {
        <div class="page pt-4">
            <div
                class="mx-auto flex max-w-3xl items-start gap-2 rounded-lg border border-warn/40 bg-warn-soft px-4 py-3 text-sm text-warn"
                role="status"
            >
                <Icon icon=icons::Warning size="1.25rem" />
                <div class="space-y-1">{deleted} {limits.collect_view()}</div>
            </div>
        </div>
    }
}
