//! From the link on the console to an organization with people in it, as browsers without a script do it.

mod links;
mod mail;
mod organization;
mod outlives;
mod second_factor;
mod sign_in;

use dash_db::store;
use dash_model::people::Limited;
use secrecy::ExposeSecret;

use crate::util::TestApp;

/// The newest letter to somebody.
async fn letter(app: &TestApp, to: &str) -> dash_mail::Message {
    let state = &app.running().state;
    let mut connection = state.db.diesel().await.unwrap();
    let mails = store::mails::newest(&mut connection, &state.vault, 100).await.unwrap();
    let mail = mails.into_iter().find(|mail| mail.recipient == to);
    let mail = mail.unwrap_or_else(|| panic!("there is no letter to {to}"));
    serde_json::from_slice(mail.body.expose_secret()).unwrap()
}

async fn letters(app: &TestApp, to: &str) -> usize {
    let state = &app.running().state;
    let mut connection = state.db.diesel().await.unwrap();
    let mails = store::mails::newest(&mut connection, &state.vault, 100).await.unwrap();
    mails.iter().filter(|mail| mail.recipient == to).count()
}

/// The token of the link in a letter.
fn token(message: &dash_mail::Message) -> String {
    let (_, rest) = message.text.split_once("token=").expect("a link");
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    rest[..end.unwrap_or(rest.len())].to_owned()
}

#[tokio::test]
async fn a_limit_warns_first_and_then_refuses_by_its_name() {
    let app = TestApp::with(&[
        ("DASH_MAX_MEMBERS", "3"),
        ("DASH_MAX_EVENTS", "5"),
        ("DASH_MAX_PIPELINES", "1"),
    ])
    .await;
    let invite = async |email: &str| {
        let fields = [("email", email), ("role", "member")];
        app.submit(&app.owner.cookie, "/api/people/invite", &fields).await
    };
    for email in ["a@example.org", "b@example.org"] {
        assert!(invite(email).await.said().contains("is invited"));
    }
    let refused = invite("c@example.org").await;
    assert!(refused.notice.as_ref().unwrap().failed);
    assert!(refused.said().contains("3 members"), "{}", refused.said());

    // One pipeline: this one.
    let pipeline = app.pipeline("limited", crate::util::value_mapping()).await;
    let event = r#"{"at":1700000000000,"value":1}"#;
    let quotas = &app.running().state.quotas;
    quotas.refresh().await.unwrap();
    for _ in 0..4 {
        assert_eq!(app.post(&pipeline, event).send().await.unwrap().status(), 202);
    }
    let warnings = quotas.warnings(dash_model::DEFAULT_ORGANIZATION);
    assert!(
        warnings.iter().any(|w| w.contains("80 %") && w.contains("events")),
        "{warnings:?}"
    );
    assert_eq!(app.post(&pipeline, event).send().await.unwrap().status(), 202);
    let (status, _, body) = crate::util::problem(app.post(&pipeline, event).send().await.unwrap()).await;
    assert_eq!(status, 403);
    assert!(
        body["detail"].as_str().unwrap().contains("5 events in this month"),
        "{body}"
    );
    // Exact, whether the events are in the spool, in the manifest, or were counted by another node.
    app.settled(&pipeline).await;
    let limits = quotas.of(dash_model::DEFAULT_ORGANIZATION).await.unwrap();
    let events = limits.iter().find(|l| l.what == Limited::EventsAMonth).unwrap();
    assert_eq!((events.used, events.allowed), (5, Some(5)));
    let definition =
        serde_json::from_value(serde_json::json!({"name": "two", "mapping": crate::util::value_mapping()}));
    let actor = store::audit::Actor::system();
    let catalog = &app.running().state.catalog;
    let second = catalog
        .create(dash_model::DEFAULT_ORGANIZATION, &definition.unwrap(), actor)
        .await;
    let words = second.map(drop).expect_err("refused").to_string();
    assert!(words.contains("1 pipelines"), "{words}");
    let page = app.page("/organization?tab=usage").await.text().await.unwrap();
    assert!(page.contains("5 of 5") && page.contains("3 of 3"), "{page}");
}
