//! What a browser sees over the live channel.

use std::time::Duration;

use app::ports::BoxStream;
use dash_model::{
    live::{ClientMessage, Patch, Place, ServerMessage, State, Topic},
    query::{Aggregation, MetricQuery, QueryResult, QuerySpec, Shape, TimeRange},
    shared::Shared,
};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::util::{TestApp, value_mapping};

fn points_of(state: Shared<State>) -> QueryResult {
    match state.into_value() {
        State::Query(points) => points,
        other => panic!("{other:?}"),
    }
}

/// A browser: what it sends, what it is sent, what it shows.
struct Browser {
    sends: Option<mpsc::UnboundedSender<ClientMessage>>,
    receives: BoxStream<ServerMessage>,
    shows: Option<(Place, QueryResult)>,
}

impl Browser {
    fn open(app: &TestApp, shows: Option<(Place, QueryResult)>) -> Self {
        let (sends, input) = mpsc::unbounded_channel();
        let receives = server::live::serve(
            app.running().state.hub.clone(),
            Box::pin(UnboundedReceiverStream::new(input)),
        );
        let message = ClientMessage::Subscribe {
            sub: 1,
            topic: Topic::Query(spec()),
            resume: shows.as_ref().map(|s| s.0),
        };
        sends.send(message).unwrap();
        Self {
            sends: Some(sends),
            receives,
            shows,
        }
    }

    /// Takes messages until `points` are shown.
    async fn until(&mut self, points: usize) {
        let wait = async {
            while self.points().len() < points {
                match self.receives.next().await.expect("the socket stays open") {
                    ServerMessage::Snapshot { place, state, .. } => self.shows = Some((place, points_of(state))),
                    ServerMessage::Patch { from, place, patch, .. } => {
                        let Patch::Query(patch) = &*patch else {
                            panic!("{patch:?}")
                        };
                        let (at, state) = self.shows.as_mut().expect("a state to patch");
                        assert_eq!(at.seq, from, "no gap and no duplicate");
                        patch.apply(state);
                        *at = place;
                    }
                    ServerMessage::Heartbeat { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait)
            .await
            .expect("the points come");
    }

    fn points(&self) -> Vec<f64> {
        let series = self.shows.iter().flat_map(|(_, r)| &r.series);
        series.flat_map(|s| s.points.iter().map(|p| p.1)).collect()
    }
}

fn spec() -> QuerySpec {
    QuerySpec {
        query: MetricQuery {
            pipeline: "live".into(),
            metric: "value".into(),
            agg: Aggregation::Avg,
            by: vec!["sensor".into()],
            only: vec![],
        },
        range: TimeRange::Between {
            from_ms: 1_700_000_000_000,
            to_ms: 1_700_000_600_000,
        },
        shape: Shape::Series { width: 1_000 },
    }
}

async fn post(app: &TestApp, pipeline: &dash_model::pipeline::CreatedPipeline, n: i64) {
    let event = format!("{{\"at\":{},\"value\":{n}}}", 1_700_000_000_000 + n * 1_000);
    assert_eq!(app.post(pipeline, event).send().await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_posted_event_reaches_an_open_page_within_a_second() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut browser = Browser::open(&app, None);
    browser.until(1).await;
    let sent = std::time::Instant::now();
    post(&app, &pipeline, 2).await;
    browser.until(2).await;
    assert_eq!(browser.points(), [1.0, 2.0]);
    assert!(sent.elapsed() < Duration::from_secs(5), "took {:?}", sent.elapsed());
}

#[tokio::test]
async fn a_reconnect_gets_what_it_missed_and_nothing_twice() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    // Somebody else keeps looking, so that the topic goes on.
    let mut other = Browser::open(&app, None);
    let mut browser = Browser::open(&app, None);
    browser.until(1).await;
    other.until(1).await;
    drop(browser.sends.take());
    for n in 2..=4 {
        post(&app, &pipeline, n).await;
    }
    other.until(4).await;
    let mut again = Browser::open(&app, browser.shows.take());
    again.until(4).await;
    assert_eq!(again.points(), [1.0, 2.0, 3.0, 4.0]);
}

#[tokio::test]
async fn a_restart_of_the_server_ends_in_the_whole_picture() {
    let mut app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut browser = Browser::open(&app, None);
    browser.until(1).await;
    let seen = browser.shows.take();
    drop(browser);
    app.restart().await;
    post(&app, &pipeline, 2).await;
    let mut again = Browser::open(&app, seen);
    again.until(2).await;
    assert_eq!(again.points(), [1.0, 2.0]);
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_and_the_rest_goes_on() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut browser = Browser::open(&app, None);
    let unknown = Topic::Pipeline("nothing".into());
    browser
        .sends
        .as_ref()
        .unwrap()
        .send(ClientMessage::Subscribe {
            sub: 2,
            topic: unknown,
            resume: None,
        })
        .unwrap();
    let mut refused = None;
    while refused.is_none() {
        match tokio::time::timeout(Duration::from_secs(10), browser.receives.next())
            .await
            .unwrap()
            .unwrap()
        {
            ServerMessage::Refused { sub, why } => refused = Some((sub, why)),
            ServerMessage::Snapshot { place, state, .. } => browser.shows = Some((place, points_of(state))),
            _ => {}
        }
    }
    let (sub, why) = refused.unwrap();
    assert_eq!(sub, 2);
    assert!(why.contains("nothing"), "{why}");
    post(&app, &pipeline, 2).await;
    browser.until(2).await;
}

#[tokio::test]
async fn the_session_ends_with_its_browser() {
    let app = TestApp::start().await;
    let _pipeline = app.pipeline("live", value_mapping()).await;
    let mut browser = Browser::open(&app, None);
    drop(browser.sends.take());
    let end = async { while browser.receives.next().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(5), end)
        .await
        .expect("the output ends with the input");
}
