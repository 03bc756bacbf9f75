//! A card for each dashboard.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    AppError,
    api::{list_dashboards, query_metrics},
    components::{
        EmptyState, ErrorState, Skeleton, StatFigure,
        format::{self, Figure},
        icons,
        widget::words,
    },
    live::use_live,
    model::{
        dashboard::{Dashboard, Widget, WidgetKind},
        live::{State, Topic},
        query::{QueryResult, QuerySpec, Shape},
    },
    page,
};

/// Most figures on a card.
const FIGURES: usize = 4;

/// The number of a stat widget, without the line behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Headline {
    title: String,
    unit: Option<String>,
    decimals: Option<u8>,
    spec: QuerySpec,
    /// The answer that the page is rendered with; nothing when it could not be had.
    first: Option<QueryResult>,
}

impl Headline {
    fn of(dashboard: &Dashboard, widget: &Widget) -> Option<Self> {
        let specs = widget.specs(dashboard.range, 1);
        let spec = specs.into_iter().find(|s| s.shape == Shape::Total)?;
        (widget.kind == WidgetKind::Stat).then(|| Self {
            title: widget.title.clone(),
            unit: widget.unit.clone(),
            decimals: widget.decimals,
            spec,
            first: None,
        })
    }

    fn figure(&self, answer: Option<&QueryResult>) -> Figure {
        let point = answer.and_then(|a| a.series.first()?.points.last());
        let unit = self.unit.as_deref().or_else(|| answer?.unit.as_deref());
        point.map_or_else(Figure::none, |p| {
            words::figure(p.1, self.spec.query.agg, unit, self.decimals)
        })
    }
}

async fn load() -> Result<Vec<(Dashboard, Vec<Headline>)>, AppError> {
    let mut boards: Vec<(Dashboard, Vec<Headline>)> = list_dashboards()
        .await?
        .into_iter()
        .map(|d| {
            let headlines = d.widgets.iter().filter_map(|w| Headline::of(&d, w)).take(FIGURES);
            let headlines = headlines.collect();
            (d, headlines)
        })
        .collect();
    // One question for the whole page; without its answer the cards still lead somewhere.
    let specs: Vec<QuerySpec> = boards.iter().flat_map(|b| b.1.iter().map(|h| h.spec.clone())).collect();
    if !specs.is_empty()
        && let Ok(answers) = query_metrics(specs).await
    {
        for (headline, answer) in boards.iter_mut().flat_map(|b| &mut b.1).zip(answers) {
            headline.first = answer.ok();
        }
    }
    Ok(boards)
}

#[component]
pub fn Boards() -> impl IntoView {
    let boards = page::data(|| (), |()| load());
    view! {
        <section aria-labelledby="dashboards">
            <h1 id="dashboards" class="mb-4">
                "Dashboards"
            </h1>
            <Suspense fallback=|| {
                view! {
                    <div class="grid gap-4 lg:grid-cols-2 2xl:grid-cols-3">
                        <Skeleton class="h-44" />
                        <Skeleton class="h-44" />
                    </div>
                }
            }>
                {move || Suspend::new(async move {
                    match boards.await {
                        Ok(list) if list.is_empty() => view! { <NoBoards /> }.into_any(),
                        Ok(list) => {
                            view! {
                                <ul class="grid gap-4 lg:grid-cols-2 2xl:grid-cols-3">
                                    {list
                                        .into_iter()
                                        .map(|(dashboard, headlines)| view! { <Board dashboard headlines /> })
                                        .collect_view()}
                                </ul>
                            }
                                .into_any()
                        }
                        Err(error) => {
                            let retry = Callback::new(move |()| boards.refetch());
                            view! {
                                <div class="card">
                                    <ErrorState error retry />
                                </div>
                            }
                                .into_any()
                        }
                    }
                })}
            </Suspense>
        </section>
    }
}

#[component]
fn NoBoards() -> impl IntoView {
    view! {
        <div class="card">
            <EmptyState title="There is no dashboard yet." icon=icons::Dashboard>
                <p>"This server runs without its demonstration. Below is how to send data of your own."</p>
            </EmptyState>
        </div>
    }
}

#[component]
fn Board(dashboard: Dashboard, headlines: Vec<Headline>) -> impl IntoView {
    let widgets = dashboard.widgets.len();
    let foot = format!(
        "{widgets} {}, {}",
        if widgets == 1 { "widget" } else { "widgets" },
        format::range(dashboard.range)
    );
    view! {
        // The link of the heading covers the card: one target, one stop of the keyboard.
        <li class="card relative flex flex-col gap-4 p-4 transition-colors hover:border-line-strong">
            <div>
                <h2>
                    <a class="after:absolute after:inset-0 after:rounded-lg" href=format!("/dashboards/{}", dashboard.slug)>
                        {dashboard.title}
                    </a>
                </h2>
                <p class="mt-0.5 text-sm text-ink-2">{dashboard.description}</p>
            </div>
            <dl class="grid grid-cols-2 gap-4 sm:grid-cols-4">
                {headlines.into_iter().map(|headline| view! { <HeadlineFigure headline /> }).collect_view()}
            </dl>
            <p class="mt-auto text-xs text-ink-3">{foot}</p>
        </li>
    }
}

#[component]
fn HeadlineFigure(headline: Headline) -> impl IntoView {
    let state = use_live(Signal::stored(Some(Topic::Query(headline.spec.clone())))).state;
    let label = headline.title.clone();
    let figure = Memo::new(move |_| {
        state.with(|state| match state {
            Some(State::Query(answer)) => headline.figure(Some(answer)),
            _ => headline.figure(headline.first.as_ref()),
        })
    });
    view! { <StatFigure label figure /> }
}
