//! What was acknowledged is there after a stop, once.

use dash_model::EventSeq;
use dash_model::receipt::Receipt;

use crate::util::{TestApp, value_mapping};

#[tokio::test]
async fn a_restart_loses_nothing_and_counts_nothing_twice() {
    let mut app = TestApp::with(&[("DASH_LAKE_OBJECT_AGE", "1h")]).await;
    let pipeline = app.pipeline("steady", value_mapping()).await;
    let mut highest = EventSeq(-1);
    for round in 0..4 {
        for i in 0..20 {
            let event = format!("{{\"at\":{},\"value\":{i}}}", 1_700_000_000_000_i64 + round * 100 + i);
            let receipt: Receipt = app.post(&pipeline, event).send().await.unwrap().json().await.unwrap();
            assert!(receipt.batch > highest, "sequences are never used again");
            highest = receipt.batch;
        }
        app.restart().await;
    }
    let stats = app.settled(&pipeline).await;
    assert_eq!((stats.accepted, stats.silver_points, stats.bronze_rows), (80, 80, 80));
}

#[tokio::test]
async fn a_lost_spool_directory_never_leads_to_used_sequences() {
    let mut app = TestApp::start().await;
    let pipeline = app.pipeline("lost", value_mapping()).await;
    let send = async |app: &TestApp| {
        let response = app
            .post(&pipeline, r#"{"at":1700000000000,"value":1}"#)
            .send()
            .await
            .unwrap();
        response.json::<Receipt>().await.unwrap().batch
    };
    let before = send(&app).await;
    app.settled(&pipeline).await;
    app.stop().await;
    std::fs::remove_dir_all(app.data.path().join("spool")).unwrap();
    app.start_again().await;
    assert!(send(&app).await > before);
    assert_eq!(app.settled(&pipeline).await.silver_points, 2);
}
