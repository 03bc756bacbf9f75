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
    data::quantiles::quantile,
    row::{Better, Durability, Goal, Reference, Row},
    subject::{Dash, Place},
};

/// The demo's pipeline for events of one's own; its dashboard has the same name.
const PIPELINE: &str = "your-data";
/// Probes of all runs together, enough for a 99th percentile.
const PROBES: usize = 100;
/// How many before them are not counted.
const WARMUP: usize = 3;
/// Value of the first probe; the load's are lower.
const FIRST: usize = 101;
/// Mean milliseconds between two probes of an idle server: the least of it is more than Dash waits between two states of a topic, so that no
/// probe waits for the one before.
const IDLE_INTERVAL: u32 = 450;
/// Where the load is what makes every state new.
const LOADED_INTERVAL: u32 = 180;
/// Of a run of the reference, which waits for nothing.
const BARE_PROBES: usize = 12;
const BARE_INTERVAL: u32 = 120;

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

/// What else the server does.
#[derive(Clone, Copy, PartialEq)]
enum Under {
    Nothing,
    /// Half load into another pipeline than the one that is looked at.
    Beside,
    /// Half load into the same.
    Same,
}

impl Under {
    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "idle",
            Self::Beside => "half load on another pipeline",
            Self::Same => "half load on the same pipeline",
        }
    }

    fn interval(self) -> u32 {
        match self {
            Self::Nothing | Self::Beside => IDLE_INTERVAL,
            Self::Same => LOADED_INTERVAL,
        }
    }
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let dash = Dash::start(ctx, Place::Anywhere, Place::Anywhere, &[("DASH_DEMO", "1")]).await?;
    let looked_at = demo(&dash)?;
    let other = dash.pipeline(&load::definition())?;
    let (bare, address, _log) = fanout::bare(ctx, Place::Anywhere).await?;

    let probes = PROBES.div_ceil(ctx.runs.max(1));
    let mut first = FIRST;
    // Acknowledged by the pipeline that is looked at, and by the other.
    let (mut sent, mut beside) = (0, 0);
    let (mut rows, mut reference) = (Vec::new(), Vec::new());
    for under in [Under::Nothing, Under::Beside, Under::Same] {
        let load = match under {
            Under::Nothing => None,
            Under::Beside => Some(Load::start(ctx, &dash, &other).await?),
            Under::Same => Some(Load::start(ctx, &dash, &looked_at).await?),
        };
        let mut own = Vec::new();
        // Which pipeline the load goes into is nothing to the reference: it is measured once for both, or the row takes too long.
        if under != Under::Same {
            reference.clear();
        }
        for run in 0..ctx.runs {
            ctx.say(&format!("{}, run {} of {}", under.words(), run + 1, ctx.runs));
            let options = json!({
                "url": format!("http://{}", dash.address), "path": format!("/dashboards/{PIPELINE}"), "dash": true,
                "post": format!("/api/v1/ingest/{PIPELINE}"), "key": looked_at.ingest_key,
                "first": first, "probes": probes, "warmup": WARMUP, "interval": under.interval(),
            });
            let seen: Seen = browser::run(ctx, "freshness", &options).await?;
            sent += seen.sent;
            own.push(seen);
            first += WARMUP + probes;
            if under == Under::Same {
                continue;
            }
            let options = json!({
                "url": format!("http://{address}"), "path": "/", "dash": false, "post": "/send", "key": "none",
                "first": FIRST, "probes": BARE_PROBES, "warmup": WARMUP, "interval": BARE_INTERVAL,
            });
            reference.push(browser::run(ctx, "freshness", &options).await?);
        }
        let load = match load {
            Some(load) => Some(load.stop().await?),
            None => None,
        };
        let events = load.as_ref().map_or(0, |load| load.events);
        match under {
            Under::Beside => beside += events,
            Under::Nothing | Under::Same => sent += events,
        }
        rows.extend(told(under, &own, &reference, load.as_ref()));
    }
    for (pipeline, acknowledged) in [(&looked_at, sent), (&other, beside)] {
        dash.drained(pipeline, acknowledged).await?;
        dash.check(pipeline, acknowledged, 1).await?;
    }
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

fn told(under: Under, own: &[Seen], bare: &[Seen], load: Option<&load::Applied>) -> [Row; 2] {
    let charts = all(own, |s| &s.chart);
    let numbers = all(own, |s| &s.number);
    let of = |figures: &[f64], q| quantile(figures, q).unwrap_or(f64::NAN);
    let error = own.iter().chain(bare).map(|s| s.error).fold(0.0, f64::max);
    let version = own.first().map_or("", |s| s.version.as_str());

    let row = |what: &str, runs: Vec<f64>, reference: Vec<f64>, goal: f64| Row {
        row: "freshness",
        what: format!("send() to the painted frame, {}, {what}", under.words()),
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
             until the line chart of a dashboard of five widgets shows it. {version} and all senders share one of the cores of the server and PostgreSQL",
            charts.len(),
            under.interval()
        ),
        "the frame counts as painted when the frame after it begins: up to 17 ms more than it took".into(),
        format!("sender's and page's clock are compared before and after; they can be wrong by {error:.1} ms"),
        format!(
            "the number beside the chart: p50 {:.0} ms, p99 {:.0} ms",
            of(&numbers, 0.5),
            of(&numbers, 0.99)
        ),
    ];
    if under == Under::Same {
        middle
            .notes
            .push("the reference's figures are those of half load on another pipeline".into());
    }
    if let Some(load) = load {
        middle.notes.push(format!(
            "load: {} events/s in batches of {}, open loop, {} in all, {} times told to wait",
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
