//! A real PostgreSQL of its own, durable, that can be crashed in the middle of a COPY, frozen and started again where it was.

use std::{
    fs,
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use dash_db::embedded::{Embedded, Options};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use secrecy::ExposeSecret;
use tokio_postgres::{Client, NoTls};

/// The server; nothing runs between [`Postgres::stop_immediately`] and [`Postgres::start_again`].
pub struct Postgres {
    options: Options,
    embedded: Option<Embedded>,
    url: String,
    data: PathBuf,
    /// Processes that were stopped and have to go on.
    frozen: Vec<i32>,
}

/// A COPY that was under way when the server was crashed.
#[derive(Clone, Copy, Debug)]
pub struct Caught {
    /// Bytes of the COPY that the server had read by then.
    pub bytes: i64,
    /// Tries that came too late.
    pub missed: u32,
}

/// Longest time to wait for a COPY.
const CATCH: Duration = Duration::from_secs(20);

impl Postgres {
    /// Makes one in `dir` and starts it, fsync on.
    pub async fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut options = Options::new(dir);
        options.binaries = std::env::var_os("DASH_POSTGRES_BIN").map(Into::into);
        let embedded = Embedded::start(options.clone()).await?;
        Ok(Self {
            url: embedded.url().expose_secret().to_owned(),
            data: embedded.data_dir().to_owned(),
            options,
            embedded: Some(embedded),
            frozen: Vec::new(),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection of the harness's own.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls)
            .await
            .context("connecting to PostgreSQL")?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// What durability it runs with, for the report.
    pub async fn settings(&self) -> anyhow::Result<String> {
        let sql = "SELECT version(), current_setting('fsync'), current_setting('synchronous_commit'),
            coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), 'none')";
        let row = self.client().await?.query_one(sql, &[]).await?;
        let version: String = row.get(0);
        let version: Vec<&str> = version.split(' ').take(2).collect();
        let (fsync, commit, timescale): (String, String, String) = (row.get(1), row.get(2), row.get(3));
        if (fsync.as_str(), commit.as_str()) != ("on", "on") {
            bail!("PostgreSQL runs with fsync={fsync} and synchronous_commit={commit}; nothing could be concluded");
        }
        Ok(format!(
            "{}, TimescaleDB {timescale}, fsync {fsync}, synchronous_commit {commit}",
            version.join(" ")
        ))
    }

    /// Waits for a COPY into `metrics`, holds the process that does it, makes sure that it is still at it, and stops the server
    /// at once, as a crash would. Nothing when no COPY was caught; the server runs on then.
    pub async fn crash_in_copy(&mut self) -> anyhow::Result<Option<Caught>> {
        let client = self.client().await?;
        let copying = client
            .prepare(
                "SELECT p.pid, p.bytes_processed
                FROM pg_stat_progress_copy p JOIN pg_stat_activity a USING (pid)
                WHERE p.bytes_processed > 0 AND a.state = 'active' AND a.query LIKE 'COPY metrics %'",
            )
            .await?;
        let (begun, mut missed) = (Instant::now(), 0);
        while begun.elapsed() < CATCH {
            let Some(row) = client.query_opt(&copying, &[]).await? else {
                continue;
            };
            let pid: i32 = row.get(0);
            kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
            self.frozen.push(pid);
            // It may have been done before it was held, or be held in the middle of saying how far it is.
            let still = tokio::time::timeout(Duration::from_millis(500), client.query_opt(&copying, &[])).await;
            let still = still.ok().and_then(Result::ok).flatten();
            if let Some(row) = still.filter(|row| row.get::<_, i32>(0) == pid) {
                // What `pg_ctl stop -m immediate` sends, without its start-up time. The postmaster passes it on to the process that
                // is held, which takes it as the first thing when it is let go.
                kill(Pid::from_raw(self.postmaster()?), Signal::SIGQUIT)?;
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.thaw();
                self.stop_immediately().await?;
                let bytes = row.get(1);
                return Ok(Some(Caught { bytes, missed }));
            }
            self.thaw();
            missed += 1;
        }
        Ok(None)
    }

    /// `pg_ctl stop -m immediate`: no checkpoint, no farewell; the next start recovers from the log.
    pub async fn stop_immediately(&mut self) -> anyhow::Result<()> {
        let Some(embedded) = self.embedded.take() else {
            return Ok(());
        };
        if let Ok(postmaster) = self.postmaster() {
            let program = fs::read_link(format!("/proc/{postmaster}/exe"));
            // It may be on its way out already.
            if let Some(bin) = program.ok().and_then(|p| Some(p.parent()?.to_owned())) {
                let data = self.data.clone();
                tokio::task::spawn_blocking(move || pg_ctl(&bin, &data)).await??;
            }
        }
        let ended = tokio::time::timeout(Duration::from_secs(30), embedded.exited()).await;
        ended.context("PostgreSQL did not stop within 30 s")?;
        Ok(())
    }

    /// Starts it on the same data, under the same address.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let embedded = Embedded::start(self.options.clone()).await?;
        if embedded.url().expose_secret() != self.url {
            bail!("PostgreSQL came back under another address");
        }
        self.embedded = Some(embedded);
        Ok(())
    }

    /// SIGSTOP to all of its processes; answers how many there are.
    pub fn freeze(&mut self) -> anyhow::Result<usize> {
        // The postmaster first, so that it starts none meanwhile.
        let postmaster = self.postmaster()?;
        kill(Pid::from_raw(postmaster), Signal::SIGSTOP)?;
        self.frozen.push(postmaster);
        for pid in processes(&self.data).into_iter().filter(|pid| *pid != postmaster) {
            // One that ends by itself in this moment needs no stop.
            let _ = kill(Pid::from_raw(pid), Signal::SIGSTOP);
            self.frozen.push(pid);
        }
        Ok(self.frozen.len())
    }

    /// SIGCONT to whatever was stopped.
    pub fn thaw(&mut self) {
        for pid in self.frozen.drain(..) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
    }

    /// Stops it for good.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.thaw();
        match self.embedded.take() {
            Some(embedded) => Ok(embedded.stop().await?),
            None => Ok(()),
        }
    }

    fn postmaster(&self) -> anyhow::Result<i32> {
        let file = self.data.join("postmaster.pid");
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        text.lines()
            .next()
            .and_then(|l| l.trim().parse().ok())
            .context("postmaster.pid has no number")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.thaw();
    }
}

/// Runs `pg_ctl` as who owns the data: it refuses root.
fn pg_ctl(bin: &Path, data: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(bin.join("pg_ctl"));
    command
        .args(["stop", "-m", "immediate", "-w", "-t", "30", "-D"])
        .arg(data)
        .current_dir("/");
    if geteuid().is_root() {
        let owner = fs::metadata(data)?;
        command.uid(owner.uid()).gid(owner.gid());
    }
    let out = command.output().context("running pg_ctl")?;
    // It also fails when the server was gone before it looked.
    if !out.status.success() && !processes(data).is_empty() {
        bail!("pg_ctl stop failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}

/// Every process that works in `data`.
fn processes(data: &Path) -> Vec<i32> {
    let Ok(data) = fs::canonicalize(data) else {
        return Vec::new();
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data))
        .collect()
}
