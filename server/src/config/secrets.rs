//! What secrets in the database are encrypted with.

use std::path::PathBuf;

use dash_vault::Key;

use super::{ConfigError, Database, Process, reader::Reader};

#[derive(Clone, Debug)]
pub struct Secrets {
    /// DASH_SECRET_KEY; nothing for the one in `file`.
    pub newest: Option<Key>,
    /// DASH_SECRET_KEYS_OLD
    pub older: Vec<Key>,
    /// Where the key of a server with a private database is, or will be.
    pub file: PathBuf,
}

impl Secrets {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(
        reader: &mut Reader<'_, F>,
        process: &Process,
        database: &Database,
    ) -> Result<Self, ConfigError> {
        let newest = reader.optional("DASH_SECRET_KEY", |text| text.parse().ok())?;
        let older = reader.optional("DASH_SECRET_KEYS_OLD", |text| {
            text.split(',').map(|key| key.parse().ok()).collect()
        })?;
        // A key beside a shared database would be another one on each node, and would not be where that database's backup is.
        if newest.is_none() && database.url.is_some() {
            return Err(ConfigError::Missing {
                variable: "DASH_SECRET_KEY",
                why: "DATABASE_URL is set, and secrets are encrypted before they are stored there; make one with `openssl rand -hex 32` and keep it apart from the database".into(),
            });
        }
        Ok(Self {
            newest,
            older: older.unwrap_or_default(),
            file: process.data.join("secret.key"),
        })
    }
}
