//! The real process is really killed: what it acknowledged is there after the next start, once.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use dash_db::test_support::{TestDatabase, secret_key};
use dash_model::{receipt::Receipt, stats::PipelineStats};
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::Value;

const KILLS: usize = 3;

struct Server {
    child: Child,
    url: String,
}

impl Server {
    async fn start(data: &Path, database: &str, client: &Client) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_server"))
            .arg("serve")
            .env("DASH_DATA", data)
            .env("DATABASE_URL", database)
            .env("DASH_SECRET_KEY", secret_key())
            .env("DASH_ADDR", format!("127.0.0.1:{port}"))
            .env("DASH_DEMO", "0")
            .env("DASH_LAKE_AGE", "1s")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !client
            .get(format!("{url}/readyz"))
            .send()
            .await
            .is_ok_and(|r| r.status() == 200)
        {
            assert!(Instant::now() < deadline, "the server never became ready");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { child, url }
    }
}

/// SIGKILL, also when the test fails.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_it_loses_nothing_and_counts_nothing_twice() {
    let database = TestDatabase::new().await;
    let data = tempfile::tempdir().unwrap();
    let client = Client::new();
    let address = database.url().expose_secret().to_owned();
    let created = create(data.path(), &address);
    let (slug, key) = (
        created["slug"].as_str().unwrap(),
        created["ingest_key"].as_str().unwrap(),
    );
    let mut acknowledged = 0_u64;
    let mut sent = 0_u64;
    for round in 0..=KILLS {
        let server = Server::start(data.path(), &address, &client).await;
        let url = format!("{}/api/v1/ingest/{slug}", server.url);
        let deadline = Instant::now() + Duration::from_millis(700);
        let load = (0..8).map(|_| {
            let (client, url, key) = (client.clone(), url.clone(), key.to_owned());
            tokio::spawn(async move {
                let (mut acknowledged, mut sent) = (0, 0);
                while Instant::now() < deadline + Duration::from_millis(300) {
                    let lines: String = (0..20).map(|i| format!("{{\"value\":{i}}}\n")).collect();
                    sent += 20;
                    match client.post(&url).bearer_auth(&key).body(lines).send().await {
                        Ok(answer) if answer.status() == 202 => {
                            let Ok(receipt) = answer.json::<Receipt>().await else {
                                break;
                            };
                            acknowledged += u64::from(receipt.accepted);
                        }
                        _ => break,
                    }
                }
                (acknowledged, sent)
            })
        });
        let load: Vec<_> = load.collect();
        if round < KILLS {
            tokio::time::sleep(deadline - Instant::now()).await;
            drop(server);
        }
        for task in load {
            let (a, s) = task.await.unwrap();
            acknowledged += a;
            sent += s;
        }
        if round == KILLS {
            // Nothing is killed any more: let it finish.
            let url = format!(
                "http://{}/api/v1/pipelines/{slug}/stats",
                url.split('/').nth(2).unwrap()
            );
            let reader = reader(data.path(), &address);
            let stats = settled(&client, &url, &reader).await;
            assert!(
                stats.accepted >= acknowledged,
                "{acknowledged} were acknowledged: {stats:?}"
            );
            assert!(stats.accepted <= sent, "{sent} were sent: {stats:?}");
            assert_eq!(
                (stats.silver_points, stats.bronze_rows, stats.mapped),
                (stats.accepted, stats.accepted, stats.accepted)
            );
            distinct(&database, stats.accepted).await;
            return;
        }
    }
}

/// Every event made exactly one point.
async fn distinct(database: &TestDatabase, expected: u64) {
    let client = database.db().client().await.unwrap();
    let row = client
        .query_one("SELECT count(*), count(DISTINCT event) FROM metrics", &[])
        .await
        .unwrap();
    assert_eq!(
        (row.get::<_, i64>(0), row.get::<_, i64>(1)),
        (expected as i64, expected as i64)
    );
}

async fn settled(client: &Client, url: &str, key: &str) -> PipelineStats {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let stats: PipelineStats = client
            .get(url)
            .bearer_auth(key)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        if stats.pending == 0 && stats.bronze_rows == stats.accepted {
            return stats;
        }
        assert!(Instant::now() < deadline, "never settled: {stats:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A key that reads.
fn reader(data: &Path, database: &str) -> String {
    let made = command(
        data,
        database,
        &["keys", "create", "--scope", "read", "--name", "crash"],
    );
    made["key"].as_str().unwrap().to_owned()
}

fn create(data: &Path, database: &str) -> Value {
    let file = data.join("pipeline.json");
    std::fs::write(
        &file,
        r#"{"name":"crash","mapping":{"metrics":[{"name":"value","path":"value"}]}}"#,
    )
    .unwrap();
    command(
        data,
        database,
        &["pipelines", "create", "--file", file.to_str().unwrap()],
    )
}

/// What a command of the server prints.
fn command(data: &Path, database: &str, arguments: &[&str]) -> Value {
    let made = Command::new(env!("CARGO_BIN_EXE_server"))
        .args(arguments)
        .env("DASH_DATA", data)
        .env("DATABASE_URL", database)
        .env("DASH_SECRET_KEY", secret_key())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    serde_json::from_slice(&made.stdout).unwrap()
}
