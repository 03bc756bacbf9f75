//! One event a request: what a webhook does.

use std::time::Duration;

use super::servers::{self, Both, Other, Own, WARMUP, beside};
use crate::{
    context::Context,
    cores,
    drive::{Load, Measured},
    row::{Better, Durability, Goal, Row, median},
    subject::Rival,
};

const CONNECTIONS: [usize; 2] = [64, 256];
/// Steps of events that differ by more than their times.
const STEPS: u64 = 4;

/// What one server showed in one run.
#[derive(Clone, Copy, Default)]
struct Run {
    /// Requests a second, with each of [`CONNECTIONS`].
    rate: [f64; 2],
    /// Milliseconds, at half of the rate with the most.
    p50: f64,
    p99: f64,
    /// Requests a second that were due then.
    due: f64,
    /// Cores busy with the most: server, its children, senders.
    busy: [f64; 3],
    refused: u64,
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let both = Both::singles(STEPS);
    let mut own = Vec::new();
    let mut others: Vec<(Rival, Vec<Run>)> = servers::rivals().into_iter().map(|r| (r, Vec::new())).collect();
    for nth in 1..=ctx.runs {
        ctx.say(&format!("run {nth} of {}: Dash", ctx.runs));
        own.push(measure_own(ctx, &both).await?);
        for (rival, runs) in &mut others {
            ctx.say(&format!("run {nth} of {}: {}", ctx.runs, rival.label()));
            runs.push(measure_other(ctx, *rival, &both).await?);
        }
    }
    Ok(told(ctx, &own, &others, &both))
}

async fn measure_own(ctx: &Context, both: &Both) -> anyhow::Result<Run> {
    let own = Own::start(ctx, &both.json).await?;
    let cpu = || own.dash.cpu().map(|c| (c.own, c.children));
    let (run, events) = measure(ctx, |connections| own.load(connections), cpu).await?;
    own.settle(events).await?;
    own.dash.stop().await?;
    Ok(run)
}

async fn measure_other(ctx: &Context, rival: Rival, both: &Both) -> anyhow::Result<Run> {
    let other = Other::start(ctx, rival, &both.lines).await?;
    let cpu = || other.running.process().cpu().map(|c| (c.own, c.children));
    let (run, events) = measure(ctx, |connections| other.load(connections), cpu).await?;
    other.settle(events).await?;
    other.running.stop().await?;
    Ok(run)
}

/// Also how many events were acknowledged in all.
async fn measure(
    ctx: &Context,
    load: impl Fn(usize) -> std::sync::Arc<Load>,
    cpu: impl Fn() -> anyhow::Result<(Duration, Duration)>,
) -> anyhow::Result<(Run, u64)> {
    // Three loads in the time of one and a half.
    let each = ctx.seconds / 2;
    let mut run = Run::default();
    let mut events = load(CONNECTIONS[1]).closed(&ctx.senders, WARMUP).await?.events;
    let mut took = |measured: &Measured| {
        events += measured.events;
        measured.refused
    };
    for (i, connections) in CONNECTIONS.into_iter().enumerate() {
        let before = cpu()?;
        let measured = load(connections).closed(&ctx.senders, each).await?;
        let after = cpu()?;
        run.rate[i] = measured.events_per_second();
        run.refused += took(&measured);
        let share = |time: Duration| time.as_secs_f64() / measured.elapsed.as_secs_f64();
        run.busy = [
            share(after.0.saturating_sub(before.0)),
            share(after.1.saturating_sub(before.1)),
            measured.senders_busy(),
        ];
    }
    run.due = run.rate[1] / 2.0;
    let mut measured = load(CONNECTIONS[1]).open(&ctx.senders, each, run.due).await?;
    run.refused += took(&measured);
    run.p50 = measured.latencies.quantile(0.5).unwrap_or(f64::NAN);
    run.p99 = measured.latencies.quantile(0.99).unwrap_or(f64::NAN);
    Ok((run, events))
}

fn told(ctx: &Context, own: &[Run], others: &[(Rival, Vec<Run>)], both: &Both) -> Vec<Row> {
    let mut rows = Vec::new();
    for rival in Rival::ALL {
        let found = others
            .iter()
            .find(|(r, _)| *r == rival)
            .map(|(_, runs)| runs.as_slice());
        for (i, connections) in CONNECTIONS.into_iter().enumerate() {
            let find = |run: &Run| run.rate[i];
            let row = Row {
                what: format!("events acknowledged, one a request, {connections} connections, server on one core"),
                goal: Some(Goal::Figure(25_000.0)),
                ..row("events/s", Better::Higher, own.iter().map(find).collect())
            };
            rows.push(beside(row, rival, found.unwrap_or_default().iter().map(find).collect()));
        }
        for (name, goal, find) in [
            ("p50", None, (|run| run.p50) as fn(&Run) -> f64),
            ("p99", Some(Goal::Figure(15.0)), |run| run.p99),
        ] {
            let row = Row {
                what: format!("{name} of the acknowledgement at half of that rate"),
                goal,
                ..row("ms", Better::Lower, own.iter().map(find).collect())
            };
            rows.push(beside(row, rival, found.unwrap_or_default().iter().map(find).collect()));
        }
    }
    if let Some(first) = rows.first_mut() {
        first.notes = notes(ctx, own, others);
        first.left_out = servers::left_out(both);
    }
    rows
}

fn row(unit: &'static str, better: Better, runs: Vec<f64>) -> Row {
    Row {
        row: "single",
        what: String::new(),
        unit,
        better,
        durability: Durability::D2,
        runs,
        reference: None,
        goal: None,
        notes: Vec::new(),
        left_out: Vec::new(),
    }
}

fn notes(ctx: &Context, own: &[Run], others: &[(Rival, Vec<Run>)]) -> Vec<String> {
    let of =
        |runs: &[Run], find: fn(&Run) -> f64| median(&runs.iter().map(find).collect::<Vec<_>>()).unwrap_or_default();
    let mut notes = vec![format!(
        "closed loop for {:.1} s with each number of connections; then, on {} connections, open loop: requests are due at half of the server's own rate with {}, \
         and a latency begins when its request was due",
        (ctx.seconds / 2).as_secs_f64(),
        CONNECTIONS[1],
        CONNECTIONS[1],
    )];
    notes.extend(servers::notes());
    let mut all = vec![("Dash", own)];
    all.extend(others.iter().map(|(rival, runs)| (rival.label(), runs.as_slice())));
    for (label, runs) in all {
        let [server, children, senders] =
            [0, 1, 2].map(|i| median(&runs.iter().map(|r| r.busy[i]).collect::<Vec<_>>()).unwrap_or_default());
        let refused: u64 = runs.iter().map(|r| r.refused).sum();
        let mut text = format!(
            "{label}: due {:.0} a second in the open loop; cores busy with {} connections: server {server:.2}, its children {children:.2}, senders {senders:.2}",
            of(runs, |r| r.due),
            CONNECTIONS[1],
        );
        if cores::apart() && children + senders > 0.95 {
            text.push_str("; the load's core was full, so the figure is a lower bound");
        }
        if refused > 0 {
            text.push_str(&format!(
                "; {refused} answers were 429 or 503 and their requests sent again"
            ));
        }
        notes.push(text);
    }
    notes
}
