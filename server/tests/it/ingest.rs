//! `POST /api/v1/ingest/{pipeline}`: what comes in is what is counted, stored and shown.

use dash_model::receipt::Receipt;
use serde_json::{Value, json};

use crate::util::{TestApp, problem, value_mapping};

#[tokio::test]
async fn a_posted_event_is_in_bronze_and_in_silver() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("door", value_mapping()).await;
    let response = app
        .post(&pipeline, r#"{"at": 1700000000000, "value": 21.5, "sensor": "front"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 202);
    let receipt: Receipt = response.json().await.unwrap();
    assert_eq!((receipt.accepted, receipt.rejected_total), (1, 0));

    let stats = app.settled(&pipeline).await;
    assert_eq!(
        (stats.received, stats.mapped, stats.silver_points, stats.bronze_rows),
        (1, 1, 1, 1)
    );
    let answer = app
        .query(
            &pipeline,
            &[
                ("metric", "value"),
                ("by", "sensor"),
                ("from", "1699999990000"),
                ("to", "1700000010000"),
            ],
        )
        .await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(
        answer["series"],
        json!([{"tags": {"sensor": "front"}, "points": [[1_700_000_000_000_i64, 21.5]]}])
    );
}

#[tokio::test]
async fn one_bad_line_never_costs_the_others() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("lines", value_mapping()).await;
    let lines = "{\"at\":1700000000000,\"value\":1}\n{\"at\": oops\n[1]\n{\"at\":1700000001000,\"value\":2}\n";
    let response = app
        .post(&pipeline, lines)
        .header("content-type", "application/x-ndjson")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 202);
    let receipt: Receipt = response.json().await.unwrap();
    assert_eq!((receipt.accepted, receipt.rejected_total), (2, 2));
    let indexes: Vec<u32> = receipt.rejected.iter().map(|r| r.index).collect();
    assert_eq!(indexes, [1, 2]);
    let stats = app.settled(&pipeline).await;
    assert_eq!(
        (stats.received, stats.accepted, stats.rejected, stats.mapped),
        (4, 2, 2, 2)
    );
}

#[tokio::test]
async fn a_record_that_does_not_fit_waits_in_quarantine_with_a_reason_for_each_field() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("strict", value_mapping()).await;
    let body = r#"[{"at":"not a time","value":"warm"},{"at":1700000000000,"value":3}]"#;
    assert_eq!(app.post(&pipeline, body).send().await.unwrap().status(), 202);
    let stats = app.settled(&pipeline).await;
    assert_eq!(
        (stats.accepted, stats.mapped, stats.quarantined, stats.bronze_rows),
        (2, 1, 1, 2)
    );
    let page = app.page("/api/quarantine?pipeline=strict").await;
    let entries: Value = page.json().await.unwrap();
    let fields: Vec<&str> = entries[0]["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["field"].as_str().unwrap())
        .collect();
    assert!(fields.contains(&"at") && fields.contains(&"value"), "{entries}");
}

#[tokio::test]
async fn what_the_filter_drops_is_counted_and_kept_in_bronze() {
    let app = TestApp::start().await;
    let mut mapping = value_mapping();
    mapping["filter"] = json!("value > 10");
    let pipeline = app.pipeline("filtered", mapping).await;
    let lines: String = (0..20)
        .map(|i| format!("{{\"at\":{},\"value\":{i}}}\n", 1_700_000_000_000_i64 + i))
        .collect();
    app.post(&pipeline, lines).send().await.unwrap();
    let stats = app.settled(&pipeline).await;
    assert_eq!(
        (stats.mapped, stats.filtered, stats.bronze_rows, stats.silver_points),
        (9, 11, 20, 9)
    );
}

#[tokio::test]
async fn every_format_and_encoding_carries_the_same_events() {
    use std::io::Write;
    let app = TestApp::start().await;
    let pipeline = app.pipeline("formats", value_mapping()).await;
    let json = r#"[{"at":1700000000000,"value":1.5,"sensor":"a"},{"at":1700000001000,"value":2.5,"sensor":"b"}]"#;
    let lines = "{\"at\":1700000002000,\"value\":1.5,\"sensor\":\"a\"}\n{\"at\":1700000003000,\"value\":2.5,\"sensor\":\"b\"}\n";
    let csv = "at,value,sensor\n1700000004000,1.5,a\n1700000005000,2.5,b\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(lines.replace("170000000", "170000001").as_bytes())
        .unwrap();
    let zstd = zstd::encode_all(json.replace("170000000", "170000002").as_bytes(), 3).unwrap();
    let arrow = {
        use arrow::array::{Float64Array, Int64Array, RecordBatch, StringArray};
        let batch = RecordBatch::try_from_iter([
            (
                "at",
                std::sync::Arc::new(Int64Array::from(vec![1_700_000_030_000, 1_700_000_031_000])) as _,
            ),
            ("value", std::sync::Arc::new(Float64Array::from(vec![1.5, 2.5])) as _),
            (
                "sensor",
                std::sync::Arc::new(StringArray::from(vec!["a", "b"])) as arrow::array::ArrayRef,
            ),
        ])
        .unwrap();
        let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    };
    for (body, content_type, encoding) in [
        (json.as_bytes().to_vec(), "application/json", None),
        (lines.as_bytes().to_vec(), "application/x-ndjson", None),
        (csv.as_bytes().to_vec(), "text/csv", None),
        (gzip.finish().unwrap(), "application/x-ndjson", Some("gzip")),
        (zstd, "application/json", Some("zstd")),
        (arrow, "application/vnd.apache.arrow.stream", None),
    ] {
        let url = format!("{}/api/v1/ingest/formats", app.url);
        let mut request = app
            .client
            .post(url)
            .bearer_auth(&pipeline.ingest_key)
            .header("content-type", content_type)
            .body(body);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 202, "{content_type} {encoding:?}");
        let receipt: Receipt = response.json().await.unwrap();
        assert_eq!(receipt.accepted, 2, "{content_type} {encoding:?}");
    }
    let stats = app.settled(&pipeline).await;
    assert_eq!((stats.mapped, stats.quarantined, stats.series), (12, 0, 2));
}

#[tokio::test]
async fn a_records_path_splits_a_body_into_events() {
    let app = TestApp::start().await;
    let pipeline = app
        .define(json!({
            "name": "geo", "source": {"kind": "webhook", "records": "features[*]"},
            "mapping": {"time": {"path": "properties.time", "format": "epoch_ms"}, "metrics": [{"name": "mag", "path": "properties.mag"}]},
        }))
        .await;
    let body = r#"{"type":"FeatureCollection","features":[{"properties":{"time":1700000000000,"mag":4.2}},{"properties":{"time":1700000000000,"mag":1.1}}]}"#;
    let receipt: Receipt = app.post(&pipeline, body).send().await.unwrap().json().await.unwrap();
    assert_eq!(receipt.accepted, 2);
    assert_eq!(app.settled(&pipeline).await.silver_points, 2);
}

#[tokio::test]
async fn every_refusal_has_its_status_and_its_type() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("refusing", value_mapping()).await;
    let other = app.pipeline("other", value_mapping()).await;
    let url = format!("{}/api/v1/ingest/refusing", app.url);
    let with_key = |key: &str| app.client.post(&url).bearer_auth(key).body("{\"value\":1}");
    let cases = [
        (
            "broken",
            app.post(&pipeline, "[{\"value\":1},"),
            (400, "/problems/malformed-body"),
        ),
        ("empty", app.post(&pipeline, ""), (400, "/problems/malformed-body")),
        (
            "no key",
            app.client.post(&url).body("{}"),
            (401, "/problems/unauthorized"),
        ),
        (
            "wrong key",
            with_key("dash_ingest_wrong"),
            (401, "/problems/unauthorized"),
        ),
        (
            "another pipeline's key",
            with_key(&other.ingest_key),
            (401, "/problems/unauthorized"),
        ),
        (
            "no pipeline",
            app.client
                .post(format!("{}/api/v1/ingest/nothing", app.url))
                .bearer_auth(&pipeline.ingest_key)
                .body("{}"),
            (404, "/problems/not-found"),
        ),
        (
            "no pipeline and no key",
            app.client.post(format!("{}/api/v1/ingest/nothing", app.url)).body("{}"),
            (401, "/problems/unauthorized"),
        ),
        (
            "media type",
            app.post(&pipeline, "x").header("content-type", "image/png"),
            (415, "/problems/unsupported-media-type"),
        ),
        (
            "encoding",
            app.post(&pipeline, "x").header("content-encoding", "br"),
            (415, "/problems/unsupported-encoding"),
        ),
        (
            "nothing taken",
            app.post(&pipeline, "[1, 2]"),
            (422, "/problems/unprocessable"),
        ),
    ];
    for (what, request, expected) in cases {
        let (status, kind, body) = problem(request.send().await.unwrap()).await;
        assert_eq!((status, kind.as_str()), expected, "{what}: {body}");
        assert!(!body["detail"].as_str().unwrap().is_empty(), "{what}");
        assert!(
            !body.to_string().contains(&pipeline.ingest_key),
            "{what} repeats a secret"
        );
    }
    let stats = app.until(&pipeline, |s| s.rejected == 2).await;
    assert_eq!((stats.received, stats.accepted), (2, 0));
}
