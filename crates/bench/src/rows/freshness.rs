//! From sending an event until Chromium has painted the chart that shows it.

mod load;

use std::collections::BTreeMap;

use anyhow::Context as _;
use dash_model::{PipelineId, pipeline::CreatedPipeline};
use serde::Deserialize;
use serde_json::json;

use self::load::Load;
use super::fanout;
use crate::{
    browser,
    context::Context,
    cores,
    data::quantiles::quantile,
    row::{Better, Durability, Goal, Reference, Row},
    subject::{Dash, Place},
};

/// The demo's pipeline for events of one's own; its dashboard has the same name.
const PIPELINE: &str = "your-data";
/// Probes of all runs together, enough for a 99th percentile.
const PROBES: usize = 120;
/// How many before them are not counted.
const WARMUP: usize = 5;
/// Value of the first probe; the load's are lower.
const FIRST: usize = 101;
/// Mean milliseconds between two probes of an idle server: the least of it is more than Dash waits between two states of a topic, so that no
/// probe waits for the one before.
const IDLE_INTERVAL: u32 = 500;
/// Under load every state of a topic is new anyway.
const LOADED_INTERVAL: u32 = 250;
/// Of the reference, which waits for nothing.
const BARE_INTERVAL: u32 = 150;

/// What `freshness.mjs` answers, latencies in milliseconds.
#[derive(Deserialize)]
struct Seen {
    version: String,
    sent: u64,
    /// How wrong the clocks can make them.
    error: f64,
    #[serde(default)]
    chart: Vec<f64>,
    number: Vec<f64>,
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let server = Place::Core(cores::SUBJECT);
    let dash = Dash::start(ctx, server, server, &[("DASH_DEMO", "1")]).await?;
    let pipeline = demo(&dash)?;
    let (bare, address, _log) = fanout::bare(ctx, server).await?;

    let probes = PROBES.div_ceil(ctx.runs.max(1));
    let (mut sent, mut first) = (0, FIRST);
    let mut rows = Vec::new();
    for loaded in [false, true] {
        let load = match loaded {
            true => Some(Load::start(ctx, &dash, &pipeline).await?),
            false => None,
        };
        let (mut own, mut reference) = (Vec::new(), Vec::new());
        for run in 0..ctx.runs {
            let (how, interval) = match loaded {
                true => ("half load", LOADED_INTERVAL),
                false => ("idle", IDLE_INTERVAL),
            };
            ctx.say(&format!("{how}, run {} of {}", run + 1, ctx.runs));
            let options = json!({
                "url": format!("http://{}", dash.address), "path": format!("/dashboards/{PIPELINE}"), "dash": true,
                "post": format!("/api/v1/ingest/{PIPELINE}"), "key": pipeline.ingest_key,
                "first": first, "probes": probes, "warmup": WARMUP, "interval": interval,
            });
            let seen: Seen = browser::run(ctx, "freshness", &options).await?;
            sent += seen.sent;
            own.push(seen);
            let options = json!({
                "url": format!("http://{address}"), "path": "/", "dash": false, "post": "/send", "key": "none",
                "first": first, "probes": probes, "warmup": WARMUP, "interval": BARE_INTERVAL,
            });
            reference.push(browser::run(ctx, "freshness", &options).await?);
            first += WARMUP + probes;
        }
        let load = match load {
            Some(load) => Some(load.stop().await?),
            None => None,
        };
        sent += load.as_ref().map_or(0, |load| load.events);
        rows.extend(told(&own, &reference, load.as_ref()));
    }
    dash.drained(&pipeline, sent).await?;
    dash.check(&pipeline, sent, 1).await?;
    bare.stop().await?;
    dash.stop().await?;
    Ok(rows)
}

/// What the first start made: the key is in a file that only the server's owner reads.
fn demo(dash: &Dash) -> anyhow::Result<CreatedPipeline> {
    let path = dash.dir().join("data/demo-keys.json");
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let keys: BTreeMap<String, String> = serde_json::from_slice(&text)?;
    let ingest_key = keys.get(PIPELINE).context("the demo has no pipeline for this")?.clone();
    Ok(CreatedPipeline {
        // Nobody asks for it.
        id: PipelineId(uuid::Uuid::nil()),
        slug: PIPELINE.into(),
        ingest_key,
        signing_secret: None,
    })
}

fn told(own: &[Seen], bare: &[Seen], load: Option<&load::Applied>) -> [Row; 2] {
    let charts = all(own, |s| &s.chart);
    let numbers = all(own, |s| &s.number);
    let of = |figures: &[f64], q| quantile(figures, q).unwrap_or(f64::NAN);
    let how = match load {
        Some(_) => "at half load",
        None => "idle",
    };
    let error = own.iter().chain(bare).map(|s| s.error).fold(0.0, f64::max);
    let version = own.first().map_or("", |s| s.version.as_str());

    let row = |what: &str, runs: Vec<f64>, reference: Vec<f64>, goal: f64| Row {
        row: "freshness",
        what: format!("send() to the painted frame, {how}, {what}"),
        unit: "ms",
        better: Better::Lower,
        durability: Durability::D2,
        runs,
        reference: Some(Reference {
            what: "a page that writes what a bare socket brings".into(),
            durability: Durability::D0,
            runs: reference,
        }),
        goal: Some(Goal::Figure(goal)),
        notes: Vec::new(),
        left_out: Vec::new(),
    };
    let mut middle = row("p50", middles(own, |s| &s.chart), middles(bare, |s| &s.number), 50.0);
    let mut slow = row(
        "p99",
        vec![of(&charts, 0.99)],
        vec![of(&all(bare, |s| &s.number), 0.99)],
        250.0,
    );
    middle.notes = vec![
        format!(
            "{} events with a value of their own, one every {} ms on average at irregular times, whatever became of those before; \
             until the line chart of a dashboard of five widgets shows it. {version} on one core, server and PostgreSQL on the other",
            charts.len(),
            if load.is_some() { LOADED_INTERVAL } else { IDLE_INTERVAL }
        ),
        "the frame counts as painted when the frame after it begins: up to 17 ms more than it took".into(),
        format!("sender's and page's clock are compared before and after; they can be wrong by {error:.1} ms"),
        format!(
            "the number beside the chart: p50 {:.0} ms, p99 {:.0} ms",
            of(&numbers, 0.5),
            of(&numbers, 0.99)
        ),
    ];
    if let Some(load) = load {
        middle.notes.push(format!(
            "load: {} events/s in batches of {} into the same pipeline, open loop, {} in all, {} times told to wait",
            load.rate,
            load::BATCH,
            load.events,
            load.refused
        ));
    }
    slow.notes = vec![format!(
        "of all {} events together; slowest {:.0} ms",
        charts.len(),
        of(&charts, 1.0)
    )];
    middle.left_out = vec!["a network, and a screen: Chromium has none, and draws without a graphics card".into()];
    [middle, slow]
}

/// Latencies of all runs together.
fn all(runs: &[Seen], of: fn(&Seen) -> &Vec<f64>) -> Vec<f64> {
    runs.iter().flat_map(of).copied().collect()
}

/// The middle one of each run.
fn middles(runs: &[Seen], of: fn(&Seen) -> &Vec<f64>) -> Vec<f64> {
    runs.iter().filter_map(|seen| quantile(of(seen), 0.5)).collect()
}
