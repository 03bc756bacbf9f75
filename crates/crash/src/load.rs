//! Senders: each a task that sends one batch after the other, until the load is paused.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use parking_lot::Mutex;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::{Client, StatusCode, header};
use serde::Deserialize;
use tokio::{
    sync::{OwnedRwLockWriteGuard, RwLock},
    task::JoinHandle,
    time::sleep,
};

use crate::{
    audit::{Difference, Findings},
    body::Body,
    book::{Batch, Book, Journal, State},
    event::{Kind, Producer},
};

/// Senders, and how many of them repeat under an Idempotency-Key.
pub const PRODUCERS: Producer = 8;
pub const KEYED: Producer = 4;

/// Longest that a sender waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two requests of a sender that had no answer, or was told to come back.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a pause of the load may take: senders with a key go on until they have their answer.
const QUIET: Duration = Duration::from_secs(120);

/// How hard the senders press.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    /// Records of the larger batches are cut to one in so many.
    pub smaller: u64,
    /// Longest pause between two batches of a sender.
    pub breath: Duration,
}

impl Pressure {
    /// As hard as they can.
    pub const FULL: Self = Self {
        smaller: 1,
        breath: Duration::ZERO,
    };
    /// So that a server that is not optimised, and the check of what it took, take seconds.
    pub const GENTLE: Self = Self {
        smaller: 3,
        breath: Duration::from_millis(100),
    };
}

/// How often each answer came since the last [`Load::mark`].
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// By status; none when there was no answer.
    pub counts: BTreeMap<Option<u16>, u64>,
    /// The longest that a sender waited for one.
    pub slowest: Duration,
    /// From the mark to the first 202 to a request that was sent after it.
    pub first_ack: Option<Duration>,
}

impl Answers {
    pub fn of(&self, status: u16) -> u64 {
        self.counts.get(&Some(status)).copied().unwrap_or(0)
    }
}

/// All senders.
pub struct Load {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
    /// Held while nobody may send.
    paused: Option<OwnedRwLockWriteGuard<()>>,
}

struct Shared {
    client: Client,
    url: String,
    key: String,
    book: Mutex<Book>,
    journal: Journal,
    gate: Arc<RwLock<()>>,
    base_ms: AtomicI64,
    large: AtomicBool,
    pressure: Pressure,
    marked: Mutex<(Instant, Answers)>,
    wrong: Mutex<Findings>,
    /// What ended a sender.
    broken: Mutex<Option<anyhow::Error>>,
}

impl Load {
    /// Makes the senders; they wait until [`Load::resume`].
    pub async fn new(
        url: String,
        key: String,
        journal: Journal,
        seed: u64,
        pressure: Pressure,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            client: Client::builder().build()?,
            url,
            key,
            book: Mutex::new(Book::new(PRODUCERS, KEYED)),
            journal,
            gate: Arc::default(),
            base_ms: AtomicI64::new(0),
            large: AtomicBool::new(false),
            marked: Mutex::new((Instant::now(), Answers::default())),
            pressure,
            wrong: Mutex::default(),
            broken: Mutex::default(),
        });
        let paused = Some(Arc::clone(&shared.gate).write_owned().await);
        let tasks = (0..PRODUCERS).map(|producer| {
            let sender = Sender {
                shared: Arc::clone(&shared),
                producer,
                next: 0,
                rng: StdRng::seed_from_u64(seed ^ (u64::from(producer) + 1) << 32),
            };
            tokio::spawn(sender.run())
        });
        Ok(Self {
            tasks: tasks.collect(),
            shared,
            paused,
        })
    }

    /// Lets the senders go on; events of new batches belong to the round that begins at `base_ms`.
    pub fn resume(&mut self, base_ms: i64) {
        self.shared.base_ms.store(base_ms, Ordering::Relaxed);
        self.paused = None;
    }

    /// Waits until every sender has finished its batch, and holds them.
    ///
    /// # Errors
    /// When one of them never gets its answer, or has failed.
    pub async fn pause(&mut self) -> anyhow::Result<()> {
        if self.paused.is_none() {
            let gate = Arc::clone(&self.shared.gate).write_owned();
            let held = tokio::time::timeout(QUIET, gate).await;
            self.paused = Some(held.context("a sender with an Idempotency-Key got no answer within two minutes")?);
        }
        self.health()
    }

    /// Whether all senders are well.
    ///
    /// # Errors
    /// What ended one of them.
    pub fn health(&self) -> anyhow::Result<()> {
        match self.shared.broken.lock().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Only large batches, or the usual mixture.
    pub fn large(&self, large: bool) {
        self.shared.large.store(large, Ordering::Relaxed);
    }

    /// Begins to count answers anew, from now.
    pub fn mark(&self) {
        *self.shared.marked.lock() = (Instant::now(), Answers::default());
    }

    /// When that was.
    pub fn marked(&self) -> Instant {
        self.shared.marked.lock().0
    }

    /// Answers since the mark.
    pub fn answers(&self) -> Answers {
        self.shared.marked.lock().1.clone()
    }

    /// A copy of what was sent and answered so far.
    pub fn book(&self) -> Book {
        self.shared.book.lock().clone()
    }

    pub fn acked_events(&self) -> u64 {
        self.shared.book.lock().acked_events()
    }

    /// Answers that must not be given, since this was asked last.
    pub fn wrong(&self) -> Findings {
        std::mem::take(&mut *self.shared.wrong.lock())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

struct Sender {
    shared: Arc<Shared>,
    producer: Producer,
    next: u64,
    rng: StdRng,
}

/// What came back.
enum Answer {
    Acked(i64),
    /// 429: nothing was taken.
    Refused,
    /// 503, or none: nobody knows.
    Unknown,
}

impl Sender {
    async fn run(mut self) {
        loop {
            let gate = Arc::clone(&self.shared.gate);
            let busy = gate.read().await;
            if let Err(error) = self.batch().await {
                self.shared.broken.lock().get_or_insert(error);
                return;
            }
            drop(busy);
            let breath = self.shared.pressure.breath.mul_f64(self.rng.random());
            if !breath.is_zero() {
                sleep(breath).await;
            }
        }
    }

    /// Sends one batch, and what its kind of sender does after it.
    async fn batch(&mut self) -> anyhow::Result<()> {
        let batch = self.draw();
        let body = Body::of(self.producer, &batch, &mut self.rng);
        let shared = Arc::clone(&self.shared);
        shared.journal.sent(self.producer, &batch).await?;
        shared.book.lock().sent(self.producer, batch);
        if self.producer < KEYED {
            self.keyed(&batch, &body).await
        } else {
            self.once(&batch, &body).await
        }
    }

    fn draw(&mut self) -> Batch {
        let size: u64 = match (self.shared.large.load(Ordering::Relaxed), self.rng.random_range(0..10)) {
            (true, _) => self.rng.random_range(1_500..=3_000),
            (_, 0..4) => self.rng.random_range(1..=10),
            (_, 4..8) => self.rng.random_range(50..=300) / self.shared.pressure.smaller,
            _ => self.rng.random_range(500..=1_500) / self.shared.pressure.smaller,
        };
        let (first, mut end) = (self.next, self.next + size);
        // Whether a batch was taken shows by its accepted records.
        if !Kind::of(end - 1).is_accepted() {
            end += 1;
        }
        self.next = end;
        Batch {
            first,
            end,
            base_ms: self.shared.base_ms.load(Ordering::Relaxed),
            state: State::Unknown,
        }
    }

    /// Repeats until there is an answer; now and then gives up too early, or repeats what was answered.
    async fn keyed(&mut self, batch: &Batch, body: &Body) -> anyhow::Result<()> {
        let key = format!("{}-{}", self.producer, batch.first);
        let event = loop {
            let patience = self.patience();
            match self.send(batch, body, Some(&key), patience).await {
                Answer::Acked(event) => break event,
                Answer::Refused | Answer::Unknown => sleep(PAUSE).await,
            }
        };
        self.acked(batch, event).await?;
        if self.rng.random_bool(0.05)
            && let Answer::Acked(again) = self.send(batch, body, Some(&key), PATIENCE).await
            && again != event
        {
            self.wrong(|| format!("{key} was answered with event {event}, its repetition with {again}"));
        }
        Ok(())
    }

    /// Sends once, whatever comes of it.
    async fn once(&mut self, batch: &Batch, body: &Body) -> anyhow::Result<()> {
        let patience = self.patience();
        match self.send(batch, body, None, patience).await {
            Answer::Acked(event) => return self.acked(batch, event).await,
            Answer::Refused => {
                self.shared.journal.refused(self.producer, batch.first).await?;
                self.shared.book.lock().answered(self.producer, State::Refused);
            }
            Answer::Unknown => {}
        }
        sleep(PAUSE).await;
        Ok(())
    }

    /// It counts once it is on the disk.
    async fn acked(&self, batch: &Batch, event: i64) -> anyhow::Result<()> {
        self.shared.journal.acked(self.producer, batch.first, event).await?;
        self.shared.book.lock().answered(self.producer, State::Acked(event));
        Ok(())
    }

    /// One in fifty hangs up in the middle.
    fn patience(&mut self) -> Duration {
        match self.rng.random_range(0..50) {
            0 => Duration::from_millis(self.rng.random_range(1..20)),
            _ => PATIENCE,
        }
    }

    async fn send(&self, batch: &Batch, body: &Body, key: Option<&str>, patience: Duration) -> Answer {
        let shared = &self.shared;
        let mut request = shared
            .client
            .post(&shared.url)
            .bearer_auth(&shared.key)
            .timeout(patience)
            .header(header::CONTENT_TYPE, body.content_type)
            .body(body.bytes.clone());
        if body.gzip {
            request = request.header(header::CONTENT_ENCODING, "gzip");
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let began = Instant::now();
        let answer = async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.bytes().await?))
        };
        let answer = answer.await;
        let status = answer.as_ref().ok().map(|(status, _)| status.as_u16());
        self.count(began, status);
        match answer {
            Err(_) => Answer::Unknown,
            Ok((StatusCode::ACCEPTED, text)) => match receipt(batch, &text) {
                Ok(event) => Answer::Acked(event),
                Err(error) => {
                    self.wrong(|| format!("the receipt for {batch:?}: {error:#}"));
                    Answer::Unknown
                }
            },
            Ok((StatusCode::TOO_MANY_REQUESTS, _)) => Answer::Refused,
            Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => Answer::Unknown,
            Ok((status, text)) => {
                self.wrong(|| format!("{status} to {batch:?}: {}", String::from_utf8_lossy(&text)));
                Answer::Unknown
            }
        }
    }

    fn count(&self, began: Instant, status: Option<u16>) {
        let mut marked = self.shared.marked.lock();
        let (since, answers) = &mut *marked;
        *answers.counts.entry(status).or_default() += 1;
        if status.is_some() {
            answers.slowest = answers.slowest.max(began.elapsed());
        }
        if status == Some(202) && began >= *since {
            answers.first_ack.get_or_insert(since.elapsed());
        }
    }

    fn wrong(&self, what: impl FnOnce() -> String) {
        self.shared.wrong.lock().add(Difference::Answer, what);
    }
}

/// The first event of a receipt that says what it must.
fn receipt(batch: &Batch, text: &[u8]) -> anyhow::Result<i64> {
    #[derive(Deserialize)]
    struct Receipt {
        batch: String,
        accepted: u64,
        rejected_total: u64,
    }
    let receipt: Receipt = serde_json::from_slice(text)?;
    let (accepted, rejected) = batch.counts();
    if (receipt.accepted, receipt.rejected_total) != (accepted, rejected) {
        bail!(
            "{} accepted and {} rejected, it should be {accepted} and {rejected}",
            receipt.accepted,
            receipt.rejected_total
        );
    }
    Ok(receipt.batch.parse()?)
}
