//! Batches of 1,000 JSON events, acknowledged when they are flushed.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::servers::{self, Both, Other, Own, WARMUP, beside};
use crate::{
    context::Context,
    cores,
    events::Bodies,
    row::{Better, Durability, Goal, Reference, Row, median},
    subject::{Cpu, Rival},
};

const CONNECTIONS: usize = 8;
/// Bodies that differ by more than their times.
const BODIES: u64 = 64;
/// A segment of the spool, and most bytes of one of its commits.
const SEGMENT_BYTES: u64 = 64 << 20;

#[derive(Default)]
struct Runs {
    own: Vec<OwnRun>,
    bare: Vec<f64>,
    others: Vec<(Rival, Vec<OtherRun>)>,
}

struct OwnRun {
    rate: f64,
    /// Events for each second of the server's processor, until all had drained.
    for_cpu: f64,
    /// The same with PostgreSQL's.
    for_all_cpu: f64,
    peak: f64,
    /// Cores busy while it was acknowledged: server, PostgreSQL, senders.
    busy: [f64; 3],
    refused: u64,
    /// After the last answer.
    drain: Duration,
}

struct OtherRun {
    rate: f64,
    for_cpu: f64,
    peak: f64,
    senders: f64,
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let both = Both::batches(BODIES);
    let mut runs = Runs {
        others: servers::rivals().into_iter().map(|r| (r, Vec::new())).collect(),
        ..Runs::default()
    };
    for nth in 1..=ctx.runs {
        ctx.say(&format!("run {nth} of {}: Dash", ctx.runs));
        runs.own.push(own(ctx, &both).await?);
        runs.bare.push(bare(ctx, &both.json).await?);
        for (rival, measured) in &mut runs.others {
            ctx.say(&format!("run {nth} of {}: {}", ctx.runs, rival.label()));
            measured.push(other(ctx, *rival, &both).await?);
        }
    }
    Ok(told(&runs, &both))
}

async fn own(ctx: &Context, both: &Both) -> anyhow::Result<OwnRun> {
    let own = Own::start(ctx, &both.json).await?;
    let load = own.load(CONNECTIONS);
    let warm = load.closed(&ctx.senders, WARMUP).await?;
    own.settle(warm.events).await?;
    let before = own.dash.cpu()?;
    let begun = Instant::now();
    let measured = load.closed(&ctx.senders, ctx.seconds).await?;
    let during = own.dash.cpu()?.since(before);
    own.settle(warm.events + measured.events).await?;
    let drain = begun.elapsed().saturating_sub(measured.elapsed);
    let Cpu { own: server, children } = own.dash.cpu()?.since(before);
    let peak = own.dash.process().peak_memory()?;
    own.dash.stop().await?;
    let (events, seconds) = (measured.events as f64, measured.elapsed.as_secs_f64());
    Ok(OwnRun {
        rate: measured.events_per_second(),
        for_cpu: events / server.as_secs_f64(),
        for_all_cpu: events / (server + children).as_secs_f64(),
        peak: peak as f64 / 1e6,
        busy: [
            during.own.as_secs_f64() / seconds,
            during.children.as_secs_f64() / seconds,
            measured.senders_busy(),
        ],
        refused: measured.refused,
        drain,
    })
}

async fn other(ctx: &Context, rival: Rival, both: &Both) -> anyhow::Result<OtherRun> {
    let other = Other::start(ctx, rival, &both.lines).await?;
    let load = other.load(CONNECTIONS);
    let warm = load.closed(&ctx.senders, WARMUP).await?;
    let before = other.running.process().cpu()?;
    let measured = load.closed(&ctx.senders, ctx.seconds).await?;
    let cpu = other.running.process().cpu()?.since(before);
    let peak = other.running.process().peak_memory()?;
    other.settle(warm.events + measured.events).await?;
    other.running.stop().await?;
    Ok(OtherRun {
        rate: measured.events_per_second(),
        for_cpu: measured.events as f64 / cpu.own.as_secs_f64(),
        peak: peak as f64 / 1e6,
        senders: measured.senders_busy(),
    })
}

/// The same bodies, appended and flushed, as many at once as can wait together: the most that this disk can acknowledge.
async fn bare(ctx: &Context, bodies: &Bodies) -> anyhow::Result<f64> {
    let dir = ctx.scratch("bare")?;
    let file = dir.path().join("bare");
    // As long as the spool's runs would be too long: it is steady after a second.
    let duration = ctx.seconds.min(Duration::from_secs(2));
    let groups: Vec<Vec<u8>> = bodies
        .texts()
        .collect::<Vec<_>>()
        .chunks(CONNECTIONS)
        .map(<[&[u8]]>::concat)
        .collect();
    let written = tokio::task::spawn_blocking(move || write_and_sync(&file, &groups, duration)).await??;
    drop(dir);
    Ok(written / bodies.event_bytes())
}

/// Bytes a second.
fn write_and_sync(path: &Path, groups: &[Vec<u8>], duration: Duration) -> anyhow::Result<f64> {
    let mut file = File::create(path).with_context(|| path.display().to_string())?;
    let (mut length, mut bytes) = (0, 0_u64);
    let begun = Instant::now();
    for group in groups.iter().cycle() {
        if begun.elapsed() >= duration {
            break;
        }
        if length + group.len() as u64 > SEGMENT_BYTES {
            (file, length) = (File::create(path)?, 0);
        }
        file.write_all(group)?;
        file.sync_data()?;
        length += group.len() as u64;
        bytes += group.len() as u64;
    }
    Ok(bytes as f64 / begun.elapsed().as_secs_f64())
}

fn told(runs: &Runs, both: &Both) -> Vec<Row> {
    let of = |find: fn(&OwnRun) -> f64| runs.own.iter().map(find).collect::<Vec<_>>();
    let size = both.json.event_bytes();
    let mut notes = vec![format!(
        "{CONNECTIONS} connections, each sends when it is answered; 1,000 events of {size:.0} bytes a request, no two with device and time in common; 1 s of warm-up"
    )];
    notes.extend(servers::notes());
    notes.push(busy(runs));
    let acknowledged = Row {
        row: "ingest",
        what: "JSON events acknowledged, server on one core".into(),
        unit: "events/s",
        better: Better::Higher,
        durability: Durability::D2,
        runs: of(|r| r.rate),
        reference: Some(Reference {
            what: "bare write and fdatasync of the same bytes, 8 requests at once".into(),
            durability: Durability::D2,
            runs: runs.bare.clone(),
        }),
        goal: Some(Goal::Figure(150_000.0)),
        notes,
        left_out: [
            vec!["what is acknowledged a second, not what is in Silver by then: the spool holds the difference, and the row `sustained` says at which rate there is none".into()],
            servers::left_out(both),
        ]
        .concat(),
    };
    let without = Row {
        reference: None,
        notes: Vec::new(),
        left_out: Vec::new(),
        goal: None,
        ..acknowledged.clone()
    };
    let for_cpu = Row {
        what: "the same for each second of the server's processor, until all are in Bronze and Silver".into(),
        runs: of(|r| r.for_cpu),
        notes: vec![format!(
            "for each second of processor time, PostgreSQL's included and until all have drained: {:.0} events",
            median(&of(|r| r.for_all_cpu)).unwrap_or_default()
        )],
        left_out: vec![
            "the others' processor time ends with the last answer: what they merge later is not in it".into(),
        ],
        ..without.clone()
    };
    let peak = Row {
        what: "peak memory of the server process meanwhile (VmHWM)".into(),
        unit: "MB",
        better: Better::Lower,
        durability: Durability::None,
        runs: of(|r| r.peak),
        notes: vec![
            "what bounds it: DASH_INGEST_MEMORY 256 MiB, DASH_SPOOL_QUEUE 128 MiB and DASH_LAKE_BUFFER 256 MiB, all at their defaults, whatever the load".into(),
        ],
        left_out: vec!["memory of PostgreSQL's processes".into()],
        ..without.clone()
    };
    let mut rows = vec![acknowledged];
    for rival in Rival::ALL {
        let found = runs.others.iter().find(|(r, _)| *r == rival).map(|(_, runs)| runs);
        let of = |find: fn(&OtherRun) -> f64| found.map_or(Vec::new(), |r| r.iter().map(find).collect());
        let goal = match rival {
            Rival::Influx => 1.0,
            Rival::Victoria => 0.5,
        };
        let row = Row {
            goal: Some(Goal::Ratio(goal)),
            ..without.clone()
        };
        rows.push(beside(row, rival, of(|r| r.rate)));
        rows.push(beside(for_cpu.clone(), rival, of(|r| r.for_cpu)));
        let mut memory = beside(peak.clone(), rival, of(|r| r.peak));
        if let Some(reference) = &mut memory.reference {
            reference.durability = Durability::None;
        }
        rows.push(memory);
    }
    // Acknowledged first, then for the processor, then memory.
    rows.sort_by_key(|row| (row.unit == "MB", row.what == for_cpu.what));
    rows
}

fn busy(runs: &Runs) -> String {
    let own = |nth: usize| median(&runs.own.iter().map(|r| r.busy[nth]).collect::<Vec<_>>()).unwrap_or_default();
    let drain = runs.own.iter().map(|r| r.drain.as_secs_f64()).collect::<Vec<_>>();
    let refused: u64 = runs.own.iter().map(|r| r.refused).sum();
    let mut text = format!(
        "cores busy while Dash acknowledges: server {:.2}, PostgreSQL {:.2}, senders {:.2}; all had drained {:.1} s after the last answer",
        own(0),
        own(1),
        own(2),
        median(&drain).unwrap_or_default()
    );
    for (rival, measured) in &runs.others {
        let senders = median(&measured.iter().map(|r| r.senders).collect::<Vec<_>>()).unwrap_or_default();
        text.push_str(&format!("; senders with {}: {senders:.2}", rival.label()));
    }
    if refused > 0 {
        text.push_str(&format!(
            "; {refused} answers were 429 or 503, whose requests waited {} ms and were sent again",
            crate::drive::REFUSED_PAUSE.as_millis()
        ));
    }
    // Where the load's core is full the figure is a lower bound.
    if cores::apart() && own(1) + own(2) > 0.95 {
        text.push_str("; the load's core was full, so Dash's figure is a lower bound");
    }
    text
}
