//! One server for each test, on a database, a data directory and a port of its own.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use app::form::Notice;
use dash_db::{
    Db, PoolSizes, store,
    store::{
        api_keys::NewApiKey,
        audit::Actor,
        sessions::{Kept, SessionHash},
    },
    test_support::TestDatabase,
};
use dash_metrics::Mode;
use dash_model::{
    DEFAULT_ORGANIZATION, Micros, OrganizationId, TeamId, UserId,
    account::{OrganizationRole as Role, Scope},
    pipeline::CreatedPipeline,
    stats::PipelineStats,
};
use reqwest::{Client, RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use server::{
    access::session::{SIGNED_IN, SignedIn, hash_of},
    cli::database::Opened,
    config::Config,
    run::Running,
};
use tempfile::TempDir;
use tower_sessions::session::Id;

pub struct TestApp {
    pub url: String,
    pub client: Client,
    pub data: TempDir,
    pub database: TestDatabase,
    /// What keeps the metrics.
    pub mode: Mode,
    /// A key that reads everything.
    pub reader: String,
    /// Somebody who owns the first organization.
    pub owner: Member,
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
        let reader = api_key(database.db(), DEFAULT_ORGANIZATION, Scope::Read, None).await;
        let owner = member(database.db(), DEFAULT_ORGANIZATION, Role::Owner, "owner").await;
        let mut app = Self {
            url: String::new(),
            client: Client::new(),
            data,
            database,
            mode: Mode::Plain,
            reader,
            owner,
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
        let served = tokio::spawn(async move {
            axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
                .await
                .expect("serve")
        });
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
            .create(DEFAULT_ORGANIZATION, &definition, Actor::system())
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
            .bearer_auth(&self.reader)
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
        let request = self.client.get(url).bearer_auth(&self.reader);
        request.send().await.expect("query")
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Member {
    pub user: UserId,
    pub email: String,
    pub hash: SessionHash,
    /// What their browser sends.
    pub cookie: String,
}

impl TestApp {
    /// A page as the owner's browser asks for it.
    pub async fn page(&self, path: &str) -> Response {
        self.page_of(&self.owner, path).await
    }

    pub async fn page_of(&self, member: &Member, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        // A page asks for its functions as a script does.
        let accept = if path.starts_with("/api/") {
            "application/json"
        } else {
            "text/html"
        };
        let request = request.header("cookie", &member.cookie).header("accept", accept);
        request.send().await.expect("a page")
    }

    /// Gives somebody [`PASSWORD`].
    pub async fn set_password(&self, user: UserId) {
        let state = &self.running().state;
        let hash = state.accounts.hasher.hash(PASSWORD.into()).await.expect("a hash");
        let mut connection = state.db.diesel().await.expect("a connection");
        let set = store::users::set_password(&mut connection, user, &hash).await;
        set.expect("set");
    }

    /// A form as a browser posts it: where it leads, and what is said there.
    pub async fn submit(&self, cookie: &str, path: &str, fields: &[(&str, &str)]) -> Submitted {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let response = client
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "text/html")
            .header("origin", &self.url)
            .header("referer", format!("{}/account", self.url))
            .header("cookie", cookie)
            .body(body)
            .send()
            .await
            .expect("an answer");
        let status = response.status().as_u16();
        let text = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        let to = text("location").unwrap_or_default();
        let mut jar: HashMap<String, String> = HashMap::new();
        for pair in cookie.split("; ").filter_map(|c| c.split_once('=')) {
            jar.insert(pair.0.into(), pair.1.into());
        }
        for set in response.headers().get_all("set-cookie") {
            let pair = set.to_str().expect("text").split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                match value {
                    "" => drop(jar.remove(name)),
                    _ => drop(jar.insert(name.into(), value.into())),
                }
            }
        }
        let notice = jar.remove("dash_notice").map(|value| {
            let mut headers = axum::http::HeaderMap::new();
            headers.insert("cookie", format!("dash_notice={value}").parse().expect("a cookie"));
            server::web::cookies::notice(&self.running().state.vault, &headers).expect("a notice")
        });
        let cookie: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Submitted {
            status,
            to,
            notice,
            cookie: cookie.join("; "),
        }
    }

    pub async fn member(&self, organization: OrganizationId, role: Role, name: &str) -> Member {
        member(self.database.db(), organization, role, name).await
    }

    pub async fn api_key(&self, organization: OrganizationId, scope: Scope, team: Option<TeamId>) -> String {
        api_key(self.database.db(), organization, scope, team).await
    }
}

/// A password that is taken.
pub const PASSWORD: &str = "correct horse battery staple";

/// What a request is answered, whatever its status.
pub async fn text(request: RequestBuilder) -> String {
    let answer = request.send().await.expect("an answer");
    answer.text().await.expect("a text")
}

/// What came of a form.
#[derive(Debug)]
pub struct Submitted {
    pub status: u16,
    pub to: String,
    pub notice: Option<Notice>,
    /// All cookies that the browser has now.
    pub cookie: String,
}

impl Submitted {
    pub fn said(&self) -> &str {
        self.notice.as_ref().map_or("", |notice| &notice.text)
    }
}

async fn member(db: &Db, organization: OrganizationId, role: Role, name: &str) -> Member {
    let mut connection = db.diesel().await.expect("a connection");
    let email = format!("{name}@example.org");
    let user = store::users::create(&mut connection, &email, &email, name, None)
        .await
        .expect("a person");
    store::users::confirm_email(&mut connection, user.id, server::clock::now())
        .await
        .expect("confirmed");
    store::members::add(&mut connection, organization, user.id, role)
        .await
        .expect("a member");
    let (hash, cookie) = session(db, user.id, Some(organization)).await;
    Member {
        user: user.id,
        email,
        hash,
        cookie,
    }
}

/// A session of somebody.
pub async fn session(db: &Db, user: UserId, organization: Option<OrganizationId>) -> (SessionHash, String) {
    let id = Id::default();
    let now = server::clock::now();
    let signed_in = SignedIn {
        user,
        organization,
        since: now,
        seen: now,
        agent: "A test".into(),
        address: None,
    };
    let kept = Kept {
        user: Some(user),
        data: json!({SIGNED_IN: signed_in}),
        expires_at: Micros(now.0 + 3_600_000_000),
    };
    let hash = hash_of(&id);
    let mut connection = db.diesel().await.expect("a connection");
    store::sessions::create(&mut connection, &hash, &kept)
        .await
        .expect("a session");
    (hash, format!("dash={id}"))
}

async fn api_key(db: &Db, organization: OrganizationId, scope: Scope, team: Option<TeamId>) -> String {
    let key = dash_accounts::api_key::new();
    let new = NewApiKey {
        team,
        user: None,
        name: "A test",
        public: &key.kept.public,
        hash: &key.kept.hash,
        scope,
        now: server::clock::now(),
        expires_at: None,
    };
    let mut connection = db.diesel().await.expect("a connection");
    store::api_keys::create(&mut connection, organization, &new)
        .await
        .expect("a key");
    key.whole.expose_secret().to_owned()
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
