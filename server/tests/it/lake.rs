//! Bronze on a bucket that fails now and then.

use std::time::Duration;

use axum::http::Method;
use dash_lake::test_support::{Fault, S3Server};

use crate::util::{TestApp, value_mapping};

#[tokio::test]
async fn who_waits_for_the_lake_is_answered_when_the_object_is_there() {
    let app = TestApp::with(&[("DASH_LAKE_AGE", "1h")]).await;
    let pipeline = app.pipeline("patient", value_mapping()).await;
    let url = format!("{}/api/v1/ingest/patient?ack=lake", app.url);
    let send = |n: i64| {
        let event = format!("{{\"at\":{},\"value\":{n}}}", 1_700_000_000_000_i64 + n);
        app.client
            .post(&url)
            .bearer_auth(&pipeline.ingest_key)
            .body(event)
            .send()
    };
    let answers = futures::future::join_all((0..10).map(send)).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["dash-ack"].to_str().unwrap()),
            (202, "lake")
        );
    }
    let stats = app.stats(&pipeline).await;
    assert_eq!(stats.bronze_rows, 10);
    assert!(stats.bronze_objects <= 2, "who comes at the same time shares an object");
    let plain = app
        .post(&pipeline, r#"{"at":1700000000000,"value":1}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(plain.headers()["dash-ack"], "spool");
}

#[tokio::test]
async fn a_bucket_that_fails_and_loses_answers_ends_with_every_event_once() {
    let s3 = S3Server::start().await;
    let lake = format!("s3://{}/bronze", s3.bucket);
    let app = TestApp::with(&[
        ("DASH_LAKE", lake.as_str()),
        ("AWS_ENDPOINT_URL", s3.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "test-access-key"),
        ("AWS_SECRET_ACCESS_KEY", "test-secret-key"),
    ])
    .await;
    let pipeline = app.pipeline("bucket", value_mapping()).await;
    for _ in 0..3 {
        s3.faults.push(Method::PUT, Fault::Status(503));
    }
    for round in 0..6 {
        if round == 3 {
            s3.faults.push(Method::PUT, Fault::LostAnswer);
            s3.faults.push(Method::PUT, Fault::DoneButStatus(500));
        }
        let lines: String = (0..50)
            .map(|i| format!("{{\"at\":{},\"value\":{i}}}\n", 1_700_000_000_000_i64 + i))
            .collect();
        assert_eq!(app.post(&pipeline, lines).send().await.unwrap().status(), 202);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let stats = app.settled(&pipeline).await;
    assert_eq!((stats.bronze_rows, stats.silver_points), (300, 300));
    let lake = &app.running().state.lake;
    let keys = lake.list().await.unwrap();
    assert_eq!(
        keys.len() as u64,
        stats.bronze_objects,
        "no object that the manifest does not know"
    );
    let mut events = Vec::new();
    for key in &keys {
        let bytes = lake.get(key).await.unwrap();
        events.extend(dash_lake::codec::decode(bytes).unwrap().into_iter().map(|r| r.event));
    }
    events.sort_unstable();
    let distinct = events.windows(2).all(|w| w[0] < w[1]);
    assert!(distinct && events.len() == 300, "{} events", events.len());
}
