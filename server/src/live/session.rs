//! One socket: its subscriptions and what it is sent.

use std::{
    collections::{HashMap, VecDeque},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use app::ports::Viewer;
use dash_model::{
    Micros,
    live::{ClientMessage, Place, ServerMessage, Topic},
};
use futures::StreamExt;
use leptos::{prelude::FromServerFnError, server_fn::error::ServerFnErrorErr};
use tokio::time::{Instant, sleep};
use tokio_stream::{StreamMap, wrappers::WatchStream};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{
    frame::Frame,
    hub::{Followed, Hub},
    socket::{End, Socket, Turn},
    topic::Update,
    watch::Watched,
};

/// Time between heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// A browser that says nothing for so long is gone. Seen with the next heartbeat: a second timer would be there for every viewer.
const SILENCE: Duration = Duration::from_secs(60);
/// Subscriptions of one socket, and refusals that wait for it.
const MAX_SUBSCRIPTIONS: usize = 200;

/// Serves one socket until it ends, or the session that it belongs to.
pub async fn serve(hub: Hub, mut socket: Socket, viewer: Viewer, watched: Watched) {
    let End::Told { code, why } = run(hub, &mut socket, &viewer, &watched).await else {
        return;
    };
    tracing::debug!(%code, why, "a live socket is closed");
    if code == CloseCode::Invalid && socket.is_free() {
        // What the framework answers; the reason for whoever wrote the message comes with the end.
        let error = app::AppError::from_server_fn_error(ServerFnErrorErr::Deserialization(why.clone()));
        let _ = socket.send(Frame::failure(&error));
    }
    // Boxed, since it would make room for itself in every session that goes on.
    Box::pin(socket.close(code, &why)).await;
}

async fn run(hub: Hub, socket: &mut Socket, viewer: &Viewer, watched: &Watched) -> End {
    let mut session = Session::default();
    let mut closed = pin!(hub.closed());
    let mut ended = pin!(watched.ended());
    let mut beat = pin!(sleep(HEARTBEAT));
    let mut last_heard = Instant::now();
    loop {
        // The next message is made when there is room for it, of the newest state.
        while socket.is_free()
            && let Some(message) = session.next()
        {
            if let Err(end) = socket.send(Frame::of(message)) {
                return end;
            }
        }
        tokio::select! {
            turn = socket.turn() => match turn {
                Ok(Turn::Sent) => {}
                Ok(Turn::Alive) => last_heard = Instant::now(),
                Ok(Turn::Heard(message)) => {
                    last_heard = Instant::now();
                    if let Err(end) = session.hear(&hub, viewer, message).await {
                        return end;
                    }
                }
                Err(end) => return end,
            },
            Some((sub, _)) = session.changes.next() => session.moved(sub),
            () = &mut beat => {
                if last_heard.elapsed() >= SILENCE {
                    let why = format!("nothing was heard for {} s", SILENCE.as_secs());
                    return End::Told { code: CloseCode::Policy, why };
                }
                session.beat_due = true;
                session.admit_anew(&hub, viewer).await;
                beat.as_mut().reset(Instant::now() + HEARTBEAT);
            }
            () = &mut ended => return End::Told { code: CloseCode::Normal, why: "the session has ended".into() },
            () = &mut closed => return End::Told { code: CloseCode::Away, why: "the server stops".into() },
        }
    }
}

struct Session {
    subscriptions: HashMap<u32, Subscription>,
    /// Says of a subscription that its topic moved.
    changes: StreamMap<u32, WatchStream<u64>>,
    /// Subscriptions whose topics moved, in turn, so that a busy one does not starve the others.
    waiting: VecDeque<u32>,
    refusals: Vec<(u32, String)>,
    beat_due: bool,
}

struct Subscription {
    /// As the browser named it.
    topic: Topic,
    followed: Arc<Followed>,
    seen: Option<Place>,
    /// The browser knows that it is followed.
    told: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            subscriptions: HashMap::new(),
            changes: StreamMap::new(),
            waiting: VecDeque::new(),
            refusals: Vec::new(),
            // The first message of every socket.
            beat_due: true,
        }
    }
}

impl Session {
    async fn hear(&mut self, hub: &Hub, viewer: &Viewer, message: ClientMessage) -> Result<(), End> {
        match message {
            ClientMessage::Ping => {}
            ClientMessage::Unsubscribe { sub } => self.forget(sub),
            ClientMessage::Subscribe { sub, topic, resume } => {
                match subscribe(hub, viewer, topic, resume, self.subscriptions.len()).await {
                    Ok(subscription) => {
                        let changes = subscription.followed.history.changes();
                        self.changes.insert(sub, WatchStream::new(changes));
                        self.subscriptions.insert(sub, subscription);
                    }
                    Err(why) => self.refusals.push((sub, why)),
                }
            }
        }
        if self.refusals.len() > MAX_SUBSCRIPTIONS {
            let why = "more subscriptions are refused than are read of".into();
            return Err(End::Told {
                code: CloseCode::Policy,
                why,
            });
        }
        Ok(())
    }

    /// What may be followed changes: a pipeline is given to another team, a dashboard is no longer shared. Whoever is refused asks again, and
    /// is told why.
    async fn admit_anew(&mut self, hub: &Hub, viewer: &Viewer) {
        let mut refused = Vec::new();
        for (sub, subscription) in &self.subscriptions {
            if let Err(why) = hub.admits(viewer, subscription.topic.clone()).await {
                refused.push((*sub, why.to_string()));
            }
        }
        for (sub, why) in refused {
            self.forget(sub);
            self.refusals.push((sub, why));
        }
    }

    fn moved(&mut self, sub: u32) {
        if !self.waiting.contains(&sub) {
            self.waiting.push_back(sub);
        }
    }

    fn forget(&mut self, sub: u32) {
        self.subscriptions.remove(&sub);
        self.changes.remove(&sub);
        self.waiting.retain(|w| *w != sub);
    }

    /// What the socket is to be sent now.
    fn next(&mut self) -> Option<ServerMessage> {
        if std::mem::take(&mut self.beat_due) {
            let now_ms = now().millis();
            return Some(ServerMessage::Heartbeat { now_ms });
        }
        if let Some((sub, why)) = self.refusals.pop() {
            return Some(ServerMessage::Refused { sub, why });
        }
        while let Some(sub) = self.waiting.pop_front() {
            let message = self.subscriptions.get_mut(&sub).and_then(|s| next(sub, s));
            if let Some(ServerMessage::Refused { .. }) = message {
                // The browser forgets this number, and asks again under another.
                self.forget(sub);
            }
            if message.is_some() {
                return message;
            }
        }
        None
    }
}

async fn subscribe(
    hub: &Hub,
    viewer: &Viewer,
    topic: Topic,
    seen: Option<Place>,
    count: usize,
) -> Result<Subscription, String> {
    if count >= MAX_SUBSCRIPTIONS {
        return Err(format!("one page follows at most {MAX_SUBSCRIPTIONS} topics"));
    }
    let followed = hub.follow(viewer, topic.clone()).await.map_err(|e| e.to_string())?;
    Ok(Subscription {
        topic,
        followed,
        seen,
        told: false,
    })
}

/// What this subscription is to be sent now.
fn next(sub: u32, subscription: &mut Subscription) -> Option<ServerMessage> {
    let history = &subscription.followed.history;
    if let Some(why) = history.refused() {
        return Some(ServerMessage::Refused { sub, why });
    }
    let mut update = history.since(subscription.seen);
    if update.is_none() && !subscription.told {
        update = subscription.seen.and_then(|seen| history.confirm(seen));
    }
    let update = update?;
    subscription.told = true;
    Some(match update {
        Update::Snapshot { place, state } => {
            subscription.seen = Some(place);
            ServerMessage::Snapshot { sub, place, state }
        }
        Update::Patch { from, place, patch } => {
            subscription.seen = Some(place);
            ServerMessage::Patch {
                sub,
                from,
                place,
                patch,
            }
        }
    })
}

fn now() -> Micros {
    crate::clock::now()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use app::AppError;
    use async_trait::async_trait;
    use dash_model::{
        PipelineId,
        live::State,
        query::{Point, QueryResult, Resolution, Rollup, SeriesData},
    };
    use futures::SinkExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol::Role},
    };

    use super::*;
    use crate::live::{Before, Commit, Compute, Computed, Watch};

    /// States of which each begins anew and takes a megabyte.
    #[derive(Default)]
    struct Large(AtomicU64);

    #[async_trait]
    impl Compute for Large {
        async fn admit(&self, _: &Viewer, topic: Topic) -> Result<(Topic, PipelineId), AppError> {
            Ok((topic, PipelineId(uuid::Uuid::nil())))
        }

        async fn compute(&self, _: &Topic, _: Option<Before>) -> Result<Computed, AppError> {
            let n = self.0.fetch_add(1, Ordering::SeqCst) as i64 + 1;
            let state = State::Query(QueryResult {
                // Of another width than the one before: no patch leads to it.
                resolution: Resolution {
                    bucket_ms: n,
                    from: Rollup::Raw,
                },
                from_ms: 0,
                to_ms: n,
                series: vec![SeriesData {
                    tags: dash_model::mapping::Tags::new(),
                    points: (0..100_000).map(|i| Point(i, 0.5)).collect(),
                }],
                omitted_series: 0,
                unit: None,
            });
            Ok(Computed { state, parts: None })
        }
    }

    #[tokio::test]
    async fn a_viewer_who_does_not_read_is_not_buffered_for_and_ends_in_the_newest_state() {
        let compute = Arc::new(Large::default());
        let hub = Hub::new(1, compute.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let (theirs, ours) = tokio::join!(TcpStream::connect(address), listener.accept());
        let ours = Socket::new(ours.expect("accepted").0, b"");
        tokio::spawn(serve(
            hub.clone(),
            ours,
            Viewer::nobody(dash_model::DEFAULT_ORGANIZATION),
            Watch::default().join(None),
        ));
        let mut viewer = WebSocketStream::from_raw_socket(theirs.expect("connected"), Role::Client, None).await;
        let subscribe = ClientMessage::Subscribe {
            sub: 1,
            topic: Topic::Pipeline("large".into()),
            resume: None,
        };
        let subscribe = [&b"\0"[..], &serde_json::to_vec(&subscribe).expect("json")].concat();
        viewer.send(Message::Binary(subscribe.into())).await.expect("sent");

        let commit = Commit {
            pipeline: PipelineId(uuid::Uuid::nil()),
            times: None,
        };
        // Far more than what lies in buffers of the kernel.
        let made = || compute.0.load(Ordering::SeqCst);
        while made() < 40 {
            hub.committed(std::slice::from_ref(&commit));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (mut read, mut seen) = (0, 0);
        while seen < made() {
            let message = viewer.next().await.expect("open").expect("a message").into_data();
            if let ServerMessage::Snapshot { place, .. } = serde_json::from_slice(&message[1..]).expect("a message") {
                assert!(place.seq > seen, "never the same state again, never an older one");
                seen = place.seq;
                read += 1;
            }
        }
        assert!(
            read < 30,
            "{read} of {seen} states were kept for a viewer who did not read"
        );
    }
}
