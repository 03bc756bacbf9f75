//! The configuration: read once at the start, from the environment alone.
//!
//! [`variables`] is the one table of names, defaults and meanings. Each concern reads its own into a small struct;
//! `server config` prints [`Config::table`], `.env.sample` is [`sample`].

mod accounts;
mod database;
mod error;
mod ingest;
mod lake;
mod process;
mod reader;
mod sample;
mod secrets;
mod spool;
#[cfg(test)]
mod tests;
mod value;
pub mod variables;

use std::{net::SocketAddr, path::Path, time::Duration};

use self::reader::Reader;
pub use self::{
    accounts::{Accounts, Mail, Quotas, Rates},
    database::Database,
    error::{ConfigError, check_names},
    ingest::Ingest,
    lake::Lake,
    process::Process,
    reader::{Row, Source},
    sample::sample,
    secrets::Secrets,
};

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Config {
    pub process: Process,
    pub accounts: Accounts,
    pub database: Database,
    pub secrets: Secrets,
    pub lake: Lake,
    pub spool: dash_spool::Options,
    pub ingest: Ingest,
    rows: Vec<Row>,
}

impl Config {
    /// Reads the environment of this process, and refuses `DASH_*` names that nothing reads.
    ///
    /// # Errors
    /// The first thing that is wrong, as one line.
    pub fn from_process() -> Result<Self, ConfigError> {
        check_names(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
        Self::from_env(&|name| std::env::var(name).ok())
    }

    /// Reads variables through `get`; files that `*_FILE` variables name are read from disk.
    ///
    /// # Errors
    /// The first value that is wrong or missing, as one line.
    pub fn from_env(get: &impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(get);
        let process = Process::read(&mut reader)?;
        let database = Database::read(&mut reader, &process)?;
        let accounts = Accounts::read(&mut reader, &process, &database)?;
        let secrets = Secrets::read(&mut reader, &process, &database)?;
        let lake = Lake::read(&mut reader)?;
        let ingest = Ingest::read(&mut reader)?;
        let spool = spool::read(&mut reader, &process, &ingest)?;
        Ok(Self {
            process,
            accounts,
            database,
            secrets,
            lake,
            spool,
            ingest,
            rows: reader.rows(),
        })
    }

    /// Every variable with its value, secrets masked, and where it came from.
    pub fn table(&self) -> &[Row] {
        &self.rows
    }

    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.process.address
    }

    /// The directory of the built pages.
    pub fn site(&self) -> &Path {
        &self.process.site
    }

    /// How long a posted body may take to come.
    pub fn body_timeout(&self) -> Duration {
        self.ingest.body_timeout
    }
}
