//! Send your own data, in three steps.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    AppError,
    api::{GettingStarted, get_pipeline, how_to_start},
    components::{Badge, CodeBlock, ErrorState, Icon, RelativeTime, Skeleton, Tone, format, icons},
    model::stats::PipelineStats,
    page,
    pages::pipelines::live_stats,
};

/// The smallest pipeline, for the file of the third step.
const DEFINITION: &str = r#"{
  "name": "Front door",
  "mapping": {
    "metrics": [{ "name": "opened", "path": "opened" }],
    "tags": [{ "name": "door", "path": "door" }]
  }
}"#;
const DEFINITION_RECORD: &str = r#"{"door":"front","opened":1}"#;

#[derive(Clone, Serialize, Deserialize)]
struct Setup {
    start: GettingStarted,
    /// Nothing where there is no pipeline to try with.
    stats: Option<PipelineStats>,
}

async fn load() -> Result<Setup, AppError> {
    let start = how_to_start().await?;
    let stats = match get_pipeline(start.pipeline.clone()).await {
        Ok(overview) => Some(overview.stats),
        Err(AppError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Setup { start, stats })
}

#[component]
pub fn Start() -> impl IntoView {
    let setup = page::data(|| (), |()| load());
    view! {
        <section id="start" aria-labelledby="start-title" class="scroll-mt-24">
            <h2 id="start-title" class="mb-1">
                "Send your own data"
            </h2>
            <p class="mb-4 text-ink-2">"Three steps from an event to a point on a chart."</p>
            <Suspense fallback=|| view! { <Skeleton class="h-80" /> }>
                {move || Suspend::new(async move {
                    match setup.await {
                        Ok(setup) => view! { <Steps setup /> }.into_any(),
                        Err(error) => {
                            let retry = Callback::new(move |()| setup.refetch());
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
fn Steps(setup: Setup) -> impl IntoView {
    let Setup { start, stats } = setup;
    let own = {
        let command = command(&start.base_url, "front-door", "INGEST_KEY", DEFINITION_RECORD);
        let of = start
            .organization
            .as_ref()
            .map_or_else(String::new, |slug| format!(" --organization {slug}"));
        format!("{} pipelines create --file pipeline.json{of}\n{command}", start.program)
    };
    let Some(stats) = stats else {
        return view! {
            <ol class="max-w-3xl">
                <Step number=1 title="Make a pipeline">
                    <Own own />
                </Step>
            </ol>
        }
        .into_any();
    };
    let stats = live_stats(start.pipeline.clone(), stats);
    let pipeline = start.pipeline.clone();
    let code = start
        .ingest_key
        .as_ref()
        .map(|key| command(&start.base_url, &pipeline, key, &start.example));
    view! {
        <ol class="grid gap-4 xl:grid-cols-2 xl:grid-rows-[auto_1fr]">
            <Step number=1 title="Post an event">
                {match code {
                    Some(code) => {
                        view! {
                            <p class="mb-3 text-ink-2">
                                "Run this in a terminal. The key is the real one of the pipeline "
                                <a class="link" href=format!("/pipelines/{pipeline}")>
                                    {pipeline.clone()}
                                </a> "."
                            </p>
                            <CodeBlock code label="command" wrap=true />
                        }
                            .into_any()
                    }
                    None => {
                        view! {
                            <p class="text-ink-2">
                                "A key is shown only once, and this server no longer knows the one of "
                                <a class="link" href=format!("/pipelines/{pipeline}")>
                                    {pipeline.clone()}
                                </a> ". Make a pipeline of your own, as in step 3: "
                                <code class="text-ink">"server pipelines create"</code> " prints its key."
                            </p>
                        }
                            .into_any()
                    }
                }}
            </Step>
            <Step number=2 title="Watch it arrive">
                <Arrival start stats />
            </Step>
            <Step number=3 title="Make it yours" class="xl:col-start-2 xl:row-span-2 xl:row-start-1">
                <Own own />
            </Step>
        </ol>
    }
    .into_any()
}

/// A pipeline of one's own.
#[component]
fn Own(own: String) -> impl IntoView {
    view! {
                <p class="mb-3 text-ink-2">
            "A pipeline says where the numbers stand in your records. Save this as "
            <code class="text-ink">"pipeline.json"</code> ":"
        </p>
        <CodeBlock code=DEFINITION label="definition" />
        <p class="my-3 text-ink-2">"In the directory where Dash was started, create it. Then post to it with the key that it prints, this once, in place of "<code class="text-ink">"INGEST_KEY"</code> ":"</p>
        <CodeBlock code=own label="commands" wrap=true />
    }
}

#[component]
fn Step(number: u8, title: &'static str, #[prop(optional)] class: &'static str, children: Children) -> impl IntoView {
    view! {
        <li class=format!("card flex min-w-0 flex-col p-4 {class}")>
            <h3 class="mb-3 flex items-center gap-2">
                <span
                    class="inline-flex size-6 items-center justify-center rounded-full bg-accent-soft text-xs font-semibold text-accent"
                    aria-hidden="true"
                >
                    {number}
                </span>
                {title}
            </h3>
            {children()}
        </li>
    }
}

/// Waits for the first event, then counts.
#[component]
fn Arrival(start: GettingStarted, stats: Signal<PipelineStats>) -> impl IntoView {
    let received = Memo::new(move |_| stats.with(|s| s.received));
    let unfit = Memo::new(move |_| stats.with(|s| (s.quarantined, s.rejected)));
    let last = Memo::new(move |_| stats.with(|s| s.last_event_at));
    let arrived = Memo::new(move |_| received.get() > 0);
    let pipeline = format!("/pipelines/{}", start.pipeline);
    let quarantine = StoredValue::new(format!("{pipeline}?tab=quarantine"));
    view! {
        // Says the turn once; the count below moves too often to be read aloud.
        <p role="status" class="flex items-center gap-2 font-medium">
            {move || {
                if arrived.get() {
                    view! {
                        <Icon icon=icons::CheckCircle size="1.25rem" class="text-good" />
                        "Your data arrives."
                    }
                        .into_any()
                } else {
                    view! {
                        <span class="size-2.5 animate-pulse rounded-full bg-accent" aria-hidden="true"></span>
                        "Waiting for your first event"
                    }
                        .into_any()
                }
            }}
        </p>
        <Show
            when=move || arrived.get()
            fallback=|| {
                view! { <p class="mt-2 text-ink-2">"Run the command of step 1: this line changes without a reload."</p> }
            }
        >
            <p class="mt-2 text-ink-2">
                {move || match received.get() {
                    1 => "1 event received".to_owned(),
                    n => format!("{} events received", format::count(n)),
                }}
                {move || last.get().map(|at| view! { ", the last " <RelativeTime ms=at.millis() /> })} "."
            </p>
            {move || {
                let (quarantined, rejected) = unfit.get();
                (quarantined > 0)
                    .then(|| {
                        view! {
                            <p class="mt-2">
                                <a href=quarantine.get_value()>
                                    <Badge tone=Tone::Warn>
                                        {format::count(quarantined)} " in quarantine: see why"
                                    </Badge>
                                </a>
                            </p>
                        }
                            .into_any()
                    })
                    .or_else(|| {
                        (rejected > 0)
                            .then(|| {
                                view! {
                                    <p class="mt-2">
                                        <Badge tone=Tone::Bad>{format::count(rejected)} " rejected"</Badge>
                                    </p>
                                }
                                    .into_any()
                            })
                    })
            }}
        </Show>
        <p class="mt-4 flex flex-wrap gap-2">
            <a
                class=move || if arrived.get() { "btn btn-primary" } else { "btn" }
                href=format!("/dashboards/{}", start.dashboard)
            >
                <Icon icon=icons::Dashboard />
                {move || if arrived.get() { "See it on the chart" } else { "Its dashboard" }}
            </a>
            <a class="btn" href=pipeline>
                <Icon icon=icons::Pipeline />
                "Its pipeline"
            </a>
        </p>
    }
}

/// One line of curl, for any POSIX shell.
fn command(base_url: &str, pipeline: &str, key: &str, record: &str) -> String {
    let record = record.replace('\'', r"'\''");
    format!(
        "curl -X POST {base_url}/api/v1/ingest/{pipeline} \\\n  -H 'Authorization: Bearer {key}' \\\n  \
         -H 'Content-Type: application/json' \\\n  -d '{record}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::pipeline::PipelineDefinition;

    #[test]
    fn the_record_survives_the_shell() {
        let line = command("http://127.0.0.1:3000", "try-it", "k", r#"{"who":"it's me"}"#);
        assert!(line.ends_with(r#"-d '{"who":"it'\''s me"}'"#), "{line}");
    }

    #[test]
    fn the_definition_shown_is_one_that_works() {
        let definition: PipelineDefinition = serde_json::from_str(DEFINITION).expect("a definition");
        assert_eq!(definition.validate(), Ok("front-door".into()));
        assert!(serde_json::from_str::<serde_json::Value>(DEFINITION_RECORD).is_ok());
    }
}
