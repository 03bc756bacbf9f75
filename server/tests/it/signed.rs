//! Bodies that are signed instead of carrying a key.

use base64::{Engine, engine::general_purpose::STANDARD};
use dash_model::pipeline::CreatedPipeline;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::RequestBuilder;
use serde_json::json;
use sha2::Sha256;

use crate::util::{TestApp, problem, value_mapping};

fn sign(secret: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A pipeline named `signed`, and the key that its bodies are signed with.
async fn signed(app: &TestApp) -> (CreatedPipeline, Vec<u8>) {
    let pipeline = app
        .define(json!({
            "name": "signed", "source": {"kind": "webhook", "signature": {"scheme": "standard_webhooks"}}, "mapping": value_mapping(),
        }))
        .await;
    let secret = pipeline.signing_secret.as_deref().expect("a secret");
    let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("prefix")).unwrap();
    (pipeline, key)
}

/// A body with the signature of another, which may be the same.
fn post(app: &TestApp, key: &[u8], at: i64, body: &'static str, signed: &str) -> RequestBuilder {
    let signature = STANDARD.encode(sign(key, &format!("msg_1.{at}.{signed}")));
    let request = app.client.post(format!("{}/api/v1/ingest/signed", app.url)).body(body);
    request
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", format!("v1,{signature}"))
}

#[tokio::test]
async fn a_standard_webhook_is_taken_once_and_only_as_it_was_signed() {
    let app = TestApp::start().await;
    let (pipeline, key) = signed(&app).await;
    let now = server::clock::now().0 / 1_000_000;
    let body = r#"{"at":1700000000000,"value":1}"#;
    let send = |at: i64, body: &'static str, signed: &str| post(&app, &key, at, body, signed).send();
    assert_eq!(send(now, body, body).await.unwrap().status(), 202);
    assert_eq!(
        send(now, body, body).await.unwrap().status(),
        202,
        "a repeat is answered"
    );
    assert_eq!(
        problem(send(now, body, "{}").await.unwrap()).await.0,
        401,
        "another body was signed"
    );
    assert_eq!(
        problem(send(now - 3_600, body, body).await.unwrap()).await.0,
        401,
        "too old"
    );
    assert_eq!(
        problem(send(now + 3_600, body, body).await.unwrap()).await.0,
        401,
        "from the future"
    );
    let unsigned = app.client.post(format!("{}/api/v1/ingest/signed", app.url)).body(body);
    assert_eq!(
        problem(unsigned.send().await.unwrap()).await.0,
        401,
        "not signed at all"
    );
    assert_eq!(app.settled(&pipeline).await.accepted, 1);
}

/// What strangers send neither uses up what the pipeline may get nor tells them of its limits.
#[tokio::test]
async fn only_whoever_signed_is_counted_and_told_of_limits() {
    let app = TestApp::with(&[("DASH_RATE_INGEST", "1"), ("DASH_MAX_EVENTS", "1")]).await;
    let (_, key) = signed(&app).await;
    app.running().state.quotas.refresh().await.unwrap();
    let now = server::clock::now().0 / 1_000_000;
    let body = r#"{"at":1700000000000,"value":1}"#;
    let stranger = async || {
        let answer = post(&app, b"another key", now, body, body).send().await.unwrap();
        problem(answer).await.0
    };
    for _ in 0..20 {
        assert_eq!(stranger().await, 401);
    }
    let taken = post(&app, &key, now, body, body).send().await.unwrap();
    assert_eq!(taken.status(), 202, "nothing was used up");
    // The rate is one a second, and the only event of this month has come.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    let full = post(&app, &key, now, body, body).send().await.unwrap();
    assert_eq!(problem(full).await.0, 403);
    assert_eq!(stranger().await, 401, "of the limit they learn nothing");
    let mut owners = Vec::new();
    for _ in 0..10 {
        owners.push(problem(post(&app, &key, now, body, body).send().await.unwrap()).await.0);
    }
    assert!(owners.contains(&429), "whoever signed is counted: {owners:?}");
}

#[tokio::test]
async fn a_secret_of_an_earlier_version_is_sealed_at_the_start_and_goes_on_to_work() {
    let mut app = TestApp::start().await;
    let (pipeline, key) = signed(&app).await;
    let secret = pipeline.signing_secret.expect("a secret");
    app.stop().await;
    let client = app.database.client().await.unwrap();
    client
        .execute(
            "UPDATE signing_secrets SET secret = $1, sealed = false",
            &[&secret.as_bytes()],
        )
        .await
        .unwrap();
    app.start_again().await;
    let row = client
        .query_one("SELECT sealed, secret FROM signing_secrets", &[])
        .await
        .unwrap();
    assert!(row.get::<_, bool>(0));
    assert_ne!(row.get::<_, Vec<u8>>(1), secret.as_bytes());
    let (now, body) = (server::clock::now().0 / 1_000_000, r#"{"at":1700000000000,"value":1}"#);
    let answer = post(&app, &key, now, body, body).send();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 202, "{}", answer.text().await.unwrap());
}
