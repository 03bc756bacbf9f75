//! `server keys ...`: API keys of services, for whoever runs commands on the machine of the server.

use anyhow::bail;
use clap::Args;
use dash_accounts::api_key;
use dash_db::{
    AsyncConnection as _, RowConnection,
    store::{self, api_keys::NewApiKey, audit::Actor},
};
use dash_model::{DEFAULT_ORGANIZATION, Micros, account::Scope};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{database, organizations, print};
use crate::{access::record::recorded, config::Config, failure::Failure};

#[derive(Args)]
pub struct Create {
    /// By which people tell keys apart.
    #[arg(long)]
    name: String,
    /// ingest, read, write or admin
    #[arg(long)]
    scope: Scope,
    /// Days until it expires; never when absent.
    #[arg(long)]
    days: Option<u32>,
    /// Slug of the organization; the first one when absent.
    #[arg(long)]
    organization: Option<String>,
}

/// Makes a key and prints it as JSON, the only time that it is shown.
pub async fn create(config: &Config, arguments: &Create) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let mut connection = opened.db.diesel().await?;
    let made = make(&mut connection, arguments).await;
    drop(connection);
    opened.close().await?;
    print(&serde_json::to_string_pretty(&made?)?)
}

async fn make(connection: &mut RowConnection, arguments: &Create) -> anyhow::Result<serde_json::Value> {
    let organization = organizations::named(connection, arguments.organization.as_deref()).await?;
    let (key, now) = (api_key::new(), crate::clock::now());
    let expires_at = arguments
        .days
        .map(|days| Micros(now.0 + i64::from(days) * 86_400 * 1_000_000));
    let write = async |conn: &mut RowConnection| {
        let new = NewApiKey {
            team: None,
            user: None,
            name: &arguments.name,
            public: &key.kept.public,
            hash: &key.kept.hash,
            scope: arguments.scope,
            now,
            expires_at,
        };
        let made = store::api_keys::create(conn, organization, &new).await?;
        let (of, target) = ((organization, Actor::operator()), format!("key {}", arguments.name));
        let key = json!({"key": format!("dash_{}", made.public), "scope": made.scope, "service": true, "expires_at": made.expires_at});
        recorded(conn, of, "key.create", target, (None, Some(key))).await?;
        Ok::<_, Failure>(made)
    };
    let made = connection.transaction(write).await?;
    Ok(json!({"id": made.id, "name": made.name, "scope": made.scope, "key": key.whole.expose_secret()}))
}

/// Keys of services, as JSON.
pub async fn list(config: &Config) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let keys = store::api_keys::list(&mut *opened.db.diesel().await?, DEFAULT_ORGANIZATION, None).await;
    opened.close().await?;
    let rows: Vec<_> = keys?
        .iter()
        .map(|key| json!({"id": key.id, "name": key.name, "key": format!("dash_{}", key.public), "scope": key.scope, "last_used_at": key.last_used_at, "expires_at": key.expires_at}))
        .collect();
    print(&serde_json::to_string_pretty(&rows)?)
}

/// Revokes a key by its id or its public part.
pub async fn revoke(config: &Config, key: &str) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let mut connection = opened.db.diesel().await?;
    let revoked = end(&mut connection, key).await;
    drop(connection);
    opened.close().await?;
    print(&format!("the key {} is revoked", revoked?))
}

async fn end(connection: &mut RowConnection, key: &str) -> anyhow::Result<String> {
    let keys = store::api_keys::list(connection, DEFAULT_ORGANIZATION, None).await?;
    let named = |k: &&store::api_keys::ApiKey| k.id.to_string() == key || format!("dash_{}", k.public) == key;
    let Some(found) = keys.iter().find(named) else {
        bail!("there is no key {key:?}; `server keys list` lists them");
    };
    let now = crate::clock::now();
    let write = async |conn: &mut RowConnection| {
        store::api_keys::revoke(conn, DEFAULT_ORGANIZATION, found.id, now).await?;
        let (of, target) = ((DEFAULT_ORGANIZATION, Actor::operator()), format!("key {}", found.name));
        let key = json!({"key": format!("dash_{}", found.public), "scope": found.scope});
        recorded(conn, of, "key.revoke", target, (Some(key), None)).await
    };
    connection.transaction(write).await?;
    Ok(found.name.clone())
}
