use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::bail;
use dash_lake::test_support::{Fault as StoreFault, Served};
use http::Method;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::sleep;

use super::Outcome;
use crate::rig::Rig;

/// Longer than the server waits for an answer of the lake.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Every request to the lake fails for a while, in one of many ways. Events are taken all the same.
pub async fn outage(rig: &mut Rig) -> anyhow::Result<Outcome> {
    rig.under_load(300..800).await?;
    let before = rig.s3.faults.log().len();
    let mut rng = StdRng::seed_from_u64(rig.rng.random());
    rig.load.mark();
    rig.s3.faults.plan(move |_, _| {
        Some(match rng.random_range(0..6) {
            0 | 1 => StoreFault::Status(500),
            2 | 3 => StoreFault::Status(503),
            4 => StoreFault::Drop,
            // Done, and too late for the one who asked.
            _ => StoreFault::SlowAnswer(TIMEOUT),
        })
    });
    let seconds = if rig.short { 6 } else { 60 };
    sleep(Duration::from_secs(seconds)).await;
    let answers = rig.load.answers();
    rig.s3.faults.clear();
    rig.running()?;
    if answers.of(202) == 0 {
        bail!("nothing was acknowledged while the lake was away: {:?}", answers.counts);
    }
    let log = rig.s3.faults.log();
    let of = |fault: StoreFault| log[before..].iter().filter(|s| s.fault == Some(fault)).count();
    let note = format!(
        "{seconds} s: {} x 500, {} x 503, {} x closed, {} x too late; {} x 202 meanwhile",
        of(StoreFault::Status(500)),
        of(StoreFault::Status(503)),
        of(StoreFault::Drop),
        of(StoreFault::SlowAnswer(TIMEOUT)),
        answers.of(202)
    );
    if log[before..].iter().all(|s| s.fault.is_none()) {
        bail!("the outage met no request: {note}");
    }
    rig.load.mark();
    let times = rig.recovered().await?;
    Ok(Outcome {
        times: Some(times),
        note,
    })
}

/// Objects are put and the answers are lost: by a closed connection, by a wrong status, and by a kill between the put and its answer.
pub async fn lost_put(rig: &mut Rig) -> anyhow::Result<Outcome> {
    let lost = [StoreFault::LostAnswer, StoreFault::DoneButStatus(500)];
    for fault in lost {
        meet(rig, fault).await?;
    }
    // The put is done when this is in the log; its answer is on its way for as long as this.
    let slow = StoreFault::SlowAnswer(Duration::from_millis(1_500));
    let put = meet(rig, slow).await?;
    rig.kill().await?;
    rig.start()?;
    let times = rig.recovered().await?;
    let object = put.path.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Outcome {
        times: Some(times),
        note: format!("closed, 500 after it was done, killed before the answer for {object}"),
    })
}

/// The next put of an object that is not there meets this fault, having been done. A repetition of an earlier put does not count.
async fn meet(rig: &mut Rig, fault: StoreFault) -> anyhow::Result<Served> {
    let log = rig.s3.faults.log();
    let before = log.len();
    let mut known: HashSet<String> = log.into_iter().map(|served| served.path).collect();
    let mut met = false;
    rig.s3.faults.plan(move |method, path| {
        let strikes = *method == Method::PUT && known.insert(path.to_owned()) && !met;
        met |= strikes;
        strikes.then_some(fault)
    });
    let begun = Instant::now();
    let served = loop {
        let log = rig.s3.faults.log();
        if let Some(served) = log[before..].iter().find(|s| s.fault == Some(fault)) {
            break served.clone();
        }
        if begun.elapsed() > Duration::from_secs(30) {
            bail!("no object was put within 30 s");
        }
        rig.running()?;
        sleep(Duration::from_millis(5)).await;
    };
    rig.s3.faults.clear();
    if !served.status.is_some_and(|s| s.is_success()) {
        bail!("the put of {} was not done: {:?}", served.path, served.status);
    }
    Ok(served)
}
