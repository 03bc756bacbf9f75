//! The whole server, on a port, a directory and a database of its own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use dash_db::{Db, test_support::TestDatabase};
use dash_model::{pipeline::CreatedPipeline, stats::PipelineStats};
use dash_spool::Stage;
use serde_json::json;
use server::{cli::database::Opened, config::Config, run::Running, state::State};
use tempfile::TempDir;

use crate::{
    client::{Connection, Target},
    events,
};

/// The rest of a load may take so long to reach lake and Silver.
const PATIENCE: Duration = Duration::from_secs(900);
/// Seldom enough to cost nothing, often enough for what takes seconds.
const LOOK: Duration = Duration::from_millis(20);

pub struct Rig {
    pub address: SocketAddr,
    running: Running,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    // Dropped in this order, after the server has ended.
    data: TempDir,
    _database: TestDatabase,
}

/// When the last event had arrived in each.
pub struct Drained {
    pub silver: Instant,
    pub bronze: Instant,
}

impl Rig {
    /// With the defaults, except that objects of the lake are written at an age of a second: otherwise whoever waits for the last one waits a minute.
    pub async fn start(dir: Option<&Path>) -> anyhow::Result<Self> {
        let database = TestDatabase::new().await;
        let data = match dir {
            Some(dir) => tempfile::tempdir_in(dir).with_context(|| dir.display().to_string())?,
            None => tempfile::tempdir()?,
        };
        let variables = HashMap::from([
            ("DASH_ADDR", "127.0.0.1:0".to_owned()),
            ("DASH_DATA", data.path().display().to_string()),
            ("DASH_DEMO", "0".to_owned()),
            ("DASH_LAKE_AGE", "1s".to_owned()),
        ]);
        let config = Config::from_env(&|name| variables.get(name).cloned())?;
        let db = Db::connect(database.url(), config.database.pools).await?;
        let opened = Opened {
            db,
            applied: Vec::new(),
            embedded: None,
        };
        let running = Running::start(config, opened).await?;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let options = leptos::prelude::LeptosOptions::builder().output_name("dash").build();
        let router = server::web::router(running.state.clone(), options);
        let served = tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Self {
            address,
            running,
            served,
            data,
            _database: database,
        })
    }

    pub fn state(&self) -> &State {
        &self.running.state
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// A pipeline for one row, so that the figures of rows do not mix.
    pub async fn pipeline(&self, slug: &str) -> anyhow::Result<CreatedPipeline> {
        let definition = serde_json::from_value(json!({"name": slug, "slug": slug, "mapping": events::mapping()}))?;
        Ok(self.state().catalog.create(&definition).await?)
    }

    pub fn target(&self, pipeline: &CreatedPipeline) -> Target {
        Target {
            address: self.address,
            key: pipeline.ingest_key.clone(),
        }
    }

    /// Waits until everything of a pipeline is in Silver and in the lake.
    pub async fn drained(&self, pipeline: &CreatedPipeline) -> anyhow::Result<Drained> {
        let begun = Instant::now();
        let (mut silver, mut bronze) = (None, None);
        loop {
            let pending = self.state().spool.pending(pipeline.id);
            let now = Instant::now();
            if pending.of(Stage::Silver).events == 0 {
                silver.get_or_insert(now);
            }
            if pending.of(Stage::Bronze).events == 0 {
                bronze.get_or_insert(now);
            }
            if let (Some(silver), Some(bronze)) = (silver, bronze) {
                return Ok(Drained { silver, bronze });
            }
            ensure!(begun.elapsed() < PATIENCE, "never drained: {pending:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Compares what was acknowledged with what the server says it has. Everything must have drained.
    pub async fn check(&self, pipeline: &CreatedPipeline, acknowledged: u64) -> anyhow::Result<PipelineStats> {
        let target = self.target(pipeline);
        let mut connection = Connection::open(self.address).await?;
        let answer = connection
            .send(&target.get(&format!("/api/v1/pipelines/{}/stats", pipeline.slug)))
            .await?;
        ensure!(answer.status == 200, "stats: {} {}", answer.status, answer.text());
        let stats: PipelineStats = serde_json::from_slice(answer.body)?;
        let points = acknowledged * events::METRICS.len() as u64;
        for (what, found, expected) in [
            ("received", stats.received, acknowledged),
            ("accepted", stats.accepted, acknowledged),
            ("mapped", stats.mapped, acknowledged),
            ("pending", stats.pending, 0),
            ("points", stats.silver_points, points),
            ("rows in the lake", stats.bronze_rows, acknowledged),
        ] {
            ensure!(
                found == expected,
                "{}: {what} is {found}, but {acknowledged} events were acknowledged: {stats:?}",
                pipeline.slug
            );
        }
        Ok(stats)
    }

    pub async fn stop(mut self) {
        self.served.abort();
        self.running.drain().await;
    }
}
