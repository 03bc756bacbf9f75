//! One change, many viewers: messages of a second of the server's processor, and memory of a viewer who sees nothing new.

mod bare;
mod ends;
pub mod viewers;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::time::{Instant, MissedTickBehavior, interval};

pub use self::{bare::serve as broadcast, ends::bare};

use self::{
    ends::End,
    viewers::{Follow, Viewers},
};
use crate::{
    context::Context,
    row::{Better, Durability, Goal, Reference, Row},
};

const FEW: usize = 1_000;
const MANY: usize = 10_000;
/// Files that a process with that many sockets opens beside them.
const OTHER_FILES: u64 = 1_000;
/// Shortest time between two changes. The next one waits for the last to have reached every viewer, so that a change is a message to each.
const EVERY: Duration = Duration::from_millis(100);
/// Of a server that has nothing to do, between two looks at its memory.
const LOOK: Duration = Duration::from_millis(500);
/// Memory that moves by less between two looks is at rest.
const REST: u64 = 256 << 10;

/// What one server showed in one run.
struct Run {
    /// Bytes of the process for each of the first [`FEW`], and of [`MANY`].
    idle: [f64; 2],
    /// Messages for each second of its processor's time, with so many.
    flow: [f64; 2],
    /// Messages a second that came of it.
    rate: [f64; 2],
    /// Bytes of a message.
    size: f64,
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let files = allow_files(MANY as u64 + OTHER_FILES)?;
    let (mut own, mut bare) = (Vec::new(), Vec::new());
    for run in 0..ctx.runs {
        ctx.say(&format!("run {} of {}, Dash", run + 1, ctx.runs));
        let (measured, sample) = measure_own(ctx).await.context("Dash")?;
        own.push(measured);
        ctx.say(&format!("run {} of {}, bare sockets", run + 1, ctx.runs));
        bare.push(measure_bare(ctx, sample).await.context("the bare server")?);
    }
    let mut rows = Vec::new();
    for (i, count) in [FEW, MANY].into_iter().enumerate() {
        rows.push(flow_row(i, count, &own, &bare));
    }
    for (i, count) in [FEW, MANY].into_iter().enumerate() {
        rows.push(idle_row(i, count, files, &own, &bare));
    }
    Ok(rows)
}

/// The limit of open files, as high as it may be raised; both ends of the sockets inherit it or have it.
fn allow_files(wanted: u64) -> anyhow::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    // Only who may raises the hard one.
    let raised = hard.max(wanted);
    if setrlimit(Resource::RLIMIT_NOFILE, raised, raised).is_err() {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    ensure!(
        soft >= wanted,
        "this process may open {soft} files and needs {wanted}: raise the limit (ulimit -n {wanted})"
    );
    Ok(soft)
}

async fn measure_own(ctx: &Context) -> anyhow::Result<(Run, bytes::Bytes)> {
    let end = End::dash(ctx).await?;
    let follow = Follow::Topic {
        topic: ends::topic(),
        key: end.reader()?,
    };
    // One viewer through everything once: what is made at the first use is not a viewer's.
    let mut first = Viewers::new(end.address(), "/api/live", follow.clone(), 1);
    first.open(&ctx.senders, 1).await?;
    for _ in 0..8 {
        change(&end, &mut first).await?;
    }
    let sample = first.sample().context("no patch came of eight events")?;
    drop(first);
    let viewers = Viewers::new(end.address(), "/api/live", follow, MANY);
    let run = measure(ctx, &end, viewers).await?;
    end.stop().await?;
    Ok((run, sample))
}

async fn measure_bare(ctx: &Context, message: bytes::Bytes) -> anyhow::Result<Run> {
    let end = End::bare(ctx, &message).await?;
    let viewers = Viewers::new(end.address(), "/live", Follow::Anything, MANY);
    let run = measure(ctx, &end, viewers).await?;
    end.stop().await?;
    Ok(run)
}

/// First all idle, then all told, then few of them: memory that messages once took is not counted as a viewer's.
async fn measure(ctx: &Context, end: &End, mut viewers: Viewers) -> anyhow::Result<Run> {
    let alone = at_rest(end).await?;
    viewers.open(&ctx.senders, FEW).await?;
    let few = at_rest(end).await?;
    viewers.open(&ctx.senders, MANY - FEW).await?;
    let many = at_rest(end).await?;
    let each = |bytes: u64, count: usize| bytes.saturating_sub(alone) as f64 / count as f64;

    let (flow_many, rate_many, _) = flow(ctx, end, &mut viewers).await?;
    viewers.keep(FEW).await?;
    let (flow_few, rate_few, size) = flow(ctx, end, &mut viewers).await?;
    Ok(Run {
        idle: [each(few, FEW), each(many, MANY)],
        flow: [flow_few, flow_many],
        rate: [rate_few, rate_many],
        size,
    })
}

/// Resident bytes, once they do not move any more.
async fn at_rest(end: &End) -> anyhow::Result<u64> {
    let mut before = end.memory()?;
    for _ in 0..20 {
        tokio::time::sleep(LOOK).await;
        let now = end.memory()?;
        if now.abs_diff(before) < REST {
            return Ok(now);
        }
        before = now;
    }
    Ok(before)
}

/// Changes for as long as the load is applied: messages of a second of processor time, messages a second, bytes of one.
async fn flow(ctx: &Context, end: &End, viewers: &mut Viewers) -> anyhow::Result<(f64, f64, f64)> {
    let mut due = interval(EVERY);
    due.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // One that is not counted: whatever sleeps wakes up.
    change(end, viewers).await?;
    viewers.agree().await?;
    let (received, cpu, begun) = (viewers.received(), end.cpu()?, Instant::now());
    while begun.elapsed() < ctx.seconds {
        due.tick().await;
        change(end, viewers).await?;
    }
    viewers.agree().await?;
    let (after, spent, took) = (viewers.received(), end.cpu()? - cpu, begun.elapsed());
    let messages = (after.messages - received.messages) as f64;
    ensure!(messages > 0.0, "no message came");
    let size = (after.bytes - received.bytes) as f64 / messages;
    Ok((messages / spent.as_secs_f64(), messages / took.as_secs_f64(), size))
}

/// A change that every viewer has seen.
async fn change(end: &End, viewers: &mut Viewers) -> anyhow::Result<()> {
    let before = viewers.newest();
    end.change().await?;
    viewers.all_after(before).await
}

fn flow_row(i: usize, count: usize, own: &[Run], bare: &[Run]) -> Row {
    let rate = |runs: &[Run]| crate::row::median(&runs.iter().map(|r| r.rate[i]).collect::<Vec<_>>()).unwrap_or(0.0);
    let size = own.first().map_or(0.0, |r| r.size);
    Row {
        row: "fanout",
        what: format!("messages to {count} viewers of one query, for each second of the server's processor"),
        unit: "messages/s",
        better: Better::Higher,
        durability: Durability::None,
        runs: own.iter().map(|r| r.flow[i]).collect(),
        reference: Some(Reference {
            what: "axum broadcasting the same bytes".into(),
            durability: Durability::None,
            runs: bare.iter().map(|r| r.flow[i]).collect(),
        }),
        goal: Some(Goal::Figure(200_000.0)),
        notes: vec![
            format!(
                "an event changes the query, and the next one comes once each viewer has its patch of about {size:.0} bytes: {:.0} messages/s, of the reference {:.0}",
                rate(own),
                rate(bare)
            ),
            "processor time of the whole server process: it contains taking the events, writing and querying them; each patch is made once, and a head of a hundred bytes for each viewer".into(),
            "every viewer's patches fit together, and all end in the same state, or the row fails".into(),
        ],
        left_out: vec![
            "PostgreSQL's processor time and the viewers'; on the loopback the kernel does part of the receiver's work in the sender's time".into(),
        ],
    }
}

fn idle_row(i: usize, count: usize, files: u64, own: &[Run], bare: &[Run]) -> Row {
    let kilobytes = |runs: &[Run]| runs.iter().map(|r| r.idle[i] / 1_000.0).collect();
    Row {
        row: "fanout",
        what: format!("memory of an idle viewer, of {count}"),
        unit: "KB",
        better: Better::Lower,
        durability: Durability::None,
        runs: kilobytes(own),
        reference: Some(Reference {
            what: "axum's sockets".into(),
            durability: Durability::None,
            runs: kilobytes(bare),
        }),
        goal: Some(Goal::Figure(8.0)),
        notes: vec![
            "what the resident memory of the process grew by, divided by the viewers; each follows one query and holds its first state".into(),
            format!("limit of open files: {files}"),
        ],
        left_out: vec!["the kernel's memory for a socket".into()],
    }
}
