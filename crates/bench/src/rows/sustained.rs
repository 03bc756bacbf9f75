//! The highest rate at which everything keeps up: acknowledged, in Bronze, in Silver, and on the chart of somebody who watches.

mod lag;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use dash_model::{
    live::Topic,
    query::{Aggregation, MetricQuery, QuerySpec, Shape, TagFilter, TimeRange},
};

use self::lag::{Lag, Watch};
use super::{
    fanout::viewers::{Follow, Viewers},
    servers::{Own, WARMUP},
};
use crate::{
    context::Context,
    drive::{Load, Measured},
    events::{Bodies, DEVICES, Form, METRICS},
    row::{Better, Durability, Goal, Row},
    subject::{Cpu, Place},
};

/// Events a second that are tried, from the goal upwards while they are kept up with, else downwards.
const GOAL: u64 = 100_000;
const UP: [u64; 5] = [150_000, 200_000, 250_000, 300_000, 400_000];
const DOWN: [u64; 6] = [80_000, 60_000, 45_000, 30_000, 20_000, 10_000];
/// For finding the rate; the one that is told is held for longer.
const TRIAL: Duration = Duration::from_secs(10);
const CONNECTIONS: usize = 16;
const BODIES: u64 = 64;
/// The row is to take less than four minutes.
const BUDGET: Duration = Duration::from_secs(225);
/// Requests are answered in time when the last answer comes this much after the last request was due.
const LATE: Duration = Duration::from_secs(1);

/// A rate that was applied.
struct Applied {
    rate: u64,
    measured: Measured,
    lag: Lag,
    /// From the last answer until Silver and Bronze had everything.
    silver: Duration,
    bronze: Duration,
    /// Over the load alone.
    cpu: Cpu,
    patches: u64,
    kept_up: bool,
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let begun = Instant::now();
    let bodies = Bodies::batches(Form::Json, BODIES);
    let own = Own::on(ctx, &bodies, Place::Anywhere, Place::Anywhere).await?;
    let load = own.load(CONNECTIONS);
    let mut acknowledged = load.closed(&ctx.senders, WARMUP).await?.events;
    own.settle(acknowledged).await?;
    let mut viewers = Viewers::new(
        own.dash.address,
        "/api/live",
        Follow::Topic {
            topic: chart(&own.pipeline.slug),
            key: own.dash.reader()?.to_owned(),
        },
        1,
    );
    viewers.open(&ctx.senders, 1).await?;

    let mut try_for = async |rate: u64, duration: Duration| {
        ctx.say(&format!("{rate} events/s for {:.0} s", duration.as_secs_f64()));
        let applied = apply(ctx, &own, &load, &viewers, rate, duration, acknowledged).await?;
        acknowledged += applied.measured.events;
        let words = if applied.kept_up { "kept up" } else { "fell behind" };
        ctx.say(&format!("    {words}: {}", applied.lag.words()));
        anyhow::Ok(applied)
    };
    let trial = TRIAL.min(ctx.sustained);
    let mut candidates = Vec::new();
    if try_for(GOAL, trial).await?.kept_up {
        candidates.push(GOAL);
        for rate in UP {
            if !try_for(rate, trial).await?.kept_up {
                break;
            }
            candidates.push(rate);
        }
    } else {
        let mut lower = DOWN.into_iter();
        for rate in lower.by_ref() {
            if try_for(rate, trial).await?.kept_up {
                candidates.push(rate);
                break;
            }
        }
    }
    // Held for long, from the highest that was kept up with for a moment; a lower one when it turns out to be too much.
    let top = candidates.pop().context("not even the lowest rate was kept up with")?;
    let rest = candidates
        .into_iter()
        .rev()
        .chain(DOWN.into_iter().filter(|r| *r < top.min(GOAL)));
    let mut held = try_for(top, ctx.sustained).await?;
    let mut fell = Vec::new();
    for rate in rest {
        if held.kept_up || begun.elapsed() + ctx.sustained.mul_f64(1.3) > BUDGET {
            break;
        }
        fell.push(held.rate);
        held = try_for(rate, ctx.sustained).await?;
    }
    anyhow::ensure!(
        held.kept_up,
        "{} events/s were kept up with for {trial:?} and not for {:?}: {}",
        held.rate,
        ctx.sustained,
        held.lag.words()
    );
    let peak = own.dash.process().peak_memory()? as f64 / 1e6;
    drop(viewers);
    own.dash.stop().await?;
    Ok(vec![told(ctx, &bodies, &held, &fell, peak)])
}

async fn apply(
    ctx: &Context,
    own: &Own,
    load: &Arc<Load>,
    viewers: &Viewers,
    rate: u64,
    duration: Duration,
    before: u64,
) -> anyhow::Result<Applied> {
    let (cpu, patches) = (own.dash.cpu()?, viewers.received().messages);
    let watch = Watch::start(&own.dash, &own.pipeline);
    let requests = rate as f64 / load.requests.events as f64;
    let (measured, lag) = tokio::join!(load.open(&ctx.senders, duration, requests), watch.during(duration));
    let (measured, lag, ended) = (measured?, lag?, Instant::now());
    let cpu = own.dash.cpu()?.since(cpu);
    let patches = viewers.received().messages - patches;
    let all = before + measured.events;
    let drained = own.dash.drained(&own.pipeline, all).await?;
    own.dash.check(&own.pipeline, all, METRICS.len() as u64).await?;
    let kept_up = !lag.grows() && measured.refused == 0 && measured.elapsed < duration + LATE && patches > 0;
    Ok(Applied {
        rate,
        measured,
        lag,
        silver: drained.silver.saturating_duration_since(ended),
        bronze: drained.bronze.saturating_duration_since(ended),
        cpu,
        patches,
        kept_up,
    })
}

/// What a widget asks: four devices of the last quarter of an hour.
fn chart(pipeline: &str) -> Topic {
    Topic::Query(QuerySpec {
        query: MetricQuery {
            pipeline: pipeline.to_owned(),
            metric: METRICS[0].to_owned(),
            agg: Aggregation::Avg,
            by: vec!["device".to_owned()],
            only: vec![TagFilter {
                tag: "device".to_owned(),
                values: (0..4).map(|n| format!("device-{n:04}")).collect(),
            }],
        },
        range: TimeRange::Last { seconds: 900 },
        shape: Shape::Series { width: 800 },
    })
}

fn told(ctx: &Context, bodies: &Bodies, held: &Applied, fell: &[u64], peak: f64) -> Row {
    let seconds = held.measured.elapsed.as_secs_f64();
    let busy = |time: Duration| time.as_secs_f64() / seconds;
    let mut notes = vec![
        format!(
            "open loop for {:.0} s: requests of {DEVICES} events of {:.0} bytes are due at fixed times on {CONNECTIONS} connections; the highest rate of a ladder \
             whose lag did not grow (the least of the last quarter beside that of the second one, of {} looks)",
            ctx.sustained.as_secs_f64(),
            bodies.event_bytes(),
            held.lag.looks(),
        ),
        format!(
            "lag at the end, the age of the oldest event that is still to be done: {}; drained after the last answer: Silver {:.1} s, Bronze {:.1} s; counts were equal",
            held.lag.words(),
            held.silver.as_secs_f64(),
            held.bronze.as_secs_f64(),
        ),
        format!(
            "one viewer of a chart of 4 series over 15 minutes got {} patches, {:.1} a second",
            held.patches,
            held.patches as f64 / seconds
        ),
        format!(
            "nothing is pinned but the senders; cores busy: server {:.2}, PostgreSQL {:.2}, senders {:.2}; peak memory of the server process {peak:.0} MB",
            busy(held.cpu.own),
            busy(held.cpu.children),
            held.measured.senders_busy(),
        ),
    ];
    if !fell.is_empty() {
        let rates: Vec<_> = fell.iter().map(u64::to_string).collect();
        notes.push(format!(
            "kept up with for a moment, and not for {:.0} s: {} events/s",
            ctx.sustained.as_secs_f64(),
            rates.join(", ")
        ));
    }
    Row {
        row: "sustained",
        what: format!(
            "events acknowledged, in Bronze, in Silver and on a live chart, {:.0} s, lag bounded",
            ctx.sustained.as_secs_f64()
        ),
        unit: "events/s",
        better: Better::Higher,
        durability: Durability::D2,
        runs: vec![held.measured.events_per_second()],
        reference: None,
        goal: Some(Goal::Figure(GOAL as f64)),
        notes,
        left_out: vec![
            "no reference: nothing at hand does all of this; one run, since it takes a minute".into(),
            "senders and PostgreSQL share the cores with the server; the lake is a directory".into(),
        ],
    }
}
