//! `/reconcile`

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    api::reconcile,
    books,
    components::{
        Badge, CodeBlock, EmptyState, ErrorState, Icon, PageError, PageSkeleton, RelativeTime, TableWrap, Tone, format,
        icons,
    },
    error::AppError,
    model::reconcile::{Check, CheckOutcome, Difference, ReconciledPipeline, Reconciliation, Verdict},
    page,
};

/// Whether what came in, what the ledger says, the lake and the metrics agree; `?pipeline=` asks for one pipeline.
#[component]
pub fn ReconcilePage() -> impl IntoView {
    let query = use_query_map();
    let pipeline = Memo::new(move |_| query.with(|q| q.get("pipeline").filter(|p| !p.is_empty())));
    let checked = page::data(move || pipeline.get(), reconcile);
    view! {
        <Title text="Reconcile" />
        <Suspense fallback=|| view! { <PageSkeleton cards=["h-64", "h-64"] /> }>
            {move || Suspend::new(async move {
                match checked.await {
                    Ok(checked) => view! { <Loaded checked pipeline=pipeline.get_untracked() /> }.into_any(),
                    Err(error @ (AppError::NotFound { .. } | AppError::SignIn | AppError::Forbidden { .. })) => view! { <PageError error /> }.into_any(),
                    Err(error) => {
                        page::status(error.status());
                        let retry = Callback::new(move |()| checked.refetch());
                        view! {
                            <div class="page space-y-4 pt-6">
                                <Head pipeline=pipeline.get_untracked() />
                                <div class="card">
                                    <ErrorState error retry />
                                </div>
                                <Deep pipeline=pipeline.get_untracked() />
                            </div>
                        }
                            .into_any()
                    }
                }
            })}
        </Suspense>
    }
}

#[component]
fn Loaded(checked: Reconciliation, pipeline: Option<String>) -> impl IntoView {
    let said = books::verdict(&checked);
    let (took, database) = (format::count(checked.took_ms), format::count(checked.database_ms));
    let none = checked.pipelines.is_empty();
    let verdict = checked.verdict;
    view! {
        <div class="page space-y-4 pt-6">
            <Head pipeline=pipeline.clone()>
                <p class="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-ink-2">
                    {(!none)
                        .then(|| view! {
                            <span class=format!("inline-flex items-center gap-1.5 font-medium {}", tone(verdict).text())>
                                <Icon icon=mark(verdict) />
                                {said}
                            </span>
                        })}
                    <span>
                        "Checked " <RelativeTime ms=checked.checked_at.millis() />
                        {format!(" in {took} ms, {database} ms of them in the database")}
                    </span>
                </p>
            </Head>
            {none
                .then(|| view! {
                    <div class="card">
                        <EmptyState title="There is no pipeline yet, and so nothing to check." icon=icons::Pipeline>
                            <p>
                                <a class="link" href="/#start">
                                    "Make a pipeline"
                                </a>
                            </p>
                        </EmptyState>
                    </div>
                })}
            {checked.pipelines.into_iter().map(|pipeline| view! { <Pipeline pipeline /> }).collect_view()}
            <Deep pipeline />
        </div>
    }
}

/// What the page is, and the button that checks again: a form, which needs no script.
#[component]
fn Head(pipeline: Option<String>, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    let all = pipeline.is_some();
    view! {
        <div>
            <p class="text-sm">
                <a class="link" href="/pipelines">
                    "Pipelines"
                </a>
            </p>
            <div class="mt-1 flex flex-wrap items-start justify-between gap-x-4 gap-y-3">
                <div class="min-w-0 space-y-1">
                    <h1>"Reconcile"</h1>
                    <p class="max-w-prose text-ink-2">
                        "Every event that was received is stored, quarantined or rejected, once: here the ledger, the lake, the quarantine and the metrics are held against each other."
                    </p>
                    {children.map(|children| children())}
                </div>
                <div class="flex flex-wrap gap-2">
                    {all.then(|| view! { <a class="btn" href="/reconcile">"All pipelines"</a> })}
                    <form method="get" action="/reconcile">
                        {pipeline.map(|slug| view! { <input type="hidden" name="pipeline" value=slug /> })}
                        <button class="btn btn-primary" type="submit">
                            <Icon icon=icons::Retry />
                            "Check again"
                        </button>
                    </form>
                </div>
            </div>
        </div>
    }
}

#[component]
fn Pipeline(pipeline: ReconciledPipeline) -> impl IntoView {
    let verdict = pipeline.verdict();
    let said = books::verdict_of_pipeline(&pipeline);
    let figures = pipeline.figures;
    let href = format!("/pipelines/{}", pipeline.slug);
    view! {
        <section class="card" aria-label=pipeline.name.clone()>
            <div class="flex min-h-12 flex-wrap items-center justify-between gap-x-4 gap-y-1 border-b border-line px-4 py-2">
                <h2>
                    <a class="link" href=href>
                        {pipeline.name.clone()}
                    </a>
                </h2>
                <Badge tone=tone(verdict)>
                    <Icon icon=mark(verdict) />
                    {said}
                </Badge>
            </div>
            <TableWrap label=format!("Checks of {}", pipeline.name)>
                <table class="data-table checks-table">
                    <thead>
                        <tr>
                            <th scope="col">"Check"</th>
                            <th scope="col">"Figures"</th>
                            <th scope="col">"Result"</th>
                        </tr>
                    </thead>
                    <tbody>
                        {pipeline
                            .checks
                            .into_iter()
                            .map(|check| {
                                let statement = books::statement(&check, &figures);
                                view! { <Row check statement /> }
                            })
                            .collect_view()}
                    </tbody>
                </table>
            </TableWrap>
            {pipeline
                .notes
                .into_iter()
                .map(|note| view! { <p class="border-t border-line px-4 py-2 text-sm text-ink-2">{note}</p> })
                .collect_view()}
        </section>
    }
}

/// A check, and what differs below its figures.
#[component]
fn Row(check: Check, statement: String) -> impl IntoView {
    let (tone, icon, word) = match &check.outcome {
        CheckOutcome::Agrees => (Tone::Good, Some(icons::Check), "Agrees"),
        CheckOutcome::Differs { .. } => (Tone::Bad, Some(icons::Warning), "Differs"),
        CheckOutcome::Unchecked { .. } => (Tone::Warn, Some(icons::Warning), "Not checked"),
        CheckOutcome::DeepOnly => (Tone::Neutral, None, "With --deep"),
    };
    let below = match check.outcome {
        CheckOutcome::Differs { differences, more } => view! { <Differences differences more /> }.into_any(),
        CheckOutcome::Unchecked { reason } => {
            view! { <p class="mt-1 break-words text-warn">"It could not be checked: " {reason}</p> }.into_any()
        }
        CheckOutcome::Agrees | CheckOutcome::DeepOnly => ().into_any(),
    };
    let class = if tone == Tone::Neutral {
        "text-ink-3"
    } else {
        tone.text()
    };
    view! {
        <tr>
            <th scope="row">{check.about.name()}</th>
            <td class="figures">
                {statement}
                {below}
            </td>
            <td class="result">
                <span class=format!("inline-flex items-center gap-1.5 align-top font-medium whitespace-nowrap {class}")>
                    {icon.map(|icon| view! { <Icon icon /> })}
                    {word}
                </span>
            </td>
        </tr>
    }
}

#[component]
fn Differences(differences: Vec<Difference>, more: u64) -> impl IntoView {
    let one = |d: Difference| {
        view! {
            <li class="rounded-md border border-line bg-bad-soft p-3">
                <p class="font-medium break-words text-bad">{d.what}</p>
                <dl class="mt-1 grid gap-x-4 gap-y-1 sm:grid-cols-[max-content_1fr]">
                    <dt class="text-ink-2">"Expected"</dt>
                    <dd class="break-words">{d.expected}</dd>
                    <dt class="text-ink-2">"Found"</dt>
                    <dd class="break-words">{d.found}</dd>
                    <dt class="text-ink-2">"What to do"</dt>
                    <dd class="break-words">{d.remedy}</dd>
                </dl>
            </li>
        }
    };
    view! {
        <ul class="mt-2 space-y-2">
            {differences.into_iter().map(one).collect_view()}
            {(more > 0).then(|| view! { <li class="text-ink-2">{format!("and {} more", format::count(more))}</li> })}
        </ul>
    }
}

/// What this page does not read, and the command that does.
#[component]
fn Deep(pipeline: Option<String>) -> impl IntoView {
    let command = match pipeline {
        Some(slug) => format!("server reconcile --deep --pipeline {slug}"),
        None => "server reconcile --deep".to_owned(),
    };
    view! {
        <section class="card space-y-3 p-4" aria-label="Deep check">
            <h2>"Every row"</h2>
            <p class="max-w-prose text-sm text-ink-2">
                "This page compares sums, ranges and sizes. The command reads every object of the lake, every point and every bucket of the rollups as well; beside a running server it takes minutes for many millions of events. It ends with 0 when all agree, 1 when something differs, 2 when it could not check."
            </p>
            <CodeBlock code=command label="command" />
        </section>
    }
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Agrees => Tone::Good,
        Verdict::Differs => Tone::Bad,
        Verdict::Unchecked => Tone::Warn,
    }
}

fn mark(verdict: Verdict) -> icons::Icon {
    match verdict {
        Verdict::Agrees => icons::CheckCircle,
        Verdict::Differs | Verdict::Unchecked => icons::Warning,
    }
}
