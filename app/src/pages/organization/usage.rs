//! What the organization has of what it may have.

use leptos::prelude::*;

use crate::{
    api,
    components::{Card, PageError, Skeleton, format},
    model::people::{Limit, Limited},
    page,
};

#[component]
pub fn UsageTab() -> impl IntoView {
    let usage = page::data(|| (), |()| api::get_usage());
    view! {
        <Suspense fallback=|| view! { <Skeleton class="h-64" /> }>
            {move || Suspend::new(async move {
                match usage.await {
                    Ok(limits) => view! { <Limits limits /> }.into_any(),
                    Err(error) => view! { <PageError error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Limits(limits: Vec<Limit>) -> impl IntoView {
    view! {
        <Card title="Usage">
            <ul class="grid gap-6 sm:grid-cols-2">
                {limits.into_iter().map(|limit| view! { <Row limit /> }).collect_view()}
            </ul>
            <p class="mt-6 max-w-prose text-xs text-ink-3">
                "Counted from the manifest of the lake, where every event stands once. From 80 % on every page says so; at a limit, what would go beyond it is refused and says which limit it is. Nothing that is stored is deleted."
            </p>
        </Card>
    }
}

#[component]
fn Row(limit: Limit) -> impl IntoView {
    let name = match limit.what {
        Limited::Pipelines => "Pipelines",
        Limited::EventsAMonth => "Events in this month",
        Limited::LakeBytes => "Lake",
        Limited::Members => "Members and invitations",
    };
    let written = |n: u64| match limit.what {
        Limited::LakeBytes => format::bytes(n).to_string(),
        _ => format::count(n),
    };
    let share = limit.share();
    let words = match limit.allowed {
        Some(allowed) => format!("{} of {}", written(limit.used), written(allowed)),
        None => format!("{}, no limit", written(limit.used)),
    };
    let colour = match (limit.is_reached(), limit.is_near()) {
        (true, _) => "bg-bad",
        (_, true) => "bg-warn",
        _ => "bg-accent",
    };
    view! {
        <li>
            <p class="flex items-baseline justify-between gap-3 text-sm">
                <span class="font-medium">{name}</span>
                <span class="text-ink-2">{words}</span>
            </p>
            {share
                .map(|share| {
                    let percent = (share * 100.0).clamp(0.0, 100.0);
                    view! {
                        <div
                            class="mt-2 h-2 overflow-hidden rounded-full bg-raised"
                            role="meter"
                            aria-label=name
                            aria-valuemin="0"
                            aria-valuemax="100"
                            aria-valuenow=format!("{percent:.0}")
                        >
                            <div class=format!("h-full rounded-full {colour}") style=format!("width:{percent:.1}%")></div>
                        </div>
                    }
                })}
        </li>
    }
}
