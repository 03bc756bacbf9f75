//! From the first round to the last line.

use std::{fs, path::PathBuf, time::Instant};

use anyhow::Context;
use dash_db::test_support::temporary_dir;
use rand::{SeedableRng, rngs::StdRng};

use crate::{
    audit::Findings,
    faults::{Fault, Outcome, schedule},
    report::{self, Row, Verdict, say},
    rig::{Rig, START},
};

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server's binary.
    pub server: PathBuf,
    pub kills: usize,
    pub seed: u64,
    /// Shorter outages.
    pub short: bool,
    /// Keep the directory also when all is well.
    pub keep: bool,
}

/// Runs everything; true when nothing was found.
///
/// # Errors
/// When the rig cannot be set up. What goes wrong in a round is its failure.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    say(&format!("seed {}", options.seed));
    let server = fs::canonicalize(&options.server).with_context(|| format!("--server {}", options.server.display()))?;
    let faults = schedule(options.kills, &mut StdRng::seed_from_u64(options.seed));
    let dir = temporary_dir()?;
    let mut rig = Rig::new(&server, dir.path(), options.seed, options.short, 2 * faults.len()).await?;
    let begun = Instant::now();
    let (rows, clean) = tokio::select! {
        done = rounds(&mut rig, &faults) => done,
        _ = tokio::signal::ctrl_c() => (Vec::new(), false),
    };
    let closed = rig.close(!clean).await;

    say(&format!("\n{}", report::summary(&rows)));
    let of = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let missing = faults.len() + 1 - rows.len().min(faults.len() + 1);
    say(&format!(
        "{:.0} s, {} skipped, {missing} not run",
        begun.elapsed().as_secs_f64(),
        of(Verdict::Skipped)
    ));
    if !clean || options.keep {
        let kept = dir.keep();
        say(&format!(
            "seed {}; everything is kept in {}",
            options.seed,
            kept.display()
        ));
    }
    say(&format!(
        "{} passed, {} failed",
        of(Verdict::Passed),
        of(Verdict::Failed)
    ));
    closed.context("taking the rig apart")?;
    Ok(clean)
}

/// All rounds up to the first that fails, then everything once more.
async fn rounds(rig: &mut Rig, faults: &[Fault]) -> (Vec<Row>, bool) {
    let mut rows = Vec::new();
    match begin(rig).await {
        Ok(told) => say(&format!("{told}\n\n{}", report::HEAD)),
        Err(error) => {
            say(&format!("it did not come up: {error:#}"));
            return (rows, false);
        }
    }
    for fault in faults {
        let row = round(rig, *fault).await;
        let failed = row.verdict == Verdict::Failed;
        say(&report::line(rows.len() + 1, &row));
        rows.push(row);
        if failed {
            return (rows, false);
        }
    }
    let row = last(rig).await;
    let clean = row.verdict == Verdict::Passed;
    say(&report::line(rows.len() + 1, &row));
    rows.push(row);
    (rows, clean)
}

async fn begin(rig: &mut Rig) -> anyhow::Result<String> {
    rig.start()?;
    rig.running()?.ready(START).await?;
    rig.postgres.settings().await
}

async fn round(rig: &mut Rig, fault: Fault) -> Row {
    let before = rig.load.acked_events();
    let done = struck(rig, fault).await;
    let acked = rig.load.acked_events() - before;
    let name = fault.name();
    match done {
        Ok((Outcome { times: None, note }, _)) => Row {
            fault: name,
            note,
            times: None,
            acked,
            verdict: Verdict::Skipped,
        },
        Ok((Outcome { times, note }, found)) if found.is_empty() => Row {
            fault: name,
            note,
            times,
            acked,
            verdict: Verdict::Passed,
        },
        Ok((Outcome { times, note }, found)) => Row {
            fault: name,
            note: format!("{note}\n{found}"),
            times,
            acked,
            verdict: Verdict::Failed,
        },
        Err(error) => Row {
            fault: name,
            note: format!("{error:#}"),
            times: None,
            acked,
            verdict: Verdict::Failed,
        },
    }
}

async fn struck(rig: &mut Rig, fault: Fault) -> anyhow::Result<(Outcome, Findings)> {
    rig.begin_round();
    rig.load.mark();
    let outcome = fault.run(rig).await?;
    // Skipped: nobody has held the senders yet.
    rig.load.pause().await?;
    rig.settled().await?;
    let found = rig.check().await.context("checking")?;
    Ok((outcome, found))
}

/// Everything once more, and an orderly end.
async fn last(rig: &mut Rig) -> Row {
    let done = async {
        let (found, told) = rig.check_all().await?;
        rig.stop().await?;
        Ok::<_, anyhow::Error>((found, told))
    };
    let (verdict, note) = match done.await {
        Ok((found, told)) if found.is_empty() => (Verdict::Passed, told),
        Ok((found, told)) => (Verdict::Failed, format!("{told}\n{found}")),
        Err(error) => (Verdict::Failed, format!("{error:#}")),
    };
    Row {
        fault: "everything again",
        note,
        times: None,
        acked: 0,
        verdict,
    }
}
