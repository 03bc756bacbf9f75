//! `GET /api/v1/query`

use serde_json::Value;

use dash_model::{DEFAULT_ORGANIZATION, account::Scope};

use crate::util::{TestApp, problem, value_mapping};

const FROM: i64 = 1_700_000_000_000;

async fn with_points(app: &TestApp) -> dash_model::pipeline::CreatedPipeline {
    let pipeline = app.pipeline("many", value_mapping()).await;
    let lines: String = (0..7_200)
        .map(|i| {
            format!(
                "{{\"at\":{},\"value\":{},\"sensor\":\"s{}\"}}\n",
                FROM + i * 1_000,
                i,
                i % 2
            )
        })
        .collect();
    assert_eq!(app.post(&pipeline, lines).send().await.unwrap().status(), 202);
    app.settled(&pipeline).await;
    pipeline
}

#[tokio::test]
async fn two_hours_fit_into_their_pixels_and_add_up() {
    let app = TestApp::start().await;
    let pipeline = with_points(&app).await;
    let (from, to) = (FROM.to_string(), (FROM + 7_200_000).to_string());
    let range = [
        ("metric", "value"),
        ("from", &from),
        ("to", &to),
        ("width", "100"),
        ("agg", "sum"),
    ];
    let answer: Value = app.query(&pipeline, &range).await.json().await.unwrap();
    let points = answer["series"][0]["points"].as_array().unwrap();
    assert!(points.len() <= 200, "{} points", points.len());
    let sum: f64 = points.iter().map(|p| p[1].as_f64().unwrap()).sum();
    assert_eq!(sum, (0..7_200).sum::<i64>() as f64);
    assert!(answer["resolution"]["bucket_ms"].as_i64().unwrap() > 1_000);
}

#[tokio::test]
async fn csv_and_arrow_say_what_json_says() {
    let app = TestApp::start().await;
    with_points(&app).await;
    let (from, to) = (FROM.to_string(), (FROM + 10_000).to_string());
    let url = format!(
        "{}/api/v1/query?pipeline=many&metric=value&by=sensor&from={from}&to={to}",
        app.url
    );
    let get = |accept: &str| {
        app.client
            .get(&url)
            .bearer_auth(&app.reader)
            .header("accept", accept)
            .send()
    };

    let csv = get("text/csv").await.unwrap();
    assert_eq!(csv.headers()["content-type"], "text/csv; charset=utf-8");
    let csv = csv.text().await.unwrap();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("time,sensor,value"));
    assert_eq!(lines.clone().count(), 10);
    assert_eq!(lines.next(), Some("2023-11-14T22:13:20Z,s0,0.0"));

    let bytes = get("application/vnd.apache.arrow.stream")
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let reader = arrow::ipc::reader::StreamReader::try_new(&bytes[..], None).unwrap();
    let rows: usize = reader.map(|b| b.unwrap().num_rows()).sum();
    assert_eq!(rows, 10);
}

#[tokio::test]
async fn a_wrong_question_says_which_part_and_what_is_allowed() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("asked", value_mapping()).await;
    for (parameters, status, words) in [
        (vec![("metric", "nothing")], 422, "value"),
        (vec![("metric", "value"), ("from", "yesterday")], 400, "from"),
        (vec![("metric", "value"), ("from", "2"), ("to", "1")], 400, "before"),
        (vec![("metric", "value"), ("width", "0")], 400, "width"),
        (vec![("metric", "value"), ("agg", "median")], 400, "median"),
        (vec![("metric", "value"), ("colour", "red")], 400, "colour"),
        (vec![], 400, "metric"),
    ] {
        let (found, _, body) = problem(app.query(&pipeline, &parameters).await).await;
        assert_eq!(found, status, "{parameters:?}: {body}");
        assert!(
            body["detail"].as_str().unwrap().contains(words),
            "{parameters:?}: {body}"
        );
    }
}

#[tokio::test]
async fn nothing_is_answered_without_a_key_that_may_read() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("mine", value_mapping()).await;
    let url = format!("{}/api/v1/query?pipeline=mine&metric=value", app.url);
    let status = async |key: Option<&str>| {
        let request = app.client.get(&url);
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(None).await, 401);
    assert_eq!(status(Some("dash_nonsense")).await, 401);
    assert_eq!(
        status(Some(&pipeline.ingest_key)).await,
        403,
        "a key for events reads nothing"
    );
    let ingest = app.api_key(DEFAULT_ORGANIZATION, Scope::Ingest, None).await;
    assert_eq!(status(Some(&ingest)).await, 403, "nor does another one for events");
    assert_eq!(status(Some(&app.reader)).await, 200);
}
