//! Pages as a browser without JavaScript gets them.

use crate::util::{TestApp, value_mapping};

#[tokio::test]
async fn pages_are_rendered_with_their_numbers() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("shown", value_mapping()).await;
    app.post(&pipeline, r#"{"at":1700000000000,"value":21.5,"sensor":"front"}"#)
        .send()
        .await
        .unwrap();
    app.settled(&pipeline).await;
    let page = app.page("/pipelines/shown").await;
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(
        policy.contains("'nonce-") && !policy.contains("unsafe-eval'") || policy.contains("'wasm-unsafe-eval'"),
        "{policy}"
    );
    let script_policy = policy.split(';').find(|p| p.trim().starts_with("script-src")).unwrap();
    assert!(!script_policy.contains("unsafe-inline"), "{policy}");
    let html = page.text().await.unwrap();
    assert!(html.contains("21.5") && html.contains("shown"), "{html}");
}

#[tokio::test]
async fn what_is_not_there_is_a_page_with_404() {
    let app = TestApp::start().await;
    for path in ["/nothing", "/dashboards/nothing", "/pipelines/nothing"] {
        let page = app.page(path).await;
        assert_eq!(page.status(), 404, "{path}");
        assert!(page.text().await.unwrap().contains("</html>"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_asks_for_what_is_not_there_is_told_so() {
    let app = TestApp::start().await;
    for (question, status) in [
        ("pipeline?pipeline=nothing", 404),
        ("recent-events?pipeline=nothing", 404),
        ("pipelines", 200),
    ] {
        let answer = app.page(&format!("/api/{question}")).await;
        assert_eq!(answer.status(), status, "{question}");
    }
}

#[tokio::test]
async fn the_theme_is_a_cookie_and_the_way_back_stays_on_this_site() {
    let app = TestApp::start().await;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let get = |query: &str| client.get(format!("{}/theme?{query}", app.url)).send();
    let set = get("set=dark&to=/pipelines").await.unwrap();
    assert_eq!(set.headers()["location"], "/pipelines");
    assert!(set.headers()["set-cookie"].to_str().unwrap().starts_with("theme=dark"));
    assert_eq!(get("set=dark&to=//evil.test").await.unwrap().headers()["location"], "/");
    assert_eq!(get("set=purple").await.unwrap().status(), 400);
}
