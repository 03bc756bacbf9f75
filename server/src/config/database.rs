//! The database: an address, or the private server.

use std::path::PathBuf;

use dash_db::PoolSizes;
use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, Process, reader::Reader, variables};

#[derive(Clone, Debug)]
pub struct Database {
    /// DATABASE_URL; nothing for the private server.
    pub url: Option<SecretString>,
    /// Where the private server keeps its data.
    pub embedded: PathBuf,
    /// DASH_POSTGRES_BIN
    pub binaries: Option<PathBuf>,
    /// DASH_DB_ROWS, DASH_DB_METRICS
    pub pools: PoolSizes,
}

impl Database {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(
        reader: &mut Reader<'_, F>,
        process: &Process,
    ) -> Result<Self, ConfigError> {
        let url = reader.secret("DATABASE_URL")?;
        if let (Some(url), Some(variable)) = (&url, variables::find("DATABASE_URL")) {
            let text = url.expose_secret();
            if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
                return Err(ConfigError::wrong(variable, text));
            }
        }
        let count = |text: &str| text.parse().ok().filter(|n| (1..=1_000).contains(n));
        Ok(Self {
            url,
            embedded: process.data.join("postgres"),
            binaries: reader.optional("DASH_POSTGRES_BIN", |text| Some(text.into()))?,
            pools: PoolSizes {
                rows: reader.required("DASH_DB_ROWS", count)?,
                metrics: reader.required("DASH_DB_METRICS", count)?,
            },
        })
    }
}
