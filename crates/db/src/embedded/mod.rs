//! A private PostgreSQL, for whoever has configured none: made, started and stopped with Dash, from the binaries on the machine.
//!
//! What lies in its directory, and whose it is, is told in [`place`]; as whom it runs in [`account`].
//!
//! - It listens on a Unix socket in a directory of mode 700, and on no port: there is no port to be in use, and nothing for the
//!   network to reach.
//! - Authentication is `peer`: the kernel tells PostgreSQL which user connects, and only the one who started Dash (and the one
//!   PostgreSQL runs as) is let in. So there is no password to keep, to leak or to rotate.
//! - It ends with Dash, also with one that is killed: PostgreSQL is sent SIGINT (fast shutdown) when its parent dies. A server that
//!   is left over nevertheless is stopped by `pg_ctl` at the next start.

mod account;
mod binaries;
mod cluster;
mod leftover;
mod place;
mod process;
mod running;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use nix::sys::signal::Signal;
use secrecy::SecretString;
use tokio_postgres::NoTls;

use crate::error::chain;

pub use running::running;

/// Where and how the private server runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its own directory; made when absent.
    pub dir: PathBuf,
    /// Where it logs; `postgres.log` in `dir` when absent.
    pub log: Option<PathBuf>,
    /// The directory of `postgres` and `initdb` (DASH_POSTGRES_BIN); looked for when absent.
    pub binaries: Option<PathBuf>,
    /// Where the data goes when `dir` cannot be reached by the user that PostgreSQL runs as; `/var/lib/dash`.
    pub fallback: PathBuf,
    pub durability: Durability,
    pub max_connections: u16,
}

impl Options {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            log: None,
            binaries: None,
            fallback: "/var/lib/dash".into(),
            durability: Durability::Full,
            max_connections: 60,
        }
    }
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Everything: fsync and synchronous commit.
    Full,
    /// The death of any process, not that of the machine. For tests.
    ProcessOnly,
}

#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    #[error(
        "no usable PostgreSQL {wanted} was found (looked in {looked}); install one, for example with `apt-get install postgresql-{install}`, or name the directory of `postgres` and `initdb` in DASH_POSTGRES_BIN, or an address in DATABASE_URL"
    )]
    NotFound {
        wanted: String,
        looked: String,
        install: u32,
    },
    #[error(
        "DASH_POSTGRES_BIN: {dir} is not usable: {why}; name the directory of `postgres`, `initdb` and `pg_ctl` of version 15 or newer"
    )]
    Binaries { dir: PathBuf, why: String },
    #[error("DASH_DATA: {dir} is in use by another Dash; stop that one, or give this one a directory of its own")]
    InUse { dir: PathBuf },
    #[error(
        "PostgreSQL refuses to run as root, and there is neither a user postgres nor a user nobody to run it as; create one, or name an address in DATABASE_URL"
    )]
    NoAccount,
    #[error(
        "the user id {0} has no name (in /etc/passwd), and PostgreSQL needs one; add it, or name an address in DATABASE_URL"
    )]
    NoName(u32),
    #[error(
        "DASH_DATA: {dir} holds a database, but the user {user}, as whom PostgreSQL runs, cannot reach it; let it pass through the directories above (chmod o+x)"
    )]
    Unreachable { dir: PathBuf, user: String },
    #[error("a PostgreSQL of {data} is left over (processes {pids:?}) and does not stop; stop it with `pg_ctl stop -D {data}`", data = .data.display())]
    Leftover { data: PathBuf, pids: Vec<i32> },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("{what}; its last words: {words}")]
    Failed { what: String, words: String },
    #[error("the private PostgreSQL started, but does not answer: {0}")]
    Silent(String),
}

/// Makes an [`EmbeddedError::Io`] that says what was tried, and on what.
fn io_error(what: &str, path: &Path) -> impl FnOnce(io::Error) -> EmbeddedError {
    let what = format!("{what} {}", path.display());
    move |source| EmbeddedError::Io { what, source }
}

/// Role and database that Dash uses.
const NAME: &str = "dash";

/// A fast shutdown writes a checkpoint; after this long it is made an immediate one, which the next start recovers from.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// A running private server. Dropped without [`Embedded::stop`], it is told to stop and not waited for.
pub struct Embedded {
    process: process::Process,
    url: String,
    place: place::Place,
}

impl Embedded {
    /// Makes the database where there is none, clears away what a crash left, starts the server and waits until it answers.
    pub async fn start(options: Options) -> Result<Self, EmbeddedError> {
        let started = tokio::task::spawn_blocking(move || Self::start_blocking(&options));
        let embedded = started.await.map_err(|e| EmbeddedError::Silent(e.to_string()))??;
        embedded
            .ensure_database()
            .await
            .map_err(|e| EmbeddedError::Silent(chain(&e)))?;
        Ok(embedded)
    }

    fn start_blocking(options: &Options) -> Result<Self, EmbeddedError> {
        let account = account::Account::choose()?;
        let (mut place, lock) = place::Place::claim(options, &account)?;
        let binaries = binaries::Binaries::find(options.binaries.as_deref(), place.major(), &account)?;
        leftover::clear(&place, &binaries, &account)?;
        place.make_run_dir(&account)?;
        if place.major().is_none() {
            cluster::initialise(&place, &binaries, &account, options.durability)?;
        }
        let process = cluster::start(&place, &binaries, &account, options, lock)?;
        Ok(Self {
            process,
            url: url_of(place.run(), NAME),
            place,
        })
    }

    async fn ensure_database(&self) -> Result<(), tokio_postgres::Error> {
        let url = url_of(self.place.run(), "postgres");
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        let connection = tokio::spawn(connection);
        let exists = client
            .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&NAME])
            .await?;
        if exists.is_none() {
            client.batch_execute(&format!("CREATE DATABASE {NAME}")).await?;
        }
        drop(client);
        connection.abort();
        Ok(())
    }

    /// The address of its database, for this program, for `psql` and for every other client of the same user.
    pub fn url(&self) -> SecretString {
        self.url.as_str().into()
    }

    /// Where the data is: below [`Options::dir`], or below [`Options::fallback`].
    pub fn data_dir(&self) -> &Path {
        self.place.data()
    }

    /// Where it logs.
    pub fn log(&self) -> &Path {
        self.place.log()
    }

    /// Ends when the server has ended, whoever wanted that.
    pub async fn exited(&self) -> Option<ExitStatus> {
        self.process.exited().await
    }

    /// Stops the server (fast shutdown: connections are closed, everything is written) and waits until it has ended.
    pub async fn stop(self) -> Result<(), EmbeddedError> {
        tokio::task::spawn_blocking(move || self.stop_blocking())
            .await
            .map_err(|e| EmbeddedError::Silent(e.to_string()))?
    }

    pub(crate) fn stop_blocking(&self) -> Result<(), EmbeddedError> {
        self.process.signal(Signal::SIGINT);
        let mut ended = self.process.wait(STOP_PATIENCE);
        if ended.is_none() {
            tracing::warn!(
                "the private PostgreSQL does not end; it is stopped at once and will recover at the next start"
            );
            self.process.signal(Signal::SIGQUIT);
            ended = self.process.wait(Duration::from_secs(10));
        }
        match ended {
            Some(_) => Ok(()),
            None => Err(EmbeddedError::Leftover {
                data: self.place.data().to_owned(),
                pids: vec![self.process.pid()],
            }),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.process.signal(Signal::SIGINT);
    }
}

/// [`place::Place::run`] has no character that an address must escape, but for the slashes.
fn url_of(run: &Path, database: &str) -> String {
    let host = run.display().to_string().replace('/', "%2F");
    format!("postgres://{NAME}@/{database}?host={host}")
}
