//! The database of a command: the configured one, the embedded one of a server that runs, or one started for the while.

use std::sync::Arc;

use anyhow::Context;
use dash_db::{
    Db,
    embedded::{Embedded, Options},
};
use dash_vault::Vault;
use secrecy::SecretString;

use crate::{config::Config, vault};

/// `server migrate`
pub async fn migrate(config: &Config) -> anyhow::Result<()> {
    let opened = open(config).await?;
    let words = match opened.applied.len() {
        0 => "the database is up to date".to_owned(),
        _ => format!("applied {}", opened.applied.join(", ")),
    };
    opened.close().await?;
    super::print(&words)
}

/// A migrated database, and the server behind it when it is our own.
pub struct Opened {
    pub db: Db,
    pub vault: Arc<Vault>,
    pub applied: Vec<String>,
    pub embedded: Option<Embedded>,
}

/// Opens the database that the configuration names, or the embedded one.
pub async fn open(config: &Config) -> anyhow::Result<Opened> {
    let vault = Arc::new(vault::open(&config.secrets)?);
    let (url, embedded) = match &config.database.url {
        Some(url) => (url.clone(), None),
        None => start(config).await?,
    };
    let applied = dash_db::migrate(&url).await?;
    let db = Db::connect(&url, config.database.pools).await?;
    Ok(Opened {
        db,
        vault,
        applied,
        embedded,
    })
}

async fn start(config: &Config) -> anyhow::Result<(SecretString, Option<Embedded>)> {
    let mut options = Options::new(&config.database.embedded);
    options.binaries = config.database.binaries.clone();
    if let Some(url) = dash_db::embedded::running(&options) {
        return Ok((url, None));
    }
    let embedded = Embedded::start(options)
        .await
        .context("no DATABASE_URL is set, and the private PostgreSQL does not start")?;
    Ok((embedded.url(), Some(embedded)))
}

impl Opened {
    pub async fn close(self) -> anyhow::Result<()> {
        self.db.close();
        match self.embedded {
            Some(embedded) => Ok(embedded.stop().await?),
            None => Ok(()),
        }
    }
}
