//! `/dashboards/:slug`: its widgets over one range of time, live.

mod picker;
mod range;

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::{Deserialize, Serialize};

use self::{
    picker::RangePicker,
    range::{Asked, Chosen},
};
use crate::{
    AppError, api,
    components::{
        Badge, BelongsTo, EmptyState, Form, Hidden, PageError, Skeleton, Submit, Tone, belongs, icons,
        widget::{WidgetView, time},
    },
    here,
    model::{
        DEFAULT_ORGANIZATION,
        dashboard::{Dashboard, Widget},
        people::Team,
        query::QueryResult,
    },
    page,
};

/// Width that the server renders for; the browser measures.
const SSR_WIDTH: u32 = 800;

/// Everything that the first paint needs, asked for once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Loaded {
    dashboard: Dashboard,
    chosen: Chosen,
    /// For each widget the answers to its specs.
    answers: Vec<Vec<Result<QueryResult, AppError>>>,
    /// That it can be given to.
    teams: Vec<Team>,
}

async fn load(slug: String, asked: Asked, gives: bool) -> Result<Loaded, AppError> {
    let dashboard = api::get_dashboard(slug).await?;
    let chosen = asked.choose(dashboard.range, time::now_ms());
    let specs = |w: &Widget| w.specs(chosen.range, SSR_WIDTH);
    let all = dashboard.widgets.iter().flat_map(specs).collect();
    let mut all = api::query_metrics(all).await?.into_iter();
    let answers = dashboard
        .widgets
        .iter()
        .map(|w| all.by_ref().take(specs(w).len()).collect())
        .collect();
    Ok(Loaded {
        dashboard,
        chosen,
        answers,
        teams: belongs::teams(gives).await,
    })
}

#[component]
pub fn DashboardPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let slug = move || params.with(|p| p.get("slug").unwrap_or_default());
    let asked = move || {
        query.with(|q| Asked {
            range: q.get("range"),
            from: q.get("from"),
            to: q.get("to"),
        })
    };
    let gives = belongs::gives();
    let fetch = move |(slug, asked)| load(slug, asked, gives);
    let loaded = page::Data::new_with_options(move || (slug(), asked()), fetch, true);
    view! {
        <Transition fallback=Loading>
            {move || {
                loaded
                    .get()
                    .map(|loaded| match loaded {
                        Ok(loaded) => view! { <Widgets loaded /> }.into_any(),
                        Err(error) => view! { <PageError error /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Widgets(loaded: Loaded) -> impl IntoView {
    let Loaded {
        dashboard,
        chosen,
        answers,
        teams,
    } = loaded;
    let range = chosen.range;
    let group = dashboard.slug.clone();
    let none = dashboard.widgets.is_empty();
    let (slug, team) = (dashboard.slug.clone(), dashboard.team);
    let seat = here::person().and_then(|person| person.organization);
    let signed_in = seat.is_some();
    // Whoever has no account looks at the first organization, and at no other.
    let can_share = seat.is_some_and(|seat| dashboard.public || seat.id == DEFAULT_ORGANIZATION);
    let share = can_share.then(|| view! { <Share slug=dashboard.slug.clone() public=dashboard.public /> });
    let widgets = dashboard
        .widgets
        .into_iter()
        .zip(answers)
        .map(|(widget, initial)| view! { <WidgetView widget range initial group=group.clone() /> })
        .collect_view()
        .into_any();
    let heading = view! {
        <div class="min-w-0">
            <div class="flex flex-wrap items-center gap-2">
                <h1>{dashboard.title.clone()}</h1>
                {(signed_in && dashboard.public).then(|| view! { <Badge tone=Tone::Accent>"shared with everybody"</Badge> })}
            </div>
            {(!dashboard.description.is_empty())
                .then(|| view! { <p class="mt-0.5 max-w-prose text-ink-2">{dashboard.description}</p> })}
        </div>
    }
    .into_any();
    let nothing = none.then(|| {
        view! {
            <EmptyState title="This dashboard has no widgets yet" icon=icons::Dashboard>
                <a class="link" href="/">
                    "Back to the dashboards"
                </a>
            </EmptyState>
        }
        .into_any()
    });
    view! {
        <Title text=dashboard.title />
        <div class="page py-5">
            <div class="mb-4 flex flex-wrap items-start justify-between gap-x-6 gap-y-3">
                {heading}
                <div class="flex flex-wrap items-center gap-2">{share} <RangePicker chosen /></div>
            </div>
            {nothing} <div class="grid grid-cols-2 gap-3 lg:grid-cols-12">{widgets}</div>
            <BelongsTo action=api::GiveDashboard::PATH name="slug" value=slug team teams />
        </div>
    }
}

/// Whether everybody who reaches this server sees it, without an account.
#[component]
fn Share(slug: String, public: bool) -> impl IntoView {
    let words = if public { "Stop sharing" } else { "Share" };
    view! {
        <Form action=api::ShareDashboard::PATH>
            <Hidden name="slug" value=slug />
            <Hidden name="public" value=(!public).to_string() />
            <Submit class="btn">{words}</Submit>
        </Form>
    }
}

#[component]
fn Loading() -> impl IntoView {
    view! {
        <div class="page py-5" aria-busy="true">
            <Skeleton class="mb-6 h-7 w-56" />
            <div class="grid grid-cols-1 gap-3 sm:grid-cols-2">
                <Skeleton class="h-64" />
                <Skeleton class="h-64" />
                <Skeleton class="h-64" />
                <Skeleton class="h-64" />
            </div>
        </div>
    }
}
