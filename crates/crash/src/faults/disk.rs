use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::unistd::geteuid;
use rand::RngExt;
use tokio::time::sleep;

use super::Outcome;
use crate::{
    rig::{Rig, START},
    tmpfs::Tmpfs,
};

const MIB: u32 = 48;

/// The spool moves to a small disk, which is full for a while; the server is killed then, or not. Senders are told 503, and nothing that
/// was acknowledged before is lost. At the end the spool moves to a new directory.
pub async fn full(rig: &mut Rig) -> anyhow::Result<Outcome> {
    if !geteuid().is_root() {
        return Ok(Outcome {
            times: None,
            note: "only root can mount the small disk".into(),
        });
    }
    rig.recovered().await?;
    rig.stop().await?;
    let disk = rig.dir.join("small-disk");
    rig.tmpfs = Some(Tmpfs::mount(&disk, MIB)?);
    rig.spool = disk.join("spool");
    rig.start()?;
    rig.begin_round();
    rig.first_ack().await?;
    rig.under_load(300..1_000).await?;

    rig.load.mark();
    let refused = fill(rig).await?;
    let killed = rig.rng.random_bool(0.5);
    if killed {
        rig.kill().await?;
    }
    rig.tmpfs.as_ref().context("no small disk")?.free()?;
    match killed {
        true => rig.start()?,
        false => rig.load.mark(),
    }
    let times = rig.recovered().await?;

    rig.stop().await?;
    rig.tmpfs.take().context("no small disk")?.close(None)?;
    rig.spool = rig.dir.join("spool-after-full-disk");
    rig.start()?;
    rig.running()?.ready(START).await?;
    Ok(Outcome {
        times: Some(times),
        note: format!(
            "{MIB} MiB, {refused} x 503 while it was full{}",
            if killed { ", killed then" } else { "" }
        ),
    })
}

/// Keeps the disk full for some seconds; answers how many requests were refused meanwhile.
async fn fill(rig: &mut Rig) -> anyhow::Result<u64> {
    let until = Instant::now() + Duration::from_secs(if rig.short { 3 } else { 10 });
    let mut told = false;
    while Instant::now() < until || !told {
        // Segments that are done are removed, and leave room.
        rig.tmpfs.as_ref().context("no small disk")?.fill()?;
        rig.running()?;
        told = told || says_so(rig).await && rig.load.answers().of(503) > 0;
        if Instant::now() > until + Duration::from_secs(20) {
            bail!(
                "the disk is full, and neither 503 nor /readyz says so: {:?}",
                rig.load.answers().counts
            );
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(rig.load.answers().of(503))
}

/// Whether `/readyz` names the spool's disk.
async fn says_so(rig: &Rig) -> bool {
    let Ok(answer) = rig.http.get(format!("{}/readyz", rig.program.url())).send().await else {
        return false;
    };
    answer.status() == 503 && answer.text().await.is_ok_and(|text| text.contains("disk is full"))
}
