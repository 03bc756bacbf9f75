//! The same key gives the same answer once more, and takes nothing once more.

use dash_model::receipt::Receipt;

use crate::util::{TestApp, problem, value_mapping};

#[tokio::test]
async fn a_repeat_is_answered_and_not_taken_again_also_after_a_restart() {
    let mut app = TestApp::start().await;
    let pipeline = app.pipeline("repeats", value_mapping()).await;
    let body = r#"[{"at":1700000000000,"value":1},7]"#;
    let send = async |app: &TestApp| {
        let response = app
            .post(&pipeline, body)
            .header("idempotency-key", "one")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 202);
        response.json::<Receipt>().await.unwrap()
    };
    let first = send(&app).await;
    assert_eq!(send(&app).await, first);
    app.settled(&pipeline).await;
    assert_eq!(send(&app).await, first, "once it is in the database");
    app.restart().await;
    assert_eq!(send(&app).await, first, "after a restart");
    let stats = app.settled(&pipeline).await;
    assert_eq!((stats.accepted, stats.rejected, stats.silver_points), (1, 1, 1));
}

#[tokio::test]
async fn another_body_under_the_same_key_is_a_conflict() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("conflicts", value_mapping()).await;
    let send = |body: &'static str| app.post(&pipeline, body).header("idempotency-key", "one").send();
    assert_eq!(send(r#"{"at":1700000000000,"value":1}"#).await.unwrap().status(), 202);
    let (status, kind, _) = problem(send(r#"{"at":1700000000000,"value":2}"#).await.unwrap()).await;
    assert_eq!((status, kind.as_str()), (409, "/problems/idempotency-conflict"));
    assert_eq!(app.settled(&pipeline).await.accepted, 1);
}

#[tokio::test]
async fn fifty_at_once_under_one_key_are_one() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("racing", value_mapping()).await;
    let send = || {
        app.post(&pipeline, r#"{"at":1700000000000,"value":1}"#)
            .header("idempotency-key", "one")
            .send()
    };
    let answers = futures::future::join_all((0..50).map(|_| send())).await;
    let mut batches = std::collections::BTreeSet::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 202);
        batches.insert(answer.json::<Receipt>().await.unwrap().batch);
    }
    assert_eq!(batches.len(), 1);
    assert_eq!(app.settled(&pipeline).await.accepted, 1);
}

#[tokio::test]
async fn the_same_key_of_another_pipeline_is_another_key() {
    let app = TestApp::start().await;
    let (a, b) = (
        app.pipeline("a", value_mapping()).await,
        app.pipeline("b", value_mapping()).await,
    );
    for (pipeline, body) in [
        (&a, r#"{"at":1700000000000,"value":1}"#),
        (&b, r#"{"at":1700000000000,"value":2}"#),
    ] {
        let response = app
            .post(pipeline, body)
            .header("webhook-id", "one")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 202);
    }
    assert_eq!(app.settled(&b).await.accepted, 1);
}

#[tokio::test]
async fn a_body_of_which_nothing_was_taken_is_refused_again() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("refused", value_mapping()).await;
    for _ in 0..2 {
        let response = app
            .post(&pipeline, "[1]")
            .header("idempotency-key", "one")
            .send()
            .await
            .unwrap();
        assert_eq!(problem(response).await.0, 422);
    }
    // A third body that is taken comes after both in the spool.
    app.post(&pipeline, r#"{"at":1700000000000,"value":1}"#)
        .send()
        .await
        .unwrap();
    let stats = app.until(&pipeline, |s| s.mapped == 1).await;
    assert_eq!(stats.rejected, 1, "counted once");
}
