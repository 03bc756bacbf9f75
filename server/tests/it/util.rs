//! One server for each test, on a database, a data directory and a port of its own.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use dash_db::{Db, PoolSizes, store::audit::Actor, test_support::TestDatabase};
use dash_metrics::Mode;
use dash_model::{pipeline::CreatedPipeline, stats::PipelineStats};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use server::{cli::database::Opened, config::Config, run::Running};
use tempfile::TempDir;

pub struct TestApp {
    pub url: String,
    pub client: Client,
    pub data: TempDir,
    pub database: TestDatabase,
    /// What keeps the metrics.
    pub mode: Mode,
    variables: HashMap<String, String>,
    running: Option<(Running, tokio::task::JoinHandle<()>)>,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these variables beside those of every test.
    pub async fn with(variables: &[(&str, &str)]) -> Self {
        Self::on(TestDatabase::new().await, variables).await
    }

    /// On this database, whose tables decide what keeps the metrics where it has some.
    pub async fn on(database: TestDatabase, variables: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("directory");
        let mut all = HashMap::from([
            ("DASH_ADDR".to_owned(), "127.0.0.1:0".to_owned()),
            ("DASH_DATA".to_owned(), data.path().display().to_string()),
            ("DASH_DEMO".to_owned(), "0".to_owned()),
            ("DASH_LAKE_AGE".to_owned(), "1s".to_owned()),
        ]);
        all.extend(variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let mut app = Self {
            url: String::new(),
            client: Client::new(),
            data,
            database,
            mode: Mode::Plain,
            variables: all,
            running: None,
        };
        app.boot().await;
        app
    }

    pub fn config(&self) -> Config {
        Config::from_env(&|name| self.variables.get(name).cloned()).expect("configuration")
    }

    async fn boot(&mut self) {
        let db = Db::connect(self.database.url(), PoolSizes::default())
            .await
            .expect("database");
        let opened = Opened {
            db,
            vault: Arc::new(server::vault::open(&self.config().secrets).expect("keys")),
            applied: vec![],
            embedded: None,
        };
        let running = Running::start(self.config(), opened).await.expect("start");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        self.mode = running.state.silver.mode().clone();
        self.url = format!("http://{}", listener.local_addr().expect("address"));
        let options = leptos::prelude::LeptosOptions::builder().output_name("dash").build();
        let router = server::web::router(running.state.clone(), options);
        let served = tokio::spawn(async move { axum::serve(listener, router).await.expect("serve") });
        self.running = Some((running, served));
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn running(&self) -> &Running {
        &self.running.as_ref().expect("it runs").0
    }

    /// Stops in an orderly way, as after SIGTERM.
    pub async fn stop(&mut self) {
        let (mut running, served) = self.running.take().expect("it runs");
        served.abort();
        running.drain().await;
    }

    /// After [`Self::stop`], on the same data.
    pub async fn start_again(&mut self) {
        self.boot().await;
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.boot().await;
    }

    /// A pipeline of a definition without name.
    pub async fn pipeline(&self, slug: &str, mapping: Value) -> CreatedPipeline {
        self.define(json!({"name": slug, "slug": slug, "mapping": mapping}))
            .await
    }

    pub async fn define(&self, definition: Value) -> CreatedPipeline {
        let definition = serde_json::from_value(definition).expect("definition");
        self.running()
            .state
            .catalog
            .create(&definition, Actor::system())
            .await
            .expect("pipeline")
    }

    /// Without a Content-Type: it is told from the body.
    pub fn post(&self, pipeline: &CreatedPipeline, body: impl Into<reqwest::Body>) -> RequestBuilder {
        let url = format!("{}/api/v1/ingest/{}", self.url, pipeline.slug);
        self.client.post(url).bearer_auth(&pipeline.ingest_key).body(body)
    }

    pub async fn stats(&self, pipeline: &CreatedPipeline) -> PipelineStats {
        let url = format!("{}/api/v1/pipelines/{}/stats", self.url, pipeline.slug);
        let response = self
            .client
            .get(url)
            .bearer_auth(&pipeline.ingest_key)
            .send()
            .await
            .expect("stats");
        assert_eq!(response.status(), 200);
        response.json().await.expect("stats")
    }

    /// Waits until nothing is on its way any more, and checks that the sums hold.
    pub async fn settled(&self, pipeline: &CreatedPipeline) -> PipelineStats {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let stats = self.stats(pipeline).await;
            if stats.pending == 0 && stats.lag.bronze_ms == 0 && stats.bronze_rows == stats.accepted {
                assert_eq!(
                    stats.received,
                    stats.mapped + stats.filtered + stats.quarantined + stats.rejected,
                    "{stats:?}"
                );
                return stats;
            }
            assert!(Instant::now() < deadline, "never settled: {stats:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the figures are as they should be.
    pub async fn until(&self, pipeline: &CreatedPipeline, enough: impl Fn(&PipelineStats) -> bool) -> PipelineStats {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let stats = self.stats(pipeline).await;
            if enough(&stats) {
                return stats;
            }
            assert!(Instant::now() < deadline, "never came to be: {stats:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `GET /api/v1/query` with these parameters.
    pub async fn query(&self, pipeline: &CreatedPipeline, parameters: &[(&str, &str)]) -> Response {
        // The values that tests use need no escaping.
        let rest: String = parameters
            .iter()
            .flat_map(|(name, value)| ["&", name, "=", value])
            .collect();
        let url = format!("{}/api/v1/query?pipeline={}{rest}", self.url, pipeline.slug);
        let request = self.client.get(url).bearer_auth(&pipeline.ingest_key);
        request.send().await.expect("query")
    }
}

/// One metric `value` with a tag `sensor`, the time from `at` in milliseconds.
pub fn value_mapping() -> Value {
    json!({
        "time": {"path": "at", "format": "epoch_ms"},
        "metrics": [{"name": "value", "path": "value", "required": true}],
        "tags": [{"name": "sensor", "path": "sensor"}],
    })
}

/// The status and the stable type of an error.
pub async fn problem(response: Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body: Value = response.json().await.expect("problem");
    assert_eq!(body["status"], status);
    (status, body["type"].as_str().expect("type").to_owned(), body)
}
