//! `server demo-flights`: many events through the ordinary way in, with a progress bar.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use serde_json::value::RawValue;

use super::DemoKeys;
use crate::config::Config;

/// Records of one request.
const BATCH: usize = 1_000;
/// Requests underway at one time.
const AT_ONCE: usize = 4;

/// Posts flights-200k.json to the running server and says how fast it was taken.
pub async fn post_flights(config: &Config) -> anyhow::Result<()> {
    let keys = DemoKeys::read(&config.process.data)?;
    let key = keys
        .get("flights")
        .context("the demo's keys are not there; start the server once with DASH_DEMO=1")?;
    let file = config.site().join("demo/flights-200k.json");
    let text = std::fs::read(&file)
        .with_context(|| format!("{} cannot be read; build the site first: make site", file.display()))?;
    let records: Vec<&RawValue> = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
    let url = format!("http://{}/api/v1/ingest/flights", config.address());
    let client = reqwest::Client::new();
    let mut progress = Progress::new(records.len());
    let posts = records.chunks(BATCH).map(|chunk| {
        let body = chunk.iter().flat_map(|r| [r.get(), "\n"]).collect::<String>();
        post(&client, &url, key, body, chunk.len())
    });
    let mut posts = futures::StreamExt::buffer_unordered(futures::stream::iter(posts), AT_ONCE);
    while let Some(accepted) = futures::StreamExt::next(&mut posts).await {
        progress.add(accepted?);
    }
    progress.end();
    Ok(())
}

/// Posts until it is taken; 429 and 503 are waited for.
async fn post(client: &reqwest::Client, url: &str, key: &str, body: String, records: usize) -> anyhow::Result<usize> {
    for _ in 0..60 {
        let request = client
            .post(url)
            .bearer_auth(key)
            .header("content-type", "application/x-ndjson")
            .body(body.clone());
        let response = request
            .send()
            .await
            .context("the server does not answer; start it with make run")?;
        match response.status().as_u16() {
            202 => return Ok(records),
            429 | 503 => tokio::time::sleep(Duration::from_millis(200)).await,
            status => bail!(
                "the server answered {status}: {}",
                response.text().await.unwrap_or_default()
            ),
        }
    }
    bail!("the server has been too busy for a minute")
}

/// A bar on a terminal, the last line elsewhere.
struct Progress {
    begun: Instant,
    total: usize,
    done: usize,
    drawn: Option<Instant>,
}

impl Progress {
    fn new(total: usize) -> Self {
        Self {
            begun: Instant::now(),
            total,
            done: 0,
            drawn: None,
        }
    }

    fn add(&mut self, records: usize) {
        self.done += records;
        let due = self.drawn.is_none_or(|at| at.elapsed() > Duration::from_millis(100));
        if due && std::io::stderr().is_terminal() {
            self.drawn = Some(Instant::now());
            self.draw("\r");
        }
    }

    fn end(&self) {
        self.draw("\n");
    }

    fn draw(&self, end: &str) {
        let filled = self.done * 30 / self.total.max(1);
        let rate = self.done as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        let start = if end == "\n" && std::io::stderr().is_terminal() {
            "\r"
        } else {
            ""
        };
        let line = format!(
            "{start}[{:<30}] {} of {} events, {rate:.0} events/s{end}",
            "#".repeat(filled),
            self.done,
            self.total
        );
        // Nobody looks when this fails.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}
