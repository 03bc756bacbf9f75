//! Where and how this runs: what figures cannot be read without.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Serialize;

use crate::{context::Context, cores, data::foreign};

#[derive(Debug, Serialize)]
pub struct Machine {
    /// Of this program.
    pub debug_assertions: bool,
    /// Cargo's directory that the server lies in, `release` when figures count.
    pub server_profile: String,
    pub processor: String,
    pub cores: usize,
    pub memory_mb: u64,
    pub kernel: String,
    /// Of the last minute, before anything was measured.
    pub load_average: String,
    /// File system of what is flushed.
    pub file_system: String,
    /// What Dash is compared with, and what it stands on.
    pub versions: Vec<Version>,
}

#[derive(Debug, Serialize)]
pub struct Version {
    pub what: &'static str,
    /// None: it is not installed.
    pub version: Option<String>,
}

impl Machine {
    pub fn of(context: &Context) -> Self {
        let profile = context.server.parent().and_then(Path::file_name);
        Self {
            debug_assertions: cfg!(debug_assertions),
            server_profile: profile.unwrap_or_default().to_string_lossy().into_owned(),
            processor: of_file("/proc/cpuinfo", |l| {
                l.strip_prefix("model name")?.split_once(": ").map(|(_, n)| n)
            }),
            cores: cores::all().len(),
            memory_mb: of_file("/proc/meminfo", |l| {
                l.strip_prefix("MemTotal:")?.split_whitespace().next()
            })
            .parse::<u64>()
            .unwrap_or_default()
                / 1024,
            kernel: of_file("/proc/sys/kernel/osrelease", |l| Some(l)),
            load_average: of_file("/proc/loadavg", |l| l.split(' ').next()),
            file_system: file_system(&context.dir),
            versions: versions(),
        }
    }

    /// What is said before the figures.
    pub fn lines(&self) -> Vec<String> {
        let found = |v: &Version| Some(format!("{} {}", v.what, v.version.as_ref()?));
        let missing: Vec<_> = self
            .versions
            .iter()
            .filter(|v| v.version.is_none())
            .map(|v| v.what)
            .collect();
        let mut lines = vec![
            format!(
                "{} cores of {}, {} GB, Linux {}; load average before {}; data on {}; server built for {}",
                self.cores,
                self.processor,
                self.memory_mb.div_ceil(1024),
                self.kernel,
                self.load_average,
                self.file_system,
                self.server_profile,
            ),
            self.versions.iter().filter_map(found).collect::<Vec<_>>().join(", "),
        ];
        if !missing.is_empty() {
            lines.push(format!(
                "not installed, so without a ratio (`scripts/setup bench` installs them): {}",
                missing.join(", ")
            ));
        }
        lines.extend(self.warnings());
        lines
    }

    /// Why the figures mean nothing; empty when they do.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.debug_assertions || self.server_profile != "release" {
            warnings.push("UNOPTIMISED BUILD: figures mean nothing, ratios neither".to_owned());
        }
        if self.file_system == "tmpfs" {
            warnings.push("DATA IN MEMORY: D2 means nothing here; name a directory on a disk with --dir".to_owned());
        }
        if !cores::apart() {
            warnings.push("ONE CORE: load and what is loaded share it".to_owned());
        }
        warnings
    }
}

fn versions() -> Vec<Version> {
    let python = foreign::python();
    let package = |name: &str| {
        said(Command::new(&python).args([
            "-c",
            &format!("from importlib.metadata import version; print(version('{name}'))"),
        ]))
    };
    let mut all = vec![
        ("InfluxDB", number(said(Command::new("influxd").arg("version")))),
        ("VictoriaMetrics", package_of_debian("victoria-metrics")),
        ("PostgreSQL", postgres("postgres")),
        ("TimescaleDB", timescale()),
        ("DuckDB", package("duckdb")),
        ("chDB", package("chdb")),
        ("Elixir", number(said(Command::new("elixir").arg("--short-version")))),
        ("Chromium", number(said(Command::new("chromium").arg("--version")))),
    ];
    all.drain(..).map(|(what, version)| Version { what, version }).collect()
}

/// The first line that a program prints, when it can be run at all.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|o| o.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(text.lines().next()?.to_owned())
}

/// The word of it that begins with a digit.
fn number(text: Option<String>) -> Option<String> {
    let text = text?;
    let word = text
        .split_whitespace()
        .map(|w| w.trim_start_matches('v'))
        .find(|w| w.starts_with(|c: char| c.is_ascii_digit()));
    Some(word.unwrap_or(&text).to_owned())
}

/// Of a program that does not know its own.
fn package_of_debian(name: &str) -> Option<String> {
    Command::new(name).arg("-version").output().ok()?;
    said(Command::new("dpkg-query").args(["-W", "-f", "${Version}", name]))
        .or_else(|| Some("of unknown version".into()))
}

fn postgres(program: &str) -> Option<String> {
    let program = postgres_dir()?.join(program);
    let text = said(Command::new(program).arg("--version"))?;
    text.split_whitespace().nth(2).map(str::to_owned)
}

/// As the server looks for it: the newest of Debian's.
fn postgres_dir() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("DASH_POSTGRES_BIN") {
        return Some(dir.into());
    }
    let installed = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let newest = installed
        .filter_map(|d| d.file_name().to_string_lossy().parse::<u32>().ok())
        .max()?;
    Some(format!("/usr/lib/postgresql/{newest}/bin").into())
}

fn timescale() -> Option<String> {
    let shared = said(Command::new(postgres_dir()?.join("pg_config")).arg("--sharedir"));
    let dir = shared.map(PathBuf::from).or_else(|| {
        let major = postgres_dir()?.parent()?.file_name()?.to_owned();
        Some(Path::new("/usr/share/postgresql").join(major))
    })?;
    let control = fs::read_to_string(dir.join("extension/timescaledb.control")).ok()?;
    let line = control.lines().find(|l| l.starts_with("default_version"))?;
    line.split('\'').nth(1).map(str::to_owned)
}

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
