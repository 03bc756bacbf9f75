//! The document lists what there is.

use serde_json::Value;

use crate::util::TestApp;

#[tokio::test]
async fn the_document_lists_every_address_of_the_api() {
    let app = TestApp::start().await;
    let document: Value = app
        .client
        .get(format!("{}/api/v1/openapi.json", app.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let mut paths: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "/api/v1/ingest/{pipeline}",
            "/api/v1/pipelines/{pipeline}/stats",
            "/api/v1/query"
        ]
    );
    let post = &document["paths"]["/api/v1/ingest/{pipeline}"]["post"];
    assert_eq!(
        post["responses"]["202"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Receipt"
    );
    assert!(
        post["requestBody"]["content"]
            .as_object()
            .unwrap()
            .contains_key("application/x-ndjson")
    );
}
