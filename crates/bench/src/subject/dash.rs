//! The real server, with the private PostgreSQL that it starts itself: what `make run` serves, built for release, without the demo.

use std::{
    io::Write,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use dash_model::{pipeline::CreatedPipeline, stats::PipelineStats};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Cpu, Place, Process, free_address};
use crate::{client, context::Context};

/// The rest of a load may take so long to reach Bronze and Silver.
const PATIENCE: Duration = Duration::from_secs(150);
/// Asking costs the server a few queries.
const LOOK: Duration = Duration::from_millis(100);

/// A server of its own; it is killed when it is dropped, and so is its PostgreSQL.
pub struct Dash {
    pub address: SocketAddr,
    process: Process,
    server: std::path::PathBuf,
    variables: Vec<(&'static str, String)>,
    /// Made when figures are asked for first.
    reader: OnceLock<String>,
    // Dropped after the process has ended.
    data: TempDir,
}

/// When Silver and Bronze had everything.
#[derive(Clone, Copy, Debug)]
pub struct Drained {
    pub silver: Instant,
    pub bronze: Instant,
}

impl Dash {
    /// The server on `place`, its PostgreSQL on `database`. Objects of the lake are written at an age of a second: otherwise whoever waits for
    /// the last one waits a minute. `more` are variables beside the defaults.
    pub async fn start(
        ctx: &Context,
        place: Place,
        database: Place,
        more: &[(&'static str, &str)],
    ) -> anyhow::Result<Self> {
        ensure!(
            ctx.server.is_file(),
            "--server {}: there is no such program; `make bench` builds it",
            ctx.server.display()
        );
        let data = ctx.scratch("dash")?;
        let address = free_address()?;
        let mut variables = vec![
            ("DASH_ADDR", address.to_string()),
            ("DASH_DATA", data.path().join("data").display().to_string()),
            ("DASH_SITE", ctx.site.display().to_string()),
            ("DASH_DEMO", "0".to_owned()),
            // All viewers have one key: ten thousand of them are no flood.
            ("DASH_RATE_API", "1000000".to_owned()),
            ("DASH_LAKE_AGE", "1s".to_owned()),
            ("DASH_LOG", "warn".to_owned()),
        ];
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut command = clean(&ctx.server, &variables);
        command.arg("serve");
        let mut process = Process::start("the server", command, place, &data.path().join("server.log"))?;
        process.answers(address, "/readyz").await?;
        if database != place {
            process.move_children(database)?;
        }
        Ok(Self {
            address,
            process,
            server: ctx.server.clone(),
            variables,
            reader: OnceLock::new(),
            data,
        })
    }

    /// Makes a pipeline as an operator does, with the command.
    pub fn pipeline(&self, definition: &Value) -> anyhow::Result<CreatedPipeline> {
        let mut command = clean(&self.server, &self.variables);
        command
            .args(["pipelines", "create", "--file", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut input = child.stdin.take().context("no standard input")?;
        input.write_all(definition.to_string().as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        ensure!(
            output.status.success(),
            "server pipelines create: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// A key that reads, made as an operator does.
    pub fn reader(&self) -> anyhow::Result<&str> {
        if let Some(key) = self.reader.get() {
            return Ok(key);
        }
        let mut command = clean(&self.server, &self.variables);
        command.args(["keys", "create", "--scope", "read", "--name", "bench"]);
        let output = command.output()?;
        ensure!(
            output.status.success(),
            "server keys create: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        let made: Value = serde_json::from_slice(&output.stdout)?;
        let key = made["key"].as_str().context("server keys create printed no key")?;
        Ok(self.reader.get_or_init(|| key.to_owned()))
    }

    /// The server's own figures of a pipeline.
    pub async fn stats(&self, pipeline: &CreatedPipeline) -> anyhow::Result<PipelineStats> {
        let path = format!("/api/v1/pipelines/{}/stats", pipeline.slug);
        let (status, body) = client::get(self.address, &path, Some(self.reader()?)).await?;
        ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    /// Waits until so many events of a pipeline are in Silver and in the lake.
    pub async fn drained(&self, pipeline: &CreatedPipeline, events: u64) -> anyhow::Result<Drained> {
        let begun = Instant::now();
        let (mut silver, mut bronze) = (None, None);
        loop {
            let stats = self.stats(pipeline).await?;
            let now = Instant::now();
            if stats.pending == 0 && stats.accepted >= events {
                silver.get_or_insert(now);
            }
            if stats.bronze_rows >= events {
                bronze.get_or_insert(now);
            }
            if let (Some(silver), Some(bronze)) = (silver, bronze) {
                return Ok(Drained { silver, bronze });
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "{events} events were acknowledged and have not arrived after {PATIENCE:?}: {stats:?}; {}",
                self.process.last_lines()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Compares what was acknowledged with what the server has; `points` are made of an event. Everything must have drained.
    pub async fn check(
        &self,
        pipeline: &CreatedPipeline,
        acknowledged: u64,
        points: u64,
    ) -> anyhow::Result<PipelineStats> {
        let stats = self.stats(pipeline).await?;
        for (what, found, expected) in [
            ("received", stats.received, acknowledged),
            ("accepted", stats.accepted, acknowledged),
            ("mapped", stats.mapped, acknowledged),
            ("pending", stats.pending, 0),
            ("points in Silver", stats.silver_points, acknowledged * points),
            ("rows in Bronze", stats.bronze_rows, acknowledged),
        ] {
            ensure!(
                found == expected,
                "{}: {what} is {found}, but {acknowledged} events were acknowledged: {stats:?}",
                pipeline.slug
            );
        }
        Ok(stats)
    }

    /// The server process; its children are PostgreSQL's.
    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        self.process.cpu()
    }

    /// What it keeps: `data/spool`, `data/lake`, `data/postgres` and `server.log`.
    pub fn dir(&self) -> &Path {
        self.data.path()
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

/// Only these variables, whatever is set for the server that is used otherwise.
fn clean(server: &Path, variables: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(server);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let dash = text.starts_with("DASH_") && text != "DASH_POSTGRES_BIN";
        if dash || text.starts_with("DATABASE_URL") || text.starts_with("AWS_") {
            command.env_remove(&name);
        }
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}
