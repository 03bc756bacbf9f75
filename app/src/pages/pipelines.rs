//! `/pipelines`

use leptos::prelude::*;
use leptos_meta::Title;

use crate::{
    AppError,
    api::{PipelineOverview, list_pipelines},
    components::{
        Badge, EmptyState, ErrorState, Icon, PageError, RelativeTime, Skeleton, TableWrap, Tone, format, icons,
    },
    live::use_live,
    model::{
        live::{State, Topic},
        stats::PipelineStats,
    },
    page,
};

/// Every pipeline with its figures, live.
#[component]
pub fn Pipelines() -> impl IntoView {
    let pipelines = page::data(|| (), |()| list_pipelines());
    view! {
        <Title text="Pipelines" />
        <div class="page pt-6">
            <div class="mb-4 flex flex-wrap items-end justify-between gap-x-4 gap-y-2">
                <div>
                    <h1>"Pipelines"</h1>
                    <p class="mt-1 text-ink-2">"What comes in, what became of it, and how far behind each stage is."</p>
                </div>
                <a class="btn" href="/reconcile">
                    <Icon icon=icons::ShieldCheck />
                    "Reconcile"
                </a>
            </div>
            <div class="card">
                <Suspense fallback=|| view! { <Skeleton class="h-64" /> }>
                    {move || Suspend::new(async move {
                        match pipelines.await {
                            Ok(list) if list.is_empty() => view! { <NoPipelines /> }.into_any(),
                            Ok(list) => view! { <PipelineTable list /> }.into_any(),
                            Err(error @ (AppError::SignIn | AppError::Forbidden { .. })) => view! { <PageError error /> }.into_any(),
                            Err(error) => {
                                let retry = Callback::new(move |()| pipelines.refetch());
                                view! { <ErrorState error retry /> }.into_any()
                            }
                        }
                    })}
                </Suspense>
            </div>
        </div>
    }
}

/// The figures of a pipeline: those the page was rendered with, then the live ones.
pub fn live_stats(slug: String, first: PipelineStats) -> Signal<PipelineStats> {
    let state = use_live(Signal::stored(Some(Topic::Pipeline(slug)))).state;
    Memo::new(move |_| match state.get() {
        Some(State::Pipeline(stats)) => stats,
        _ => first.clone(),
    })
    .into()
}

#[component]
fn NoPipelines() -> impl IntoView {
    view! {
        <EmptyState title="There is no pipeline yet." icon=icons::Pipeline>
            <p>"Write what it is into a file and create it:"</p>
            <p class="mt-2">
                <code class="code inline-block py-1">"server pipelines create --file pipeline.json"</code>
            </p>
            <p class="mt-2">
                <a class="link" href="/#start">
                    "See what the file looks like"
                </a>
            </p>
        </EmptyState>
    }
}

#[component]
fn PipelineTable(list: Vec<PipelineOverview>) -> impl IntoView {
    view! {
        <TableWrap label="Pipelines">
            <table class="data-table stack-table">
                <thead>
                    <tr>
                        <th scope="col">"Pipeline"</th>
                        <th scope="col">"Source"</th>
                        <th scope="col" class="number">"Events/s"</th>
                        <th scope="col" class="number">"Received"</th>
                        <th scope="col" class="number">"Quarantined"</th>
                        <th scope="col" class="number">"Rejected"</th>
                        <th scope="col" class="number">"Lag"</th>
                        <th scope="col" class="number">"Lake"</th>
                        <th scope="col" class="number">"Last event"</th>
                    </tr>
                </thead>
                <tbody>
                    {list.into_iter().map(|overview| view! { <Row overview /> }).collect_view()}
                </tbody>
            </table>
        </TableWrap>
    }
}

#[component]
fn Row(overview: PipelineOverview) -> impl IntoView {
    let PipelineOverview { pipeline, stats } = overview;
    let href = format!("/pipelines/{}", pipeline.slug);
    let stats = live_stats(pipeline.slug.clone(), stats);
    let counted = move |get: fn(&PipelineStats) -> u64| move || stats.with(|s| format::count(get(s)));
    let tone = move |get: fn(&PipelineStats) -> u64, tone: Tone| {
        move || {
            if stats.with(|s| get(s) > 0) {
                tone.text()
            } else {
                "text-ink-3"
            }
        }
    };
    let last = Memo::new(move |_| stats.with(|s| s.last_event_at));
    let lag = move || stats.with(|s| s.lag.silver_ms);
    view! {
        <tr class="hover:bg-raised">
            <th scope="row" class="stack-head">
                <a class="link inline-flex min-h-10 items-center" href=href.clone()>
                    {pipeline.name}
                </a>
            </th>
            <td class="stack-end">
                <Badge>{pipeline.source.kind()}</Badge>
            </td>
            <td class="number" data-label="Events/s">{move || stats.with(|s| format::rate(s.events_per_second).number)}</td>
            <td class="number" data-label="Received">{counted(|s| s.received)}</td>
            <td class="number" data-label="Quarantined">
                <a class=move || format!("{} hover:underline", tone(|s| s.quarantined, Tone::Warn)()) href=format!("{href}?tab=quarantine")>
                    {counted(|s| s.quarantined)}
                </a>
            </td>
            <td class="number" data-label="Rejected">
                <span class=tone(|s| s.rejected, Tone::Bad)>{counted(|s| s.rejected)}</span>
            </td>
            <td class="number" data-label="Lag">{move || format::duration_ms(lag()).to_string()}</td>
            <td class="number" data-label="Lake">{move || stats.with(|s| format::bytes(s.bronze_bytes).to_string())}</td>
            <td class="number stack-line text-ink-2" data-label="Last event">
                {move || match last.get() {
                    Some(at) => view! { <RelativeTime ms=at.millis() /> }.into_any(),
                    None => "never".into_any(),
                }}
            </td>
        </tr>
    }
}
