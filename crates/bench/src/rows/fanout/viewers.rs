//! Viewers: sockets that follow one topic, as a browser's tab does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use dash_model::live::{ClientMessage, Place, ServerMessage, Topic};
use futures::{FutureExt, SinkExt, StreamExt};
use parking_lot::Mutex;
use tokio::{
    net::TcpStream,
    runtime::Handle,
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

/// As a browser's.
const PING: Duration = Duration::from_secs(20);
/// Handshakes at one time: more would only wait in the listener's queue.
const AT_ONCE: usize = 64;
/// For all to open, and for all to see the newest state.
const PATIENCE: Duration = Duration::from_secs(60);
/// What stands before a message that is no error, in both directions: the framing of a websocket server function.
const FINE: u8 = 0;

/// Whom to follow.
#[derive(Clone)]
pub enum Follow {
    /// Dash's live channel, and this topic of it, by a key that may read.
    Topic { topic: Topic, key: String },
    /// A socket that sends without being asked; its messages are counted and not read.
    Anything,
}

/// Open sockets; they close when this is dropped.
pub struct Viewers {
    shared: Arc<Shared>,
    tasks: JoinSet<anyhow::Result<()>>,
    /// How many stay: the others leave.
    stay: watch::Sender<usize>,
}

struct Shared {
    address: SocketAddr,
    path: &'static str,
    follow: Follow,
    /// Sockets that are open, and whose first state has come.
    settled: AtomicU64,
    messages: AtomicU64,
    bytes: AtomicU64,
    /// The newest patch, as it came over the socket.
    sample: Mutex<Option<Bytes>>,
    /// The sequence of the state that each viewer has seen; of those who do not read, how many messages.
    seen: Vec<AtomicU64>,
}

/// What all viewers together received since they opened; snapshots and heartbeats are not counted.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    pub messages: u64,
    pub bytes: u64,
}

impl Viewers {
    /// None yet; at most `most` can be opened.
    pub fn new(address: SocketAddr, path: &'static str, follow: Follow, most: usize) -> Self {
        Self {
            shared: Arc::new(Shared {
                address,
                path,
                follow,
                settled: AtomicU64::new(0),
                messages: AtomicU64::new(0),
                bytes: AtomicU64::new(0),
                sample: Mutex::default(),
                seen: (0..most).map(|_| AtomicU64::new(0)).collect(),
            }),
            tasks: JoinSet::new(),
            stay: watch::Sender::new(most),
        }
    }

    /// Opens so many more on `runtime`, and waits until each has its first state.
    pub async fn open(&mut self, runtime: &Handle, count: usize) -> anyhow::Result<()> {
        let first = self.tasks.len();
        let permits = Arc::new(tokio::sync::Semaphore::new(AT_ONCE));
        for nth in first..first + count {
            let viewer = view(
                nth,
                Arc::clone(&self.shared),
                Arc::clone(&permits),
                self.stay.subscribe(),
            );
            self.tasks.spawn_on(viewer, runtime);
        }
        let wanted = (first + count) as u64;
        self.wait("have their first state", |shared| {
            shared.settled.load(Relaxed) == wanted
        })
        .await
    }

    /// Lets all but the first so many leave.
    pub async fn keep(&mut self, count: usize) -> anyhow::Result<()> {
        self.stay.send_replace(count);
        while self.tasks.len() > count {
            match timeout(PATIENCE, self.tasks.join_next()).await {
                Ok(Some(ended)) => ended??,
                _ => bail!("{} viewers do not leave", self.tasks.len() - count),
            }
        }
        Ok(())
    }

    pub fn received(&self) -> Received {
        Received {
            messages: self.shared.messages.load(Relaxed),
            bytes: self.shared.bytes.load(Relaxed),
        }
    }

    /// The newest patch, byte for byte.
    pub fn sample(&self) -> Option<Bytes> {
        self.shared.sample.lock().clone()
    }

    /// The newest state that any of them has seen.
    pub fn newest(&self) -> u64 {
        let seen = self.shared.seen[..self.tasks.len()].iter();
        seen.map(|s| s.load(Relaxed)).max().unwrap_or(0)
    }

    /// Waits until all have seen a newer one than this.
    pub async fn all_after(&mut self, before: u64) -> anyhow::Result<()> {
        let count = self.tasks.len();
        self.wait("have seen a change", |shared| {
            shared.seen[..count].iter().all(|s| s.load(Relaxed) > before)
        })
        .await
    }

    /// Waits until all have seen the newest state that any of them has.
    pub async fn agree(&mut self) -> anyhow::Result<()> {
        let count = self.tasks.len();
        self.wait("have seen the newest state", |shared| {
            let seen = || shared.seen[..count].iter().map(|s| s.load(Relaxed));
            seen().max() == seen().min()
        })
        .await
    }

    /// An error as soon as one of them has failed.
    async fn wait(&mut self, what: &str, done: impl Fn(&Shared) -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !done(&self.shared) {
            if let Some(ended) = self.tasks.try_join_next() {
                ended?.context("a viewer")?;
                bail!("a viewer left early");
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "after {PATIENCE:?} not all of {} viewers {what}",
                self.tasks.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

async fn view(
    nth: usize,
    shared: Arc<Shared>,
    permits: Arc<tokio::sync::Semaphore>,
    mut stay: watch::Receiver<usize>,
) -> anyhow::Result<()> {
    let permit = permits.acquire().await?;
    let mut socket = connect(&shared).await?;
    match &shared.follow {
        Follow::Topic { topic, .. } => {
            let subscribe = ClientMessage::Subscribe {
                sub: 1,
                topic: topic.clone(),
                resume: None,
            };
            socket.send(encode(&subscribe)?).await?;
        }
        Follow::Anything => _ = shared.settled.fetch_add(1, Relaxed),
    }
    drop(permit);
    // Not all in the same moment.
    let first = Instant::now() + PING.mul_f64((nth % 100) as f64 / 100.0);
    let mut ping = interval_at(first, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut place: Option<Place> = None;
    loop {
        tokio::select! {
            message = socket.next() => {
                match message.context("the server closed the socket")?? {
                    Message::Binary(bytes) => shared.take(nth, bytes, &mut place)?,
                    Message::Close(_) => bail!("the server closed the socket"),
                    _ => {}
                }
            }
            _ = ping.tick() => socket.send(encode(&ClientMessage::Ping)?).await?,
            stays = stay.wait_for(|count| nth >= *count).map(|changed| changed.is_err()) => {
                if !stays {
                    socket.close(None).await?;
                }
                return Ok(());
            }
        }
    }
}

async fn connect(shared: &Shared) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(shared.address)
        .await
        .context("a viewer cannot connect; does the limit of open files allow for so many?")?;
    stream.set_nodelay(true)?;
    // Ten thousand of them live in one process: the usual buffers would take gigabytes.
    let small = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
    let url = format!("ws://{}{}", shared.address, shared.path);
    let mut request = url.into_client_request()?;
    if let Follow::Topic { key, .. } = &shared.follow {
        request
            .headers_mut()
            .insert("authorization", format!("Bearer {key}").parse()?);
    }
    let (socket, _) = client_async_with_config(request, stream, Some(small))
        .await
        .context("a handshake failed")?;
    Ok(socket)
}

impl Shared {
    fn take(&self, nth: usize, bytes: Bytes, place: &mut Option<Place>) -> anyhow::Result<()> {
        let counted = || {
            self.messages.fetch_add(1, Relaxed);
            self.bytes.fetch_add(bytes.len() as u64, Relaxed);
        };
        if matches!(self.follow, Follow::Anything) {
            counted();
            self.seen[nth].fetch_add(1, Relaxed);
            return Ok(());
        }
        ensure!(bytes.first() == Some(&FINE), "the server sent an error");
        match serde_json::from_slice(&bytes[1..]).context("a message that is none")? {
            ServerMessage::Heartbeat { .. } => {}
            ServerMessage::Refused { why, .. } => bail!("the server refused: {why}"),
            ServerMessage::Snapshot { place: now, .. } => {
                if place.replace(now).is_none() {
                    self.settled.fetch_add(1, Relaxed);
                }
                self.seen[nth].store(now.seq, Relaxed);
            }
            ServerMessage::Patch { from, place: now, .. } => {
                let fits = place.is_some_and(|p| p.seq == from && p.epoch == now.epoch);
                ensure!(fits, "a patch from {from} came to a viewer at {place:?}");
                *place = Some(now);
                self.seen[nth].store(now.seq, Relaxed);
                counted();
                if nth == 0 {
                    *self.sample.lock() = Some(bytes.clone());
                }
            }
        }
        Ok(())
    }
}

fn encode(message: &ClientMessage) -> anyhow::Result<Message> {
    let mut bytes = vec![FINE];
    serde_json::to_writer(&mut bytes, message)?;
    Ok(Message::Binary(bytes.into()))
}
