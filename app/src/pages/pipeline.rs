//! `/pipelines/:slug`

mod definition;
mod events;
mod figures;
mod quarantine;

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::{Deserialize, Serialize};

use self::{definition::Definition, events::Events, figures::Figures, quarantine::Quarantine};
use super::pipelines::live_stats;
use crate::{
    AppError,
    api::{self, PipelineOverview, QuarantineEntry},
    components::{
        Badge, BelongsTo, ErrorState, PageError, PageSkeleton, RelativeTime, Skeleton, Tone, belongs, format,
    },
    model::{
        people::Team,
        pipeline::{Pipeline, Source},
        stats::{PipelineStats, RecentEvent},
    },
    page,
};

/// `?tab=`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Events,
    Quarantine,
    Definition,
}

impl Tab {
    fn parse(name: Option<&str>) -> Self {
        match name {
            Some("quarantine") => Self::Quarantine,
            Some("definition") => Self::Definition,
            _ => Self::Events,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Quarantine => "quarantine",
            Self::Definition => "definition",
        }
    }
}

/// Events that are shown, unless `?show=` asks for [`MOST`].
const FEW: usize = 25;
/// Events that the server keeps at hand.
const MOST: usize = 100;

/// What a tab shows beside the figures.
#[derive(Clone, Serialize, Deserialize)]
enum Content {
    Events(Vec<RecentEvent>),
    Quarantine(Vec<QuarantineEntry>),
    /// Stands in the overview already; the teams that it can be given to.
    Definition(Vec<Team>),
}

async fn load(slug: String, tab: Tab, show: usize, gives: bool) -> Result<Content, AppError> {
    Ok(match tab {
        Tab::Events => {
            let mut events = api::recent_events(slug).await?;
            // One more than is shown says that there are more.
            events.truncate(show + 1);
            Content::Events(events)
        }
        Tab::Quarantine => Content::Quarantine(api::quarantine(slug).await?),
        Tab::Definition => Content::Definition(belongs::teams(gives).await),
    })
}

/// One pipeline: its figures, its newest events beside what became of them, its quarantine, its definition.
#[component]
pub fn PipelinePage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let slug = Memo::new(move |_| params.with(|p| p.get("slug").unwrap_or_default()));
    let tab = Memo::new(move |_| query.with(|q| Tab::parse(q.get_str("tab"))));
    let overview = page::data(move || slug.get(), api::get_pipeline);
    let show = Memo::new(move |_| match query.with(|q| q.get_str("show").map(str::to_owned)) {
        Some(most) if most == MOST.to_string() => MOST,
        _ => FEW,
    });
    let gives = belongs::gives();
    let content = page::data(
        move || (slug.get(), tab.get(), show.get()),
        move |(slug, tab, show)| load(slug, tab, show, gives),
    );
    view! {
        <Suspense fallback=|| view! { <PageSkeleton cards=["h-32", "h-96"] /> }>
            {move || Suspend::new(async move {
                match overview.await {
                    Ok(overview) => view! { <Loaded overview tab show content /> }.into_any(),
                    Err(error) => {
                        let retry = Callback::new(move |()| overview.refetch());
                        view! { <PageError error retry /> }.into_any()
                    }
                }
            })}
        </Suspense>
    }
}

#[component]
fn Loaded(
    overview: PipelineOverview,
    tab: Memo<Tab>,
    show: Memo<usize>,
    content: page::Data<Result<Content, AppError>>,
) -> impl IntoView {
    let PipelineOverview { pipeline, stats } = overview;
    let stats = live_stats(pipeline.slug.clone(), stats);
    let shown = StoredValue::new(pipeline.clone());
    view! {
        <Title text=pipeline.name.clone() />
        <div class="page space-y-4 pt-6">
            <Head pipeline=pipeline.clone() />
            <Figures stats />
            <section class="card">
                <Tabs slug=pipeline.slug tab stats />
                <Transition fallback=|| view! { <Skeleton class="h-64 m-4" /> }>
                    {move || Suspend::new(async move {
                        match content.await {
                            Ok(Content::Events(first)) => {
                                view! { <Events pipeline=shown.get_value() first stats show=show.get_untracked() /> }.into_any()
                            }
                            Ok(Content::Quarantine(first)) => {
                                view! { <Quarantine slug=shown.with_value(|p| p.slug.clone()) first stats /> }.into_any()
                            }
                            Ok(Content::Definition(teams)) => {
                                let pipeline = shown.get_value();
                                let (slug, team) = (pipeline.slug.clone(), pipeline.team);
                                view! {
                                    <Definition pipeline />
                                    <BelongsTo action=api::GivePipeline::PATH name="pipeline" value=slug team teams />
                                }
                                    .into_any()
                            }
                            Err(error) => {
                                let retry = Callback::new(move |()| content.refetch());
                                view! { <ErrorState error retry /> }.into_any()
                            }
                        }
                    })}
                </Transition>
            </section>
        </div>
    }
}

/// Who it is.
#[component]
fn Head(pipeline: Pipeline) -> impl IntoView {
    let address =
        matches!(pipeline.source, Source::Webhook { .. }).then(|| format!("/api/v1/ingest/{}", pipeline.slug));
    let reconcile = format!("/reconcile?pipeline={}", pipeline.slug);
    view! {
        <div>
            <p class="text-sm">
                <a class="link" href="/pipelines">
                    "Pipelines"
                </a>
            </p>
            <div class="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1">
                <h1>{pipeline.name}</h1>
                <Badge>{pipeline.source.kind()}</Badge>
                <Badge>{format!("mapping version {}", pipeline.active_version.number)}</Badge>
            </div>
            {(!pipeline.description.is_empty())
                .then(|| view! { <p class="mt-1 max-w-prose text-ink-2">{pipeline.description}</p> })}
            <p class="mt-1 flex flex-wrap gap-x-4 gap-y-1 text-sm text-ink-2">
                {address
                    .map(|address| {
                        view! {
                            <span>
                                "Events are posted to " <code class="break-all text-ink">{address}</code>
                            </span>
                        }
                    })}
                <span>"Created " <RelativeTime ms=pipeline.created_at.millis() /></span>
                <a class="link" href=reconcile>
                    "Reconcile"
                </a>
            </p>
        </div>
    }
}

/// Tabs are links: each has its own address.
#[component]
fn Tabs(slug: String, tab: Memo<Tab>, stats: Signal<PipelineStats>) -> impl IntoView {
    let waiting = Memo::new(move |_| stats.with(|s| s.quarantined));
    let link = move |to: Tab, label: &'static str| {
        view! {
            <a
                class="tab"
                href=format!("/pipelines/{slug}?tab={}", to.name())
                data-noscroll
                aria-current=move || (tab.get() == to).then_some("page")
            >
                {label}
                {(to == Tab::Quarantine)
                    .then(|| {
                        let tone = Signal::derive(move || {
                            if waiting.get() > 0 { Tone::Warn } else { Tone::Neutral }
                        });
                        view! { <Badge tone>{move || format::count(waiting.get())}</Badge> }
                    })}
            </a>
        }
    };
    view! {
        <nav class="flex gap-5 overflow-x-auto border-b border-line px-4 pt-1" aria-label="Views of this pipeline">
            {link(Tab::Events, "Newest events")}
            {link(Tab::Quarantine, "Quarantine")}
            {link(Tab::Definition, "Definition")}
        </nav>
    }
}
