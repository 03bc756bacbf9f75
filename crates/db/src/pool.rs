//! Two pools on one database: diesel's for rows, a plain one for COPY and for SQL that is made at run time.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, RecyclingMethod, Runtime};
use diesel::ConnectionError;
use diesel_async::{
    AsyncPgConnection, RunQueryDsl,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig as RowManagerConfig,
        deadpool::{Object, Pool as RowPool},
    },
};
use futures::FutureExt;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Config, NoTls, config::Host};

use crate::{DbError, error::chain};

/// A connection for diesel; it goes back to its pool when dropped.
pub type RowConnection = Object<AsyncPgConnection>;

/// Most connections of each pool. Both are opened when they are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSizes {
    /// For rows: pages, keys, manifests.
    pub rows: usize,
    /// For COPY and queries of metrics.
    pub metrics: usize,
}

impl Default for PoolSizes {
    fn default() -> Self {
        Self { rows: 10, metrics: 10 }
    }
}

/// How long a caller waits for a connection, to become free or to be opened.
const WAIT: Duration = Duration::from_secs(10);

/// The database. Cheap to clone; clones share the pools.
#[derive(Clone)]
pub struct Db {
    rows: RowPool<AsyncPgConnection>,
    metrics: deadpool_postgres::Pool,
    target: String,
}

impl Db {
    /// Opens the pools and asks one query, so that a wrong address is known at once.
    ///
    /// # Errors
    /// [`DbError::Url`] and [`DbError::Connect`]; the latter names host, port, database and user.
    pub async fn connect(url: &SecretString, sizes: PoolSizes) -> Result<Self, DbError> {
        let config = config(url)?;
        let target = target(&config);
        let unusable = |reason: String| DbError::Connect {
            target: target.clone(),
            reason,
        };

        let mut setup = RowManagerConfig::default();
        let row_config = config.clone();
        setup.custom_setup = Box::new(move |_| open(row_config.clone()).boxed());
        let rows = RowPool::builder(AsyncDieselConnectionManager::new_with_config("", setup))
            .max_size(sizes.rows.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .recycle_timeout(Some(WAIT))
            .build()
            .map_err(|e| unusable(chain(&e)))?;

        let recycling_method = RecyclingMethod::Fast;
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
        let metrics = deadpool_postgres::Pool::builder(manager)
            .max_size(sizes.metrics.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(WAIT))
            .recycle_timeout(Some(WAIT))
            .build()
            .map_err(|e| unusable(chain(&e)))?;

        let db = Self {
            rows,
            metrics,
            target: target.clone(),
        };
        let client = db.metrics.get().await.map_err(|e| unusable(chain(&e)))?;
        client.simple_query("SELECT 1").await.map_err(|e| unusable(chain(&e)))?;
        drop(client);
        Ok(db)
    }

    /// A connection for the functions of [`crate::store`].
    pub async fn diesel(&self) -> Result<RowConnection, DbError> {
        self.rows.get().await.map_err(|e| DbError::Pool(chain(&e)))
    }

    /// A connection that is nobody else's and does not go back to a pool, for LISTEN.
    pub async fn detached(&self) -> Result<AsyncPgConnection, DbError> {
        Ok(Object::take(self.diesel().await?))
    }

    /// A connection for COPY and for SQL made at run time.
    pub async fn client(&self) -> Result<deadpool_postgres::Client, DbError> {
        self.metrics.get().await.map_err(|e| DbError::Pool(chain(&e)))
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), DbError> {
        diesel::sql_query("SELECT 1").execute(&mut self.diesel().await?).await?;
        Ok(())
    }

    /// Host, port, database and user, for people.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Closes both pools: who waits for a connection is refused.
    pub fn close(&self) {
        self.rows.close();
        self.metrics.close();
    }
}

/// What both pools connect with.
pub(crate) fn config(url: &SecretString) -> Result<Config, DbError> {
    let mut config: Config = url.expose_secret().parse().map_err(|_| DbError::Url)?;
    if config.get_hosts().is_empty() {
        return Err(DbError::Url);
    }
    config.connect_timeout(WAIT);
    if config.get_application_name().is_none() {
        config.application_name("dash");
    }
    Ok(config)
}

/// One connection for diesel.
pub(crate) async fn open(config: Config) -> Result<AsyncPgConnection, ConnectionError> {
    let bad = |e: tokio_postgres::Error| ConnectionError::BadConnection(chain(&e));
    let (client, connection) = config.connect(NoTls).await.map_err(bad)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// Host, port, database and user of `config`.
pub(crate) fn target(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(i, host)| match host {
        Host::Tcp(name) => {
            // One port may stand for all hosts.
            let port = config.get_ports().get(i).or_else(|| config.get_ports().first());
            format!("{name}:{}", port.copied().unwrap_or(5432))
        }
        Host::Unix(path) => path.display().to_string(),
    });
    let hosts = hosts.collect::<Vec<_>>().join(",");
    let user = config.get_user().unwrap_or("the operating system's user");
    format!("{hosts}, database {}, user {user}", config.get_dbname().unwrap_or(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_everything_but_the_password() {
        let url = "postgres://ann:s3cret@db.example:6000/metrics?host=%2Frun%2Fpg".into();
        let named = target(&config(&url).expect("an address"));
        assert_eq!(named, "db.example:6000,/run/pg, database metrics, user ann");
    }

    #[test]
    fn what_is_no_address_is_not_quoted() {
        for url in [
            "s3cret",
            "postgres://h/d?s3cret=1",
            "mysql://u:s3cret@h/d",
            "postgres://",
        ] {
            let error = config(&url.into()).expect_err("no address");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
