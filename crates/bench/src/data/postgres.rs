//! A PostgreSQL of a row's own: the embedded one with the settings of `make run`, fsync included, in a directory of the run.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use dash_db::{
    Db, PoolSizes,
    embedded::{Embedded, Options},
};
use dash_metrics::{Engine, Mode, Silver, SilverOptions};
use dash_model::{DEFAULT_ORGANIZATION, MappingVersionId, PipelineId};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

use super::cpu::Pinned;
use crate::context::Context;

/// On the subject's core, with fsync on. It stops when it is dropped, and its data goes.
pub struct Postgres {
    embedded: Option<Embedded>,
    options: Options,
    data: PathBuf,
    _dir: TempDir,
}

impl Postgres {
    /// # Errors
    /// When there is no PostgreSQL or it does not start.
    pub async fn start(ctx: &Context, name: &str) -> anyhow::Result<Self> {
        let dir = ctx.scratch(name)?;
        let mut options = Options::new(dir.path().join("postgres"));
        // Not where an installed Dash keeps its own.
        options.fallback = dir.path().join("fallback");
        let embedded = start(options.clone()).await?;
        Ok(Self {
            data: embedded.data_dir().to_owned(),
            embedded: Some(embedded),
            options,
            _dir: dir,
        })
    }

    fn running(&self) -> anyhow::Result<&Embedded> {
        self.embedded
            .as_ref()
            .context("PostgreSQL was stopped and did not start again")
    }

    /// Stops it, drops what the kernel holds of its files where that is allowed, and starts it again. Whether they were dropped.
    ///
    /// # Errors
    /// When it does not stop or start.
    pub async fn restart(&mut self) -> anyhow::Result<bool> {
        if let Some(embedded) = self.embedded.take() {
            embedded.stop().await?;
        }
        nix::unistd::sync();
        let dropped = fs::write("/proc/sys/vm/drop_caches", "3").is_ok();
        self.embedded = Some(start(self.options.clone()).await?);
        Ok(dropped)
    }

    /// A new database with Silver's tables and one pipeline. `None` when TimescaleDB was asked for and is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn database(&self, name: &str, engine: Engine) -> anyhow::Result<Option<Database>> {
        let embedded = self.running()?;
        let (admin, connection) =
            tokio_postgres::connect(embedded.url().expose_secret(), tokio_postgres::NoTls).await?;
        let connection = tokio::spawn(connection);
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await?;
        drop(admin);
        connection.abort();
        let url = self.url(name)?;
        dash_db::migrate(&url).await?;
        let (db, silver) = open(&url, engine).await?;
        if engine == Engine::Auto && *silver.mode() == Mode::Plain {
            return Ok(None);
        }
        let pipeline = PipelineId(uuid::Uuid::now_v7());
        let client = db.client().await?;
        client
            .execute(
                "INSERT INTO pipelines (id, organization_id, slug, name, description, source)
                VALUES ($1, $2, 'bench', 'Bench', '', '{}')",
                &[&pipeline.0, &DEFAULT_ORGANIZATION.0],
            )
            .await?;
        let mut database = Database {
            url,
            db: db.clone(),
            silver,
            pipeline,
            version: MappingVersionId(0),
        };
        database.version = database.new_version(1).await?;
        Ok(Some(database))
    }

    /// The address of one of its databases.
    ///
    /// # Errors
    /// When it does not run.
    pub fn url(&self, name: &str) -> anyhow::Result<SecretString> {
        let url = self.running()?.url();
        Ok(url.expose_secret().replacen("@/dash?", &format!("@/{name}?"), 1).into())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(embedded) = self.embedded.take() else { return };
        let stopping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build()?;
            runtime.block_on(embedded.stop()).map_err(std::io::Error::other)
        });
        if !matches!(stopping.join(), Ok(Ok(()))) {
            tracing::warn!(data = %self.data.display(), "a PostgreSQL of the run did not stop; its directory is left over");
        }
    }
}

async fn start(options: Options) -> anyhow::Result<Embedded> {
    // Its processes stay where they are started.
    let _core = Pinned::subject()?;
    Ok(Embedded::start(options).await?)
}

/// Hours are rolled up as soon as somebody says so.
async fn open(url: &SecretString, engine: Engine) -> anyhow::Result<(Db, Silver)> {
    let db = Db::connect(url, PoolSizes { rows: 1, metrics: 4 }).await?;
    let options = SilverOptions {
        hot: Duration::ZERO,
        query_timeout: Duration::from_secs(60),
        engine,
        ..SilverOptions::default()
    };
    let silver = Silver::new(db.clone(), options).await?;
    Ok((db, silver))
}

/// One with Silver in it.
pub struct Database {
    pub url: SecretString,
    pub db: Db,
    pub silver: Silver,
    pub pipeline: PipelineId,
    pub version: MappingVersionId,
}

impl Database {
    /// What keeps the points, for people.
    pub fn engine(&self) -> String {
        match self.silver.mode() {
            Mode::Timescale { version } => format!("TimescaleDB {version}"),
            Mode::Plain => "plain PostgreSQL".into(),
        }
    }

    /// Connects anew, after it was closed and PostgreSQL restarted.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn reopen(&mut self) -> anyhow::Result<()> {
        (self.db, self.silver) = open(&self.url, Engine::Auto).await?;
        Ok(())
    }

    /// Silver over connections of its own, with the settings that the database has now.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn again(&self) -> anyhow::Result<Silver> {
        Ok(open(&self.url, Engine::Auto).await?.1)
    }

    /// Another mapping version of the pipeline: series of its own.
    ///
    /// # Errors
    /// When there is one of this number.
    pub async fn new_version(&self, number: i32) -> anyhow::Result<MappingVersionId> {
        let sql = "INSERT INTO mapping_versions (organization_id, pipeline_id, number, mapping)
            VALUES ($1, $2, $3, '{}') RETURNING id";
        let client = self.db.client().await?;
        let row = client
            .query_one(sql, &[&DEFAULT_ORGANIZATION.0, &self.pipeline.0, &number])
            .await?;
        Ok(MappingVersionId(row.get(0)))
    }

    /// Silver without points, as it was made, and the log behind it: no run pays for the one before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn empty(&self) -> anyhow::Result<()> {
        self.run("TRUNCATE metrics, ledger, totals, rollup_invalidations")
            .await?;
        self.run("CHECKPOINT").await
    }

    /// Statements whose answer nobody reads.
    ///
    /// # Errors
    /// When one fails.
    pub async fn run(&self, sql: &str) -> anyhow::Result<()> {
        let client = self.db.client().await?;
        client.batch_execute(sql).await.with_context(|| sql.to_owned())
    }

    /// How many points there are, and their sum.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sum(&self) -> anyhow::Result<(i64, f64)> {
        let client = self.db.client().await?;
        let sql = "SELECT count(*), coalesce(sum(value), 0) FROM metrics";
        let row = client.query_one(sql, &[]).await?;
        Ok((row.get(0), row.get(1)))
    }

    /// Runs these commands with `psql` on one connection, one after the other; how long it took from its start to its end.
    ///
    /// # Errors
    /// When one fails.
    pub fn psql(&self, commands: &[&str]) -> anyhow::Result<Duration> {
        let mut command = Command::new("psql");
        command.args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", self.url.expose_secret()]);
        let begun = Instant::now();
        for one in commands {
            command.args(["-c", one]);
        }
        let out = command
            .output()
            .context("psql cannot be run; install postgresql-client")?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.success(), "psql {commands:?}: {}", said.trim());
        Ok(begun.elapsed())
    }
}
