//! A database for a test, on a server that all tests share.
//!
//! The server is the one that DASH_TEST_DATABASE_URL names (the command `test-postgres` starts one and sets it); without that, one is
//! started for this process and stopped when its last [`TestDatabase`] is dropped. Each database is a copy of a template
//! that is migrated once, which costs some ten milliseconds.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, LazyLock, Weak},
    thread,
};

use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio_postgres::{Client, NoTls};

use crate::{
    Db, PoolSizes,
    embedded::{Durability, Embedded, EmbeddedError, Options},
};

/// Names the server that tests use; its role must be allowed to create databases.
pub const URL_VARIABLE: &str = "DASH_TEST_DATABASE_URL";

/// The advisory lock under which the template is made.
const TEMPLATE_LOCK: i64 = 0x6461_7368_0000_0002;

/// A migrated database of its own; dropped when this is.
pub struct TestDatabase {
    db: Db,
    url: SecretString,
    name: String,
    server: Server,
}

impl TestDatabase {
    /// A database at the newest schema.
    ///
    /// # Panics
    /// When there is no server and none can be started.
    pub async fn new() -> Self {
        let server = Server::get().await;
        let template = ensure_template(&server.url).await;
        Self::make(server, &format!("TEMPLATE {template}")).await
    }

    /// A database without any table.
    ///
    /// # Panics
    /// As [`TestDatabase::new`].
    pub async fn empty() -> Self {
        Self::make(Server::get().await, "").await
    }

    async fn make(server: Server, template: &str) -> Self {
        let name = format!("dash_test_{}", uuid::Uuid::now_v7().simple());
        let create = format!("CREATE DATABASE {name} {template}");
        admin(&server.url)
            .await
            .batch_execute(&create)
            .await
            .expect("a database can be created");
        let url = with_database(&server.url, &name);
        let sizes = PoolSizes { rows: 4, metrics: 4 };
        let db = Db::connect(&url, sizes).await.expect("the new database can be used");
        Self { db, url, name, server }
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Its address, for servers under test that make pools of their own.
    pub fn url(&self) -> &SecretString {
        &self.url
    }
}

/// DASH_SECRET_KEY of all servers that this process starts.
pub fn secret_key() -> &'static str {
    static KEY: LazyLock<SecretString> = LazyLock::new(|| dash_vault::Key::random().to_hex());
    KEY.expose_secret()
}

impl std::ops::Deref for TestDatabase {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.db.close();
        let drop_it = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let url = self.server.url.clone();
        // A test's runtime may be ending, or have one thread only, which is busy here.
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let dropped = runtime.block_on(async { admin(&url).await.batch_execute(&drop_it).await });
            dropped.map_err(std::io::Error::other)
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            tracing::warn!(database = self.name, "a test database could not be dropped");
        }
    }
}

/// A PostgreSQL in a directory of its own that goes away with it. For tests and for `test-postgres`.
pub struct TestServer {
    embedded: Embedded,
    // Dropped after the server has ended.
    _dir: Option<TempDir>,
}

impl TestServer {
    /// Starts one in `dir`, or in a temporary directory.
    pub async fn start(dir: Option<&Path>) -> Result<Self, EmbeddedError> {
        let temporary = match dir {
            Some(_) => None,
            None => Some(temporary_dir().map_err(|source| EmbeddedError::Io {
                what: "cannot make a temporary directory".into(),
                source,
            })?),
        };
        let home = temporary.as_ref().map(TempDir::path).or(dir).unwrap_or(Path::new("."));
        let mut options = Options::new(home.join("postgres"));
        options.durability = Durability::ProcessOnly;
        options.binaries = env::var_os("DASH_POSTGRES_BIN").map(Into::into);
        options.max_connections = 300;
        Ok(Self {
            embedded: Embedded::start(options).await?,
            _dir: temporary,
        })
    }

    pub fn url(&self) -> SecretString {
        self.embedded.url()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Err(error) = self.embedded.stop_blocking() {
            tracing::warn!(%error, "the test server did not stop");
        }
    }
}

/// A temporary directory that PostgreSQL's user can pass through.
pub fn temporary_dir() -> std::io::Result<TempDir> {
    let dir = tempfile::Builder::new().prefix("dash-test-").tempdir()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711))?;
    Ok(dir)
}

#[derive(Clone)]
struct Server {
    url: SecretString,
    // Stops the process's own server with the last database.
    _own: Option<Arc<TestServer>>,
}

impl Server {
    async fn get() -> Self {
        static OWN: Mutex<Weak<TestServer>> = Mutex::const_new(Weak::new());
        if let Ok(url) = env::var(URL_VARIABLE) {
            return Self {
                url: url.into(),
                _own: None,
            };
        }
        let mut own = OWN.lock().await;
        let server = match own.upgrade() {
            Some(server) => server,
            None => {
                let server = Arc::new(TestServer::start(None).await.expect("a PostgreSQL for tests"));
                *own = Arc::downgrade(&server);
                server
            }
        };
        Self {
            url: server.url(),
            _own: Some(server),
        }
    }
}

/// Makes the template unless it is there, and answers its name, which is a fingerprint of the migrations: a server that outlives
/// a change of them gets a new one.
async fn ensure_template(url: &SecretString) -> String {
    let name = format!("dash_template_{}", env!("DASH_MIGRATIONS_HASH"));
    let client = admin(url).await;
    let exists = || async {
        let ask = "SELECT 1 FROM pg_database WHERE datname = $1 AND datistemplate";
        client
            .query_opt(ask, &[&name])
            .await
            .expect("databases can be listed")
            .is_some()
    };
    if exists().await {
        return name;
    }
    let lock = "SELECT pg_advisory_lock($1)";
    client
        .execute(lock, &[&TEMPLATE_LOCK])
        .await
        .expect("the lock can be taken");
    if !exists().await {
        // Half of one, of a process that was killed, is no template yet.
        let make = [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name}"),
        ];
        for statement in make {
            client
                .batch_execute(&statement)
                .await
                .expect("a template can be created");
        }
        crate::migrate(&with_database(url, &name))
            .await
            .expect("the template can be migrated");
        // A database that somebody is connected to cannot be copied, and TimescaleDB's scheduler connects to all it may.
        let close = format!(
            "ALTER DATABASE {name} ALLOW_CONNECTIONS false;
             SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}';
             ALTER DATABASE {name} IS_TEMPLATE true"
        );
        client.batch_execute(&close).await.expect("the template can be closed");
    }
    let unlock = "SELECT pg_advisory_unlock($1)";
    client
        .execute(unlock, &[&TEMPLATE_LOCK])
        .await
        .expect("the lock can be let go");
    name
}

async fn admin(url: &SecretString) -> Client {
    let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls)
        .await
        .expect("the test server answers");
    tokio::spawn(connection);
    client
}

/// The same server, another database.
fn with_database(url: &SecretString, name: &str) -> SecretString {
    let url = url.expose_secret();
    let (address, parameters) = url.split_once('?').map_or((url, None), |(a, p)| (a, Some(p)));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..]
        .find('/')
        .map_or(address.len(), |at| authority + at);
    let parameters = parameters.map(|p| format!("?{p}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &address[..end]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_of_the_same_server_keeps_everything_else() {
        for (url, other) in [
            ("postgres://u:p@h:1/d", "postgres://u:p@h:1/x"),
            ("postgres://u@/d?host=%2Frun", "postgres://u@/x?host=%2Frun"),
            ("postgres://h", "postgres://h/x"),
        ] {
            assert_eq!(with_database(&url.into(), "x").expose_secret(), other);
        }
    }
}
