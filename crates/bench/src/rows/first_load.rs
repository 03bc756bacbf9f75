//! What a first visit loads, when it has painted, and how soon a click shows.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::{
    browser,
    context::Context,
    cores,
    data::quantiles::quantile,
    row::{Better, Durability, Goal, Reference, Row},
    subject::{Dash, Place},
};

const DASHBOARD: &str = "/dashboards/this-machine";
const PATHS: [&str; 2] = ["/", DASHBOARD];
/// Of the browser's processor.
const SLOWDOWN: u32 = 4;
/// The chart library, which the goal leaves out.
const CHARTS: &str = "/pkg/charts.js";

/// What `first-load.mjs` answers, times in milliseconds.
#[derive(Deserialize)]
struct Visit {
    version: String,
    loads: BTreeMap<String, Load>,
    clicked: usize,
    interactions: Vec<f64>,
}

#[derive(Deserialize)]
struct Load {
    resources: Vec<Resource>,
    lcp: f64,
    /// The same without its scripts.
    unscripted: f64,
}

#[derive(Deserialize)]
struct Resource {
    path: String,
    status: u16,
    encoding: String,
    bytes: f64,
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let server = Place::Core(cores::SUBJECT);
    let dash = Dash::start(ctx, server, server, &[("DASH_DEMO", "1")]).await?;
    let options = json!({
        "url": format!("http://{}", dash.address), "paths": PATHS, "clicks": DASHBOARD, "slowdown": SLOWDOWN,
    });
    let mut visits: Vec<Visit> = Vec::new();
    for run in 0..ctx.runs {
        ctx.say(&format!("run {} of {}", run + 1, ctx.runs));
        visits.push(browser::run(ctx, "first-load", &options).await?);
    }
    dash.stop().await?;

    let mut rows = Vec::new();
    for path in PATHS {
        rows.push(size(path, &visits)?);
    }
    for path in PATHS {
        rows.push(paint(path, &visits)?);
    }
    rows.push(clicks(&visits));
    Ok(rows)
}

fn loads<'v>(path: &str, visits: &'v [Visit]) -> anyhow::Result<Vec<&'v Load>> {
    let of = visits.iter().map(|v| v.loads.get(path));
    of.collect::<Option<_>>()
        .with_context(|| format!("{path} was not loaded"))
}

fn size(path: &str, visits: &[Visit]) -> anyhow::Result<Row> {
    let loads = loads(path, visits)?;
    for resource in loads.iter().flat_map(|l| &l.resources) {
        ensure!(
            resource.status == 200,
            "{} was answered {}",
            resource.path,
            resource.status
        );
        ensure!(
            resource.encoding == "br",
            "{} came as {:?}, not in brotli: is this site a release? `make release` builds it",
            resource.path,
            resource.encoding
        );
    }
    let kilobytes = |load: &Load, keep: fn(&Resource) -> bool| {
        load.resources.iter().filter(|r| keep(r)).map(|r| r.bytes).sum::<f64>() / 1_000.0
    };
    let last = loads.last().context("no run")?;
    let each: Vec<_> = last
        .resources
        .iter()
        .map(|r| format!("{} {:.1}", r.path, r.bytes / 1_000.0))
        .collect();
    Ok(Row {
        row: "first-load",
        what: format!("all that a first visit of {path} loads, without ECharts"),
        unit: "KB",
        better: Better::Lower,
        durability: Durability::None,
        runs: loads.iter().map(|l| kilobytes(l, |r| r.path != CHARTS)).collect(),
        reference: None,
        goal: Some(Goal::Figure(300.0)),
        notes: vec![
            format!(
                "as it came over the wire, headers included; with ECharts {:.0} KB",
                kilobytes(last, |_| true)
            ),
            format!("KB: {}", each.join(", ")),
        ],
        left_out: vec!["what the socket brings".into()],
    })
}

fn paint(path: &str, visits: &[Visit]) -> anyhow::Result<Row> {
    let loads = loads(path, visits)?;
    let version = visits.first().map_or("", |v| v.version.as_str());
    Ok(Row {
        row: "first-load",
        what: format!("largest contentful paint of {path}, processor {SLOWDOWN}x slower"),
        unit: "ms",
        better: Better::Lower,
        durability: Durability::None,
        runs: loads.iter().map(|l| l.lcp).collect(),
        reference: Some(Reference {
            what: "the same page without its scripts".into(),
            durability: Durability::None,
            runs: loads.iter().map(|l| l.unscripted).collect(),
        }),
        goal: Some(Goal::Figure(1_000.0)),
        notes: vec![format!(
            "{version}, empty cache, 1440x900, from the start of the navigation; server and browser each on a core"
        )],
        left_out: vec![
            "a network: everything comes over the loopback; and charts, since a canvas is nothing that the metric counts".into(),
        ],
    })
}

fn clicks(visits: &[Visit]) -> Row {
    let all: Vec<_> = visits.iter().flat_map(|v| v.interactions.iter().copied()).collect();
    let clicked: usize = visits.iter().map(|v| v.clicked).sum();
    Row {
        row: "first-load",
        what: format!("interaction to next paint on {DASHBOARD}, processor {SLOWDOWN}x slower"),
        unit: "ms",
        better: Better::Lower,
        durability: Durability::None,
        // Of fewer than fifty interactions the slowest is what the metric means.
        runs: visits.iter().filter_map(|v| quantile(&v.interactions, 1.0)).collect(),
        reference: None,
        goal: Some(Goal::Figure(100.0)),
        notes: vec![format!(
            "{clicked} clicks on ranges of time, on the form for others and on colours, while the dashboard is live; of each visit the slowest; \
             half of all took {:.0} ms or less, where those of less than 16 ms are not told",
            quantile(&all, 0.5).unwrap_or(0.0)
        )],
        left_out: vec![],
    }
}
