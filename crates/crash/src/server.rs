//! The real server, as a process that can be killed.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::process::{Child, Command};

/// What a server is started with, again and again.
pub struct Program {
    path: PathBuf,
    data: PathBuf,
    log: PathBuf,
    port: u16,
    variables: Vec<(&'static str, String)>,
    lives: u32,
}

/// What `pipelines create` prints.
#[derive(Deserialize)]
pub struct Created {
    pub slug: String,
    pub ingest_key: String,
}

/// A key as `server keys create` prints it.
#[derive(Deserialize)]
pub struct Reader {
    pub key: String,
}

impl Program {
    /// Of the binary at `path`; its files go below `dir`.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn new(path: &Path, dir: &Path, variables: Vec<(&'static str, String)>) -> anyhow::Result<Self> {
        let free = TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
        Ok(Self {
            path: path.to_owned(),
            data: dir.join("data"),
            log: dir.join("server.log"),
            port: free.local_addr()?.port(),
            variables,
            lives: 0,
        })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where every life of the server logs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    fn command(&self, spool: &Path, port: u16) -> Command {
        let mut command = Command::new(&self.path);
        // Whoever starts this may have a Dash of their own configured.
        command.env_clear();
        for kept in ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("DASH_ADDR", format!("127.0.0.1:{port}"))
            .env("NO_COLOR", "1")
            .env("DASH_DATA", &self.data)
            .env("DASH_SPOOL", spool)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Makes a pipeline with the command line.
    pub async fn create_pipeline(&self, spool: &Path, definition: &Path) -> anyhow::Result<Created> {
        let mut command = self.command(spool, 0);
        command.args(["pipelines", "create", "--file"]).arg(definition);
        self.made(command).await
    }

    /// Makes a key that reads figures.
    pub async fn create_reader(&self, spool: &Path) -> anyhow::Result<Reader> {
        let mut command = self.command(spool, 0);
        command.args(["keys", "create", "--scope", "read", "--name", "crash"]);
        self.made(command).await
    }

    async fn made<T: DeserializeOwned>(&self, mut command: Command) -> anyhow::Result<T> {
        let out = command
            .output()
            .await
            .with_context(|| format!("running {}", self.path.display()))?;
        if !out.status.success() {
            bail!("{command:?} failed: {}", String::from_utf8_lossy(&out.stderr).trim());
        }
        serde_json::from_slice(&out.stdout).context("reading what the server printed")
    }

    /// Starts a life.
    pub fn start(&mut self, spool: &Path) -> anyhow::Result<Server> {
        self.start_on(spool, self.port)
    }

    /// Starts a life on a port that nobody sends to.
    pub fn start_aside(&mut self, spool: &Path) -> anyhow::Result<Server> {
        self.start_on(spool, 0)
    }

    fn start_on(&mut self, spool: &Path, port: u16) -> anyhow::Result<Server> {
        self.lives += 1;
        let mut log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        writeln!(log, "--- life {} ---", self.lives)?;
        let log_start = log.metadata()?.len();
        let mut command = self.command(spool, port);
        command.arg("serve").stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("starting {}", self.path.display()))?;
        Ok(Server {
            child,
            started,
            log: self.log.clone(),
            log_start,
        })
    }
}

/// One life of the server. Killed when dropped.
pub struct Server {
    child: Child,
    pub started: Instant,
    log: PathBuf,
    log_start: u64,
}

impl Server {
    /// SIGKILL.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("killing the server")
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(mut self) -> anyhow::Result<ExitStatus> {
        let pid = self.child.id().context("the server has ended already")?;
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM)?;
        self.ended(Duration::from_secs(60)).await
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// When it does not come in time.
    pub async fn ended(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let ended = tokio::time::timeout(patience, self.child.wait()).await;
        Ok(ended.with_context(|| format!("the server did not end within {patience:?}"))??)
    }

    /// Fails when it has ended by itself.
    pub fn check_alive(&mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended by itself ({status}): {}", last_lines(&self.words()));
        }
        Ok(())
    }

    /// Waits until it says that it is ready, which it does once everything is open.
    pub async fn ready(&mut self, patience: Duration) -> anyhow::Result<()> {
        while !self.words().contains("Dash is ready") {
            self.check_alive()?;
            if self.started.elapsed() > patience {
                bail!(
                    "the server was not ready within {patience:?}: {}",
                    last_lines(&self.words())
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// What it logged in this life.
    pub fn words(&self) -> String {
        let read = || {
            let mut file = File::open(&self.log)?;
            file.seek(SeekFrom::Start(self.log_start))?;
            let mut text = Vec::new();
            file.read_to_end(&mut text)?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
        };
        read().unwrap_or_default()
    }
}

/// The end of a log, on one line.
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}
