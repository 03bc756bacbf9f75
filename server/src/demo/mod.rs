//! What a first start shows: pipelines with real data and a dashboard for each. DASH_DEMO=0 leaves it out.

mod keys;
mod post;

use std::path::Path;

use app::api::GettingStarted;
use bytes::Bytes;
use dash_db::store::{self, audit::Actor};
use dash_ingest::{Encoding, Format, IdempotencyKey};
use dash_model::{
    DEFAULT_ORGANIZATION, DashboardId,
    dashboard::{Dashboard, Widget},
    pipeline::PipelineDefinition,
    query::TimeRange,
};
use serde::Deserialize;

pub use keys::DemoKeys;
pub use post::post_flights;

use crate::{failure::Failure, ingest::Posted, state::State};

/// Slug of the pipeline that waits for a newcomer's own events, and of its dashboard.
const YOUR_DATA: &str = "your-data";
const EARTHQUAKES: &str = "earthquakes";

/// A pipeline and the dashboard that shows it, as files of the source tree.
#[derive(Deserialize)]
struct Demo {
    pipeline: PipelineDefinition,
    dashboard: DashboardDefinition,
}

#[derive(Deserialize)]
struct DashboardDefinition {
    slug: String,
    title: String,
    description: String,
    range: TimeRange,
    widgets: Vec<Widget>,
}

const DEMOS: [&str; 4] = [
    include_str!("../../demo/this-machine.json"),
    include_str!("../../demo/earthquakes.json"),
    include_str!("../../demo/your-data.json"),
    include_str!("../../demo/flights.json"),
];

fn demos() -> Result<Vec<Demo>, Failure> {
    let parse =
        |text: &&str| serde_json::from_str(text).map_err(|e| Failure::internal(format!("a demo file is wrong: {e}")));
    DEMOS.iter().map(parse).collect()
}

/// Makes what is missing of the demo. What somebody changed stays as it is.
pub async fn seed(state: &State) -> Result<(), Failure> {
    let mut keys = DemoKeys::read(&state.config.process.data)?;
    for (position, demo) in demos()?.into_iter().enumerate() {
        let slug = demo.pipeline.validate()?;
        if state.catalog.get(DEFAULT_ORGANIZATION, &slug).is_none() {
            let created = state
                .catalog
                .create(DEFAULT_ORGANIZATION, &demo.pipeline, Actor::system())
                .await?;
            keys.insert(slug, created.ingest_key)?;
        }
        let mut connection = state.db.diesel().await?;
        let known = store::dashboards::get(&mut connection, DEFAULT_ORGANIZATION, &demo.dashboard.slug).await?;
        if known.is_none() {
            let d = demo.dashboard;
            let dashboard = Dashboard {
                id: DashboardId(uuid::Uuid::now_v7()),
                slug: d.slug,
                title: d.title,
                description: d.description,
                range: d.range,
                widgets: d.widgets,
                team: None,
                // Whoever has no account yet sees what Dash does.
                public: true,
            };
            store::dashboards::upsert(&mut connection, DEFAULT_ORGANIZATION, &dashboard, position as i32).await?;
        }
    }
    Ok(())
}

/// Sends the earthquakes through the ordinary way in, once.
pub async fn send_earthquakes(state: &State) -> Result<(), Failure> {
    let entry = state.catalog.find(DEFAULT_ORGANIZATION, EARTHQUAKES).await?;
    if state.figures.of(&entry).await?.received > 0 {
        return Ok(());
    }
    let file = state.config.site().join("demo/earthquakes.json");
    let body = match tokio::fs::read(&file).await {
        Ok(body) => body,
        Err(error) => {
            tracing::warn!(file = %file.display(), %error, "no earthquakes: the site was built without the demo's data");
            return Ok(());
        }
    };
    let posted = Posted {
        body: Bytes::from(body),
        format: Format::Json,
        encoding: Encoding::Identity,
        key: Some(IdempotencyKey::new("demo-earthquakes")?),
        meta: Bytes::from_static(br#"{"source":"vega-datasets"}"#),
    };
    let receipt = state.ingest.accept(&entry, posted).await?;
    tracing::info!(
        accepted = receipt.accepted,
        rejected = receipt.rejected_total,
        "earthquakes are in"
    );
    Ok(())
}

/// What the home page tells a newcomer.
pub fn getting_started(state: &State) -> GettingStarted {
    let keys = DemoKeys::read(&state.config.process.data).unwrap_or_default();
    GettingStarted {
        base_url: format!("http://{}", state.config.address()),
        pipeline: YOUR_DATA.into(),
        dashboard: YOUR_DATA.into(),
        ingest_key: keys.get(YOUR_DATA).map(Into::into),
        example: r#"{"sensor": "door", "value": 21.5}"#.into(),
        organization: None,
        program: std::env::current_exe().map_or_else(|_| "server".into(), |path| in_shell(&path, home().as_deref())),
    }
}

fn home() -> Option<std::path::PathBuf> {
    std::env::var_os("HOME").map(Into::into)
}

/// A path as it is typed: short where it lies in the home directory, quoted where the shell would split it.
fn in_shell(path: &Path, home: Option<&Path>) -> String {
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c));
    let quoted = |path: &Path| match path.display().to_string() {
        text if plain(&text) => text,
        text => format!("'{}'", text.replace('\'', r"'\''")),
    };
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => format!("~/{}", quoted(rest)),
        None => quoted(path),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dash_transform::Plan;

    use super::*;

    #[test]
    fn the_program_is_named_as_a_shell_takes_it() {
        let home = Some(Path::new("/home/ada"));
        let named = |path: &str| in_shell(Path::new(path), home);
        assert_eq!(
            named("/home/ada/.cache/dash/target/debug/server"),
            "~/.cache/dash/target/debug/server"
        );
        assert_eq!(named("/usr/local/bin/server"), "/usr/local/bin/server");
        assert_eq!(named("/home/ada/my dash/server"), "~/'my dash/server'");
        assert_eq!(named("/opt/it's/server"), r"'/opt/it'\''s/server'");
    }

    #[test]
    fn every_demo_can_be_stored_and_run() {
        for demo in demos().expect("demo files") {
            demo.pipeline.validate().expect(&demo.pipeline.name);
            Plan::compile(&demo.pipeline.mapping).expect(&demo.pipeline.name);
        }
    }

    #[test]
    fn every_widget_asks_for_a_metric_and_tags_that_are_there() {
        for demo in demos().expect("demo files") {
            let metrics: BTreeSet<_> = demo.pipeline.mapping.metrics.iter().map(|m| &m.name).collect();
            let tags: BTreeSet<_> = demo.pipeline.mapping.tags.iter().map(|t| &t.name).collect();
            let slug = demo.pipeline.validate().expect("slug");
            for query in demo.dashboard.widgets.iter().flat_map(|w| &w.queries).map(|q| &q.query) {
                assert_eq!(query.pipeline, slug);
                assert!(metrics.contains(&query.metric), "{}", query.metric);
                assert!(query.by.iter().all(|t| tags.contains(t)), "{:?}", query.by);
            }
        }
    }
}
