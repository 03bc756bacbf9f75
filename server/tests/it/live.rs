//! What a browser sees over the live channel.

use std::{pin::Pin, time::Duration};

use app::{AppError, api::Live};
use dash_model::{
    DEFAULT_ORGANIZATION, DashboardId,
    account::OrganizationRole,
    dashboard::{Dashboard, Widget, WidgetKind, WidgetQuery},
    live::{ClientMessage, Patch, Place, ServerMessage, State, Topic},
    query::{Aggregation, MetricQuery, QueryResult, QuerySpec, Shape, TimeRange},
    shared::Shared,
};
use futures::{SinkExt, Stream, StreamExt, channel::mpsc};
use leptos::server_fn::{BoxedStream, Protocol, ServerFn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::frame::coding::CloseCode},
};

use crate::{
    native::Native,
    util::{TestApp, problem, value_mapping},
};

fn points_of(state: Shared<State>) -> QueryResult {
    match state.into_value() {
        State::Query(points) => points,
        other => panic!("{other:?}"),
    }
}

/// A browser: what it sends, what it is sent, what it shows. Its end of the server function is the framework's, generated from the declaration.
struct Browser {
    sends: mpsc::UnboundedSender<Result<ClientMessage, AppError>>,
    receives: Pin<Box<dyn Stream<Item = Result<ServerMessage, AppError>> + Send>>,
    shows: Option<(Place, QueryResult)>,
}

/// The address of the live channel.
fn address(app: &TestApp) -> String {
    format!("{}{}", app.url.replacen("http", "ws", 1), <Live as ServerFn>::PATH)
}

impl Browser {
    async fn open(app: &TestApp, shows: Option<(Place, QueryResult)>) -> Self {
        Self::open_as(app, &app.owner.cookie, shows).await
    }

    async fn open_as(app: &TestApp, cookie: &str, shows: Option<(Place, QueryResult)>) -> Self {
        let path = format!("{cookie} {}", address(app));
        type Declared = <Live as ServerFn>::Protocol;
        type Server = <Live as ServerFn>::Server;
        type Receives = BoxedStream<ServerMessage, AppError>;
        let (sends, input) = mpsc::unbounded();
        let input = Live::from(BoxedStream::from(input));
        let receives: Receives =
            <Declared as Protocol<Live, Receives, Native, Server, AppError>>::run_client(&path, input)
                .await
                .expect("a socket");
        let receives = receives.into();
        let message = ClientMessage::Subscribe {
            sub: 1,
            topic: Topic::Query(spec()),
            resume: shows.as_ref().map(|s| s.0),
        };
        sends.unbounded_send(Ok(message)).unwrap();
        Self { sends, receives, shows }
    }

    /// Takes messages until `points` are shown.
    async fn until(&mut self, points: usize) {
        let wait = async {
            while self.points().len() < points {
                match self.receive().await {
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

    async fn receive(&mut self) -> ServerMessage {
        let message = self.receives.next().await.expect("the socket stays open");
        message.expect("a message and no error")
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
    let mut browser = Browser::open(&app, None).await;
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
    let mut other = Browser::open(&app, None).await;
    let mut browser = Browser::open(&app, None).await;
    browser.until(1).await;
    other.until(1).await;
    let seen = browser.shows.take();
    drop(browser);
    for n in 2..=4 {
        post(&app, &pipeline, n).await;
    }
    other.until(4).await;
    let mut again = Browser::open(&app, seen).await;
    again.until(4).await;
    assert_eq!(again.points(), [1.0, 2.0, 3.0, 4.0]);
}

#[tokio::test]
async fn a_restart_of_the_server_ends_in_the_whole_picture() {
    let mut app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut browser = Browser::open(&app, None).await;
    browser.until(1).await;
    let seen = browser.shows.take();
    drop(browser);
    app.restart().await;
    post(&app, &pipeline, 2).await;
    let mut again = Browser::open(&app, seen).await;
    again.until(2).await;
    assert_eq!(again.points(), [1.0, 2.0]);
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_and_the_rest_goes_on() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut browser = Browser::open(&app, None).await;
    let unknown = Topic::Pipeline("nothing".into());
    let subscribe = ClientMessage::Subscribe {
        sub: 2,
        topic: unknown,
        resume: None,
    };
    browser.sends.unbounded_send(Ok(subscribe)).unwrap();
    let mut refused = None;
    while refused.is_none() {
        match tokio::time::timeout(Duration::from_secs(10), browser.receive())
            .await
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
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut browser = Browser::open(&app, None).await;
    browser.until(1).await;
    let hub = app.running().state.hub.clone();
    assert_eq!(hub.topics(), 1);
    drop(browser);
    let end = async {
        while hub.topics() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), end)
        .await
        .expect("nobody follows any more");
}

/// A socket without the framework's client, to say what no browser says.
struct Raw(WebSocketStream<TcpStream>);

impl Raw {
    async fn open(app: &TestApp) -> Self {
        Self::open_with(app, "cookie", &app.owner.cookie).await
    }

    async fn open_with(app: &TestApp, name: &'static str, value: &str) -> Self {
        let stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        let mut request = address(app).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("origin", app.url.parse().unwrap());
        headers.insert(name, value.parse().unwrap());
        let (socket, _) = client_async(request, stream).await.unwrap();
        Self(socket)
    }

    async fn send(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// The next message; heartbeats are left out.
    async fn next(&mut self) -> Message {
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), self.0.next()).await;
            let message = message.expect("an answer").expect("no end yet").expect("a frame");
            if !matches!(&message, Message::Binary(bytes) if bytes.starts_with(b"\0{\"Heartbeat\"")) {
                return message;
            }
        }
    }

    /// How it is closed.
    async fn closed(&mut self) -> (CloseCode, String) {
        match self.next().await {
            Message::Close(Some(frame)) => (frame.code, frame.reason.to_string()),
            other => panic!("{other:?}"),
        }
    }
}

fn subscribe() -> Vec<u8> {
    let message = ClientMessage::Subscribe {
        sub: 1,
        topic: Topic::Query(spec()),
        resume: None,
    };
    [&b"\0"[..], &serde_json::to_vec(&message).unwrap()].concat()
}

#[tokio::test]
async fn a_message_that_is_none_ends_its_socket_alone_and_says_why() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut other = Browser::open(&app, None).await;
    other.until(1).await;
    let cases: [(&[u8], &str); 4] = [
        (b"", "an empty message"),
        (b"\0{\"Subscribe\":{}}", "missing field `sub`"),
        (b"\x01\"Internal\"", "an error came where a message should be"),
        (b"{\"Ping\":null}", "a message begins with 0"),
    ];
    for (bytes, reason) in cases {
        let mut raw = Raw::open(&app).await;
        raw.send(Message::Binary(bytes.to_vec().into())).await;
        let Message::Binary(error) = raw.next().await else {
            panic!("no error came")
        };
        assert_eq!(
            &error[..],
            b"\x01{\"Transport\":\"Garbled\"}",
            "as the framework answers"
        );
        let (code, why) = raw.closed().await;
        assert_eq!(code, CloseCode::Invalid);
        assert!(why.contains(reason), "{why}");
    }
    post(&app, &pipeline, 2).await;
    other.until(2).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_socket_alone_and_says_why() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut other = Browser::open(&app, None).await;
    other.until(1).await;

    let mut whole = Raw::open(&app).await;
    whole.send(Message::Binary(vec![0; 65_537].into())).await;
    assert_eq!(
        whole.closed().await,
        (
            CloseCode::Size,
            "Space limit exceeded: Message too long: 65537 > 65536".into()
        )
    );

    // Of one that only says that it is long nothing has to come, and nothing is kept free for it.
    let mut announced = Raw::open(&app).await;
    let head = [0x82, 0xff, 0, 0, 0x40, 0, 0, 0, 0, 0, 1, 2, 3, 4];
    announced.0.get_mut().write_all(&head).await.unwrap();
    assert_eq!(announced.closed().await.0, CloseCode::Size);

    // Nor of one in pieces, each of which is short.
    let mut pieces = Raw::open(&app).await;
    for (first, piece) in [(0x02, 60_000_u16), (0x00, 60_000)] {
        let mut bytes = vec![first, 0xfe];
        bytes.extend(piece.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.resize(bytes.len() + usize::from(piece), b' ');
        pieces.0.get_mut().write_all(&bytes).await.unwrap();
    }
    assert_eq!(pieces.closed().await.0, CloseCode::Size);

    post(&app, &pipeline, 2).await;
    other.until(2).await;
}

#[tokio::test]
async fn the_protocol_is_kept_to() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;

    // A message in pieces, with a ping between them, as text: all of it is allowed.
    let mut raw = Raw::open(&app).await;
    let message = subscribe();
    let (one, other) = message.split_at(20);
    for (first, piece) in [(0x01, one), (0x89, &b"are you there?"[..]), (0x80, other)] {
        // As long as seven bits say, in two halves else.
        let mut bytes = vec![first];
        match u8::try_from(piece.len()).ok().filter(|n| *n < 126) {
            Some(short) => bytes.push(0x80 | short),
            None => {
                bytes.push(0xfe);
                bytes.extend((piece.len() as u16).to_be_bytes());
            }
        }
        // A mask that changes nothing.
        bytes.extend([0; 4]);
        bytes.extend(piece);
        raw.0.get_mut().write_all(&bytes).await.unwrap();
    }
    assert_eq!(raw.next().await, Message::Pong("are you there?".into()));
    let Message::Binary(snapshot) = raw.next().await else {
        panic!("no snapshot")
    };
    assert!(snapshot.starts_with(b"\0{\"Snapshot\":{\"sub\":1,"), "{snapshot:?}");
    raw.send(Message::Close(None)).await;
    assert_eq!(raw.next().await, Message::Close(None));

    // What is not masked does not come from a browser.
    let mut bare = Raw::open(&app).await;
    bare.0.get_mut().write_all(&[0x82, 1, 0]).await.unwrap();
    assert_eq!(bare.closed().await.0, CloseCode::Protocol);
}

#[tokio::test]
async fn what_asks_for_no_socket_is_told_so() {
    let app = TestApp::start().await;
    let url = format!("{}{}", app.url, <Live as ServerFn>::PATH);
    let (status, kind, body) = problem(app.client.get(&url).send().await.unwrap()).await;
    assert_eq!((status, kind.as_str()), (400, "/problems/invalid-request"));
    assert!(body["detail"].as_str().unwrap().contains("is a websocket"), "{body}");
    assert_eq!(app.client.post(&url).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn a_page_of_another_site_gets_no_socket() {
    let app = TestApp::start().await;
    let mut request = address(&app).into_client_request().unwrap();
    let foreign = HeaderValue::from_static("http://evil.test");
    request.headers_mut().insert("origin", foreign);
    let stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
    let error = client_async(request, stream).await.expect_err("refused");
    assert!(error.to_string().contains("403"), "{error}");
}

/// Cross-site WebSocket hijacking: the browser of somebody who is signed in opens a socket for another site's page, with their cookie.
#[tokio::test]
async fn a_socket_with_a_cookie_needs_an_origin() {
    let app = TestApp::start().await;
    for origin in [None, Some("null"), Some("https://127.0.0.1.evil.test")] {
        let mut request = address(&app).into_client_request().unwrap();
        let headers = request.headers_mut();
        headers.insert("cookie", app.owner.cookie.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_static(origin));
        }
        let stream = TcpStream::connect(app.url.trim_start_matches("http://")).await.unwrap();
        let error = client_async(request, stream).await.expect_err("refused");
        assert!(error.to_string().contains("403"), "{origin:?}: {error}");
    }
}

#[tokio::test]
async fn nobody_follows_what_is_not_shared_and_everybody_what_is() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    let mut nobody = Browser::open_as(&app, "", None).await;
    loop {
        match nobody.receive().await {
            ServerMessage::Refused { why, .. } => break assert!(why.contains("Sign in"), "{why}"),
            ServerMessage::Heartbeat { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    share(&app, spec().query).await;
    let mut everybody = Browser::open_as(&app, "", None).await;
    everybody.until(1).await;
}

/// A dashboard that is shared with everybody and asks this.
async fn share(app: &TestApp, query: MetricQuery) {
    let board = Dashboard {
        id: DashboardId(uuid::Uuid::now_v7()),
        slug: "shared".into(),
        title: "Shared".into(),
        description: String::new(),
        range: TimeRange::All,
        widgets: vec![Widget {
            id: "w".into(),
            title: "W".into(),
            kind: WidgetKind::Line,
            queries: vec![WidgetQuery {
                label: "w".into(),
                query,
            }],
            unit: None,
            decimals: None,
            max_points: None,
            columns: 6,
            rows: 3,
        }],
        team: None,
        public: true,
    };
    let mut connection = app.database.db().diesel().await.unwrap();
    dash_db::store::dashboards::upsert(&mut connection, DEFAULT_ORGANIZATION, &board, 0)
        .await
        .unwrap();
    app.running().state.access.forget_shares();
}

/// Nothing tells this node: it looks with the next heartbeat.
#[tokio::test]
async fn what_is_no_longer_shared_is_followed_no_further() {
    let app = TestApp::start().await;
    let pipeline = app.pipeline("live", value_mapping()).await;
    post(&app, &pipeline, 1).await;
    share(&app, spec().query).await;
    let mut everybody = Browser::open_as(&app, "", None).await;
    everybody.until(1).await;
    let client = app.database.client().await.unwrap();
    client
        .batch_execute("UPDATE dashboards SET public = false")
        .await
        .unwrap();
    let refused = async {
        loop {
            if let ServerMessage::Refused { why, .. } = everybody.receive().await {
                return why;
            }
        }
    };
    let why = tokio::time::timeout(Duration::from_secs(30), refused)
        .await
        .expect("refused");
    assert!(why.contains("Sign in"), "{why}");
}

#[tokio::test]
async fn the_sockets_of_a_session_close_within_five_seconds_of_its_end() {
    let app = TestApp::start().await;
    let mut raw = Raw::open(&app).await;
    raw.send(Message::Binary(b"\0\"Ping\"".to_vec().into())).await;
    let mut connection = app.database.db().diesel().await.unwrap();
    // As another node does it: this one is not told.
    dash_db::store::sessions::end_all(&mut connection, app.owner.user, None)
        .await
        .unwrap();
    let ended = std::time::Instant::now();
    assert_eq!(raw.closed().await, (CloseCode::Normal, "the session has ended".into()));
    assert!(ended.elapsed() < Duration::from_secs(5), "took {:?}", ended.elapsed());
}

#[tokio::test]
async fn the_sockets_of_a_key_close_when_its_maker_may_do_less() {
    let app = TestApp::start().await;
    let ada = app.member(DEFAULT_ORGANIZATION, OrganizationRole::Admin, "ada").await;
    let fields = [("name", "k"), ("scope", "read"), ("team", "")];
    let key = app
        .submit(&ada.cookie, "/api/keys/make", &fields)
        .await
        .notice
        .unwrap()
        .once
        .remove(0);
    let mut raw = Raw::open_with(&app, "authorization", &format!("Bearer {key}")).await;
    raw.send(Message::Binary(b"\0\"Ping\"".to_vec().into())).await;
    let mut connection = app.database.db().diesel().await.unwrap();
    let member = OrganizationRole::Member;
    dash_db::store::members::set_role(&mut connection, DEFAULT_ORGANIZATION, ada.user, member)
        .await
        .unwrap();
    let ended = std::time::Instant::now();
    assert_eq!(raw.closed().await.0, CloseCode::Normal);
    assert!(ended.elapsed() < Duration::from_secs(5), "took {:?}", ended.elapsed());
}

#[tokio::test]
async fn sockets_are_told_that_the_server_stops() {
    let app = TestApp::start().await;
    let mut raw = Raw::open(&app).await;
    raw.send(Message::Binary(b"\0\"Ping\"".to_vec().into())).await;
    app.running().state.hub.close();
    assert_eq!(raw.closed().await, (CloseCode::Away, "the server stops".into()));
    let mut rest = Vec::new();
    raw.0.get_mut().read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "and nothing more");
}
