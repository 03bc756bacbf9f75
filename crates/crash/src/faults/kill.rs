use std::time::Duration;

use dash_lake::test_support::Fault as StoreFault;
use http::Method;
use rand::RngExt;
use tokio::time::sleep;

use super::Outcome;
use crate::rig::Rig;

/// kill -9 under load; now and then with a slow lake, so that objects are half way, and again while it starts.
pub async fn kill(rig: &mut Rig) -> anyhow::Result<Outcome> {
    let mut note = Vec::new();
    if rig.rng.random_bool(0.3) {
        note.push("the lake was slow".to_owned());
        let slow = Duration::from_millis(rig.rng.random_range(200..900));
        rig.s3
            .faults
            .plan(move |method, _| (*method == Method::PUT).then_some(StoreFault::SlowAnswer(slow)));
    }
    rig.under_load(300..1_800).await?;
    rig.kill().await?;
    rig.start()?;
    if rig.rng.random_bool(0.3) {
        let after = rig.rng.random_range(50..1_200);
        sleep(Duration::from_millis(after)).await;
        rig.kill().await?;
        rig.start()?;
        note.push(format!("again {after} ms after its start"));
    }
    rig.s3.faults.clear();
    let times = rig.recovered().await?;
    Ok(Outcome {
        times: Some(times),
        note: note.join(", "),
    })
}
