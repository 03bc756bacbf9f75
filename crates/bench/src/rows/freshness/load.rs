//! Half of what Dash is to sustain, into one pipeline.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use dash_model::pipeline::CreatedPipeline;
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    client::{self, Connection},
    context::Context,
    subject::Dash,
};

/// Events of a request.
pub const BATCH: u32 = 1_000;
/// Series that it writes to; the probes have others.
const SENSORS: u32 = 8;
/// After 429 and 503.
const REFUSED_PAUSE: Duration = Duration::from_millis(20);
/// Until the load is what it will be.
const RISE: Duration = Duration::from_secs(3);

/// Of another pipeline than the one that is looked at, with the same mapping.
pub fn definition() -> Value {
    json!({
        "name": "Load",
        "slug": "load",
        "mapping": {
            "metrics": [{"name": "value", "path": "value", "required": true}],
            "tags": [{"name": "sensor", "path": "sensor"}],
        },
    })
}

/// A sender that goes on until it is stopped.
pub struct Load {
    stop: oneshot::Sender<()>,
    sender: JoinHandle<anyhow::Result<Applied>>,
}

/// What was sent and acknowledged.
pub struct Applied {
    /// Events a second that were due.
    pub rate: u32,
    pub events: u64,
    /// Answers 429 and 503; such a request was sent again.
    pub refused: u64,
}

impl Load {
    /// Returns when it has been applied for a while.
    pub async fn start(ctx: &Context, dash: &Dash, pipeline: &CreatedPipeline) -> anyhow::Result<Self> {
        let headers = format!(
            "authorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\n",
            pipeline.ingest_key
        );
        let path = format!("/api/v1/ingest/{}", pipeline.slug);
        let request = client::post(dash.address, &path, &headers, body().as_bytes());
        let connection = Connection::open(dash.address).await?;
        let (stop, stopped) = oneshot::channel();
        let sender = ctx.senders.spawn(send(connection, request, ctx.load, stopped));
        tokio::time::sleep(RISE).await;
        Ok(Self { stop, sender })
    }

    pub async fn stop(self) -> anyhow::Result<Applied> {
        // A sender that failed is gone, and says why.
        let _ = self.stop.send(());
        self.sender.await?.context("the load")
    }
}

/// A request whenever one is due; one that is late does not move those after it.
async fn send(
    mut connection: Connection,
    request: Vec<u8>,
    rate: u32,
    mut stopped: oneshot::Receiver<()>,
) -> anyhow::Result<Applied> {
    let mut applied = Applied {
        rate,
        events: 0,
        refused: 0,
    };
    let every = Duration::from_secs(1) * BATCH / rate;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => return Ok(applied),
            () = tokio::time::sleep_until(due.into()) => {}
        }
        due += every;
        loop {
            let answer = connection.send(&request).await?;
            match answer.status {
                202 => {
                    applied.events += answer.accepted()?;
                    break;
                }
                429 | 503 => {
                    applied.refused += 1;
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
                status => bail!("the server answered {status}: {}", answer.text()),
            }
        }
    }
}

/// A body: events of 200 bytes, whose values stay below those of the probes.
fn body() -> String {
    let mut text = String::new();
    for nth in 0..BATCH {
        let value = f64::from(nth * 37 % 1_000) / 10.0;
        let sensor = nth % SENSORS;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{{\"sensor\":\"hall-{sensor}\",\"value\":{value:.1},\"firmware\":\"2.4.{sensor}\",\"ok\":true,\"note\":\"{:x<130}\"}}",
            nth
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_of_the_load_hides_a_probe() {
        let body = body();
        assert_eq!(body.lines().count(), BATCH as usize);
        for line in body.lines() {
            assert!((190..=210).contains(&line.len()), "{}", line.len());
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(event["value"].as_f64().unwrap() < 101.0);
        }
    }
}
