//! `/healthz`, `/readyz`, and what holds for every request.

use serde_json::Value;

use crate::util::{TestApp, problem};

#[tokio::test]
async fn a_server_with_all_its_stores_is_ready() {
    let app = TestApp::start().await;
    assert_eq!(
        app.client
            .get(format!("{}/healthz", app.url))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let ready = app.client.get(format!("{}/readyz", app.url)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(
        (&body["database"], &body["spool"], &body["lake"]),
        (&"ok".into(), &"ok".into(), &"ok".into())
    );
}

#[tokio::test]
async fn a_lost_lake_is_named() {
    let app = TestApp::start().await;
    std::fs::remove_dir_all(app.data.path().join("lake")).unwrap();
    std::fs::write(app.data.path().join("lake"), "in the way").unwrap();
    let ready = app.client.get(format!("{}/readyz", app.url)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(body["database"], "ok");
    assert_ne!(body["lake"], "ok");
}

#[tokio::test]
async fn what_a_crash_tore_is_counted_and_fails_nothing() {
    let mut app = TestApp::start().await;
    app.stop().await;
    std::fs::write(app.data.path().join("spool/0000000000000000000.40.torn"), "torn off").unwrap();
    app.start_again().await;
    let ready = app.client.get(format!("{}/readyz", app.url)).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(body["spool_torn"], serde_json::json!({"files": 1, "bytes": 8}));
}

#[tokio::test]
async fn a_request_under_a_foreign_name_is_refused() {
    let app = TestApp::start().await;
    let request = app
        .client
        .get(format!("{}/api/v1/openapi.json", app.url))
        .header("host", "evil.test");
    assert_eq!(problem(request.send().await.unwrap()).await.0, 403);
}

#[tokio::test]
async fn a_page_of_another_site_cannot_post() {
    let app = TestApp::start().await;
    let request = app
        .client
        .post(format!("{}/api/query", app.url))
        .header("origin", "http://evil.test")
        .body("{}");
    assert_eq!(problem(request.send().await.unwrap()).await.0, 403);
}

#[tokio::test]
async fn an_unknown_address_of_the_api_is_a_problem() {
    let app = TestApp::start().await;
    let (status, kind, _) = problem(
        app.client
            .get(format!("{}/api/v1/nothing", app.url))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((status, kind.as_str()), (404, "/problems/not-found"));
    let wrong_method = app
        .client
        .get(format!("{}/api/v1/ingest/x", app.url))
        .send()
        .await
        .unwrap();
    let (status, kind, _) = problem(wrong_method).await;
    assert_eq!((status, kind.as_str()), (405, "/problems/method-not-allowed"));
}
