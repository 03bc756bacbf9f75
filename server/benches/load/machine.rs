//! Where and how this runs: what figures cannot be read without.

use std::{fs, path::Path};

use anyhow::Context;
use serde::Serialize;

use crate::rig::Rig;

#[derive(Debug, Serialize)]
pub struct Machine {
    /// Cargo's directory: `release` for `cargo bench`, `debug` for the profile dev.
    pub profile: String,
    pub debug_assertions: bool,
    pub processor: String,
    pub cores: usize,
    /// Of the last minute, before anything was measured.
    pub load_average: String,
    /// File system of spool and lake.
    pub file_system: String,
    pub postgresql: String,
    pub fsync: String,
    pub synchronous_commit: String,
    /// Whether Silver has TimescaleDB or partitions of its own.
    pub silver: String,
}

impl Machine {
    pub async fn of(rig: &Rig) -> anyhow::Result<Self> {
        let state = rig.state();
        let client = state.db.client().await?;
        let show = async |name: &str| -> anyhow::Result<String> {
            let row = client.query_one(&format!("SHOW {name}"), &[]).await;
            Ok(row.with_context(|| format!("SHOW {name}"))?.get(0))
        };
        let executable = std::env::current_exe()?;
        let profile = executable.ancestors().nth(2).and_then(Path::file_name);
        Ok(Self {
            profile: profile.unwrap_or_default().to_string_lossy().into_owned(),
            debug_assertions: cfg!(debug_assertions),
            processor: of_file("/proc/cpuinfo", |l| {
                l.strip_prefix("model name")?.split_once(": ").map(|(_, n)| n)
            }),
            cores: std::thread::available_parallelism()?.get(),
            load_average: of_file("/proc/loadavg", |l| l.split(' ').next()),
            file_system: file_system(rig.data()),
            postgresql: show("server_version").await?,
            fsync: show("fsync").await?,
            synchronous_commit: show("synchronous_commit").await?,
            silver: format!("{:?}", state.silver.mode()),
        })
    }

    /// What is said before the figures.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!(
                "build: {}, debug_assertions {}; {} cores of {}; load average before {}",
                self.profile,
                if self.debug_assertions { "on" } else { "off" },
                self.cores,
                self.processor,
                self.load_average
            ),
            format!(
                "spool and lake on {}; PostgreSQL {} on the same machine, fsync {}, synchronous_commit {}; Silver {}",
                self.file_system, self.postgresql, self.fsync, self.synchronous_commit, self.silver
            ),
            "D2: written and fdatasync'ed in the spool before the answer. Senders share the cores. MB: 10^6 bytes of raw events.".into(),
        ];
        if self.fsync == "off" {
            lines.push("left out: what it costs PostgreSQL to flush its log, since this one does not".into());
        }
        if self.file_system == "tmpfs" {
            lines.push("spool in memory: D2 means nothing here; name a directory on a disk with DIR=".into());
        }
        if self.debug_assertions {
            lines.push(UNOPTIMISED.into());
        }
        lines
    }
}

/// Some crates are optimised in the profile dev and others are not: not even ratios hold.
pub const UNOPTIMISED: &str = "unoptimised build: figures mean nothing, ratios neither";

fn of_file(path: &str, find: impl Fn(&str) -> Option<&str>) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().find_map(find).unwrap_or("unknown").to_owned()
}

/// Kind of the file system that a directory lies on.
fn file_system(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|l| l.split(' ').collect::<Vec<_>>());
    let holding = fields.filter(|f| f.len() > 2 && dir.starts_with(f[1]));
    // Of two mounts at one place the later one is seen.
    let innermost = holding.max_by_key(|f| f[1].len());
    innermost.map_or("unknown".into(), |f| f[2].to_owned())
}
