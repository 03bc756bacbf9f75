//! Everything that is posted is bounded.

use std::{io::Write, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::util::{TestApp, problem, value_mapping};

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let app = TestApp::with(&[("DASH_INGEST_MAX_BODY", "64KiB")]).await;
    let pipeline = app.pipeline("large", value_mapping()).await;
    let body = vec![b' '; 65 << 10];
    let announced = app.post(&pipeline, body.clone()).send().await.unwrap();
    assert_eq!(problem(announced).await.1, "/problems/body-too-large");
    let parts = body
        .chunks(1_000)
        .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
        .collect::<Vec<_>>();
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter(parts));
    let (status, kind, body) = problem(app.post(&pipeline, chunked).send().await.unwrap()).await;
    assert_eq!((status, kind.as_str()), (413, "/problems/body-too-large"));
    assert_eq!(body["allowed_bytes"], 65_536);
}

#[tokio::test]
async fn a_compression_bomb_is_refused() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("bomb", value_mapping()).await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..512 {
        gzip.write_all(&zeros).unwrap();
    }
    let bomb = gzip.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "it has to look small");
    let response = app
        .post(&pipeline, bomb)
        .header("content-encoding", "gzip")
        .send()
        .await
        .unwrap();
    let (status, kind, _) = problem(response).await;
    assert_eq!((status, kind.as_str()), (413, "/problems/inflated-too-large"));
}

#[tokio::test]
async fn a_slow_body_is_not_waited_for() {
    let app = TestApp::with(&[("DASH_INGEST_BODY_TIMEOUT", "1s")]).await;
    let pipeline = app.pipeline("slow", value_mapping()).await;
    let host = app.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST /api/v1/ingest/slow HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Length: 100\r\n\r\n{{",
        pipeline.ingest_key
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut answer))
        .await
        .expect("an answer")
        .unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn more_bodies_than_memory_are_told_to_come_back() {
    let app = TestApp::with(&[("DASH_INGEST_MEMORY", "50MiB")]).await;
    let pipeline = app.pipeline("crowded", value_mapping()).await;
    // A compressed body reserves what it may become: two at once do not fit.
    let parts = futures::stream::unfold(0, |i| async move {
        if i > 0 {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        (i < 2).then(|| (Ok::<_, std::io::Error>(vec![0x1f]), i + 1))
    });
    let held = app.post(&pipeline, reqwest::Body::wrap_stream(parts)).send();
    let held = tokio::spawn(held);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let response = app
        .post(&pipeline, vec![0x1f; 10])
        .header("content-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(problem(response).await.0, 429);
    assert_eq!(held.await.unwrap().unwrap().status(), 400);
}

#[tokio::test]
async fn a_full_spool_answers_503_before_anything_is_acknowledged() {
    let app = TestApp::with(&[
        ("DASH_INGEST_MAX_BODY", "512KiB"),
        ("DASH_INGEST_MAX_INFLATED", "1MiB"),
        ("DASH_SPOOL_MAX", "10MiB"),
        ("DASH_LAKE_AGE", "1h"),
    ])
    .await;
    let pipeline = app.pipeline("full", value_mapping()).await;
    let lines: String = (0..2_000)
        .map(|i| format!("{{\"at\":1700000000000,\"value\":{i},\"sensor\":\"some filling text\"}}\n"))
        .collect();
    let mut accepted = 0;
    let refusal: Value = loop {
        let response = app.post(&pipeline, lines.clone()).send().await.unwrap();
        if response.status() == 202 {
            accepted += 2_000;
            assert!(accepted < 1_000_000, "the spool never filled");
            continue;
        }
        assert!(response.headers().contains_key("retry-after"));
        let (status, _, body) = problem(response).await;
        assert_eq!(status, 503);
        break body;
    };
    assert!(refusal["detail"].as_str().unwrap().contains("spool"), "{refusal}");
    // An event that moves from the spool to the ledger while the figures are read is missed for a moment.
    let stats = app.until(&pipeline, |s| s.accepted >= accepted).await;
    assert_eq!(stats.accepted, accepted, "what was refused is not counted");
}
