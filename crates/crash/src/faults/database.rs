use std::time::Duration;

use anyhow::bail;
use rand::RngExt;
use tokio::time::sleep;

use super::Outcome;
use crate::rig::Rig;

/// PostgreSQL is stopped at once in the middle of a COPY, is away for a moment, and recovers. Dash runs on.
pub async fn crash_in_copy(rig: &mut Rig) -> anyhow::Result<Outcome> {
    rig.load.large(true);
    rig.under_load(300..1_000).await?;
    let caught = rig.postgres.crash_in_copy().await?;
    rig.load.large(false);
    let note = match caught {
        Some(caught) => format!(
            "hit in the middle of a COPY that had read {} KiB, after {} tries that came too late",
            caught.bytes >> 10,
            caught.missed
        ),
        None => {
            rig.postgres.stop_immediately().await?;
            "NOT hit: no COPY was seen in time; stopped between two".into()
        }
    };
    let away = rig.rng.random_range(500..2_000);
    sleep(Duration::from_millis(away)).await;
    rig.running()?;
    rig.postgres.start_again().await?;
    rig.load.mark();
    let times = rig.recovered().await?;
    Ok(Outcome {
        times: Some(times),
        note: format!("{note}; away for {away} ms"),
    })
}

/// All processes of PostgreSQL are stopped for some seconds, and go on. Senders may be told to wait; that nobody is told anything wrong
/// shows in the check.
pub async fn freeze(rig: &mut Rig) -> anyhow::Result<Outcome> {
    rig.under_load(300..1_000).await?;
    rig.load.mark();
    let processes = rig.postgres.freeze()?;
    let seconds = if rig.short { 6 } else { 20 };
    sleep(Duration::from_secs(seconds)).await;
    rig.postgres.thaw();
    let answers = rig.load.answers();
    let other = answers
        .counts
        .keys()
        .flatten()
        .find(|status| ![202, 429, 503].contains(*status));
    if let Some(status) = other {
        bail!("a sender was answered {status} while PostgreSQL stood still");
    }
    rig.running()?;
    rig.load.mark();
    let times = rig.recovered().await?;
    let slowest = rig.load.answers().slowest.max(answers.slowest);
    Ok(Outcome {
        times: Some(times),
        note: format!(
            "{processes} processes for {seconds} s: {} x 202, {} x 429, {} x 503; slowest answer {:.1} s",
            answers.of(202),
            answers.of(429),
            answers.of(503),
            slowest.as_secs_f64()
        ),
    })
}
