//! Who else takes the same events: InfluxDB and VictoriaMetrics, both over HTTP in InfluxDB's line protocol, with their defaults.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::process::{Place, Process, free_address};
use crate::{client, context::Context, row::Durability};

const DATABASE: &str = "bench";
/// What is in memory is searched a little later.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(200);

/// A competitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rival {
    Influx,
    Victoria,
}

/// One that runs; it is killed when it is dropped.
pub struct Running {
    pub address: SocketAddr,
    rival: Rival,
    process: Process,
    _data: TempDir,
}

impl Rival {
    pub const ALL: [Self; 2] = [Self::Influx, Self::Victoria];

    pub fn label(self) -> &'static str {
        match self {
            Self::Influx => "InfluxDB 1.6",
            Self::Victoria => "VictoriaMetrics 1.79",
        }
    }

    /// What holds when it has answered.
    pub fn durability(self) -> Durability {
        match self {
            // wal-fsync-delay is 0: each write waits for an fsync of the WAL (seen with strace).
            Self::Influx => Durability::D2,
            // There is no WAL; what it took is flushed about a second later.
            Self::Victoria => Durability::D0,
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Influx => "influxd",
            Self::Victoria => "victoria-metrics",
        }
    }

    pub fn installed(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|dir| dir.join(self.program()).is_file())
    }

    /// Where lines are posted to.
    pub fn path(self) -> String {
        format!("/write?db={DATABASE}&precision=ms")
    }

    pub async fn start(self, ctx: &Context, place: Place) -> anyhow::Result<Running> {
        let data = ctx.scratch(self.program())?;
        let address = free_address()?;
        let mut command = Command::new(self.program());
        match self {
            Self::Influx => {
                let file = data.path().join("influxdb.conf");
                fs::write(&file, influx_config(data.path(), address, free_address()?))?;
                command.arg("-config").arg(file);
            }
            Self::Victoria => {
                command
                    .arg(format!("-storageDataPath={}", data.path().join("data").display()))
                    .arg(format!("-httpListenAddr={address}"));
            }
        }
        let mut process = Process::start(self.program(), command, place, &data.path().join("log"))?;
        let health = match self {
            Self::Influx => "/ping",
            Self::Victoria => "/health",
        };
        process.answers(address, health).await?;
        let running = Running {
            address,
            rival: self,
            process,
            _data: data,
        };
        if self == Self::Influx {
            running.influx(&format!("CREATE DATABASE {DATABASE}")).await?;
        }
        Ok(running)
    }
}

/// The defaults, but for places, and that requests are not written to a log, as they are not by the others.
fn influx_config(dir: &std::path::Path, http: SocketAddr, rpc: SocketAddr) -> String {
    let dir = dir.display();
    format!(
        "reporting-enabled = false\nbind-address = \"{rpc}\"\n\
         [meta]\ndir = \"{dir}/meta\"\n\
         [data]\ndir = \"{dir}/data\"\nwal-dir = \"{dir}/wal\"\nquery-log-enabled = false\n\
         [http]\nbind-address = \"{http}\"\nlog-enabled = false\n"
    )
}

impl Running {
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Compares what was acknowledged with the values of this field that are found.
    pub async fn check(&self, field: &str, acknowledged: u64) -> anyhow::Result<()> {
        let begun = std::time::Instant::now();
        loop {
            let found = match self.rival {
                Rival::Influx => self.count_influx(field).await?,
                Rival::Victoria => self.count_victoria(field).await?,
            };
            if found == acknowledged {
                return Ok(());
            }
            ensure!(
                found < acknowledged && begun.elapsed() < PATIENCE,
                "{} has {found} values of {field}, but {acknowledged} were acknowledged: {}",
                self.rival.label(),
                self.process.last_lines()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn count_influx(&self, field: &str) -> anyhow::Result<u64> {
        let answer = self
            .influx(&format!("SELECT count({field}) FROM {}", crate::events::MEASUREMENT))
            .await?;
        let series = &answer["results"][0]["series"];
        match series.is_null() {
            true => Ok(0),
            false => series[0]["values"][0][1]
                .as_u64()
                .with_context(|| format!("no count: {answer}")),
        }
    }

    async fn count_victoria(&self, field: &str) -> anyhow::Result<u64> {
        // What was taken last is not searched before it is flushed.
        self.ask("/internal/force_flush").await?;
        let query = format!("sum(count_over_time({}_{field}[2h]))", crate::events::MEASUREMENT);
        let body = self
            .ask(&format!("/api/v1/query?nocache=1&query={}", encoded(&query)))
            .await?;
        let answer: Value = serde_json::from_slice(&body)?;
        let Some(value) = answer["data"]["result"].get(0) else {
            return Ok(0);
        };
        let value = value["value"][1].as_str().and_then(|v| v.parse().ok());
        value.with_context(|| format!("no count: {answer}"))
    }

    async fn influx(&self, query: &str) -> anyhow::Result<Value> {
        let address = self.address;
        let path = format!("/query?db={DATABASE}&q={}", encoded(query));
        let request = format!("POST {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: 0\r\n\r\n");
        let (status, body) = client::ask(address, request.as_bytes()).await?;
        ensure!(status == 200, "{query}: {status} {}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body)?;
        ensure!(answer["results"][0]["error"].is_null(), "{query}: {answer}");
        Ok(answer)
    }

    async fn ask(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let (status, body) = client::get(self.address, path, None).await?;
        ensure!(
            matches!(status, 200 | 204),
            "{path}: {status} {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

/// For a query string.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
