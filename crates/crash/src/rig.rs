//! Everything together: PostgreSQL, the S3 server, the Dash under test and its senders, in a directory of their own.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail};
use dash_db::test_support::secret_key;
use dash_lake::test_support::S3Server;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use secrecy::ExposeSecret;
use tokio::time::sleep;

use crate::{
    audit::{Findings, Seen},
    book::{Book, Journal},
    check::{self, Stats},
    event::{DEFINITION, ROUND_MS},
    load::{KEYED, Load, PRODUCERS, Pressure},
    postgres::Postgres,
    report::Times,
    server::{Created, Program, Reader, Server},
    tmpfs::Tmpfs,
};

const DAY_MS: i64 = 86_400_000;
/// Prefix of the lake in its bucket.
const PREFIX: &str = "lake";
/// How long a start may take: recovery of a spool and of PostgreSQL included.
pub const START: Duration = Duration::from_secs(60);
/// How long draining may take: pauses after a failing lake grow to 30 s.
const DRAIN: Duration = Duration::from_secs(180);

pub struct Rig {
    pub dir: PathBuf,
    pub rng: StdRng,
    /// Shorter faults.
    pub short: bool,
    pub postgres: Postgres,
    pub s3: S3Server,
    pub program: Program,
    /// Between a kill and the next start there is none.
    pub server: Option<Server>,
    pub load: Load,
    pub http: reqwest::Client,
    pub spool: PathBuf,
    pub tmpfs: Option<Tmpfs>,
    pipeline: Created,
    reader: Reader,
    journal: Journal,
    seen: Seen,
    /// When the first round begins, for the times of events.
    origin_ms: i64,
    round: i64,
}

impl Rig {
    /// Starts everything but Dash, and makes the pipeline. `rounds` is how many there will be at most.
    pub async fn new(server: &Path, dir: &Path, seed: u64, short: bool, rounds: usize) -> anyhow::Result<Self> {
        let postgres = Postgres::start(&dir.join("postgres")).await?;
        let objects = dir.join("s3");
        fs::create_dir(&objects)?;
        let s3 = S3Server::start_in(&objects).await;
        let program = Program::new(server, dir, variables(&postgres, &s3))?;
        let spool = dir.join("spool");
        let definition = dir.join("pipeline.json");
        fs::write(&definition, DEFINITION)?;
        let pipeline = program.create_pipeline(&spool, &definition).await?;
        let reader = program.create_reader(&spool).await?;
        let journal = Journal::create(&dir.join("acks.log"))?;
        let url = format!("{}/api/v1/ingest/{}", program.url(), pipeline.slug);
        let pressure = if short { Pressure::GENTLE } else { Pressure::FULL };
        let load = Load::new(url, pipeline.ingest_key.clone(), journal.clone(), seed, pressure).await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as i64;
        let origin = now - (rounds as i64 + 2) * ROUND_MS;
        Ok(Self {
            dir: dir.to_owned(),
            rng: StdRng::seed_from_u64(seed),
            short,
            postgres,
            s3,
            program,
            server: None,
            load,
            http: reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?,
            spool,
            tmpfs: None,
            pipeline,
            reader,
            journal,
            seen: Seen::new(),
            origin_ms: origin.div_euclid(ROUND_MS) * ROUND_MS,
            round: 0,
        })
    }

    /// Lets the senders go, with times of their own for this round.
    pub fn begin_round(&mut self) {
        self.load.resume(self.round_ms());
        self.round += 1;
    }

    /// Where the round that runs begins.
    fn round_ms(&self) -> i64 {
        self.origin_ms + self.round * ROUND_MS
    }

    /// Starts Dash and begins to count answers; does not wait for it.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.server = Some(self.program.start(&self.spool)?);
        self.load.mark();
        Ok(())
    }

    /// kill -9.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut server = self.server.take().context("there is no server to kill")?;
        // One that had ended already was not killed.
        server.check_alive()?;
        server.kill().await
    }

    /// SIGTERM; the server must end well.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        let server = self.server.take().context("there is no server to stop")?;
        let status = server.stop().await?;
        if !status.success() {
            bail!("the server ended with {status} after SIGTERM");
        }
        Ok(())
    }

    /// The server that runs.
    pub fn running(&mut self) -> anyhow::Result<&mut Server> {
        let server = self.server.as_mut().context("no server runs")?;
        server.check_alive()?;
        Ok(server)
    }

    /// Lets the load go on for a random time, in milliseconds.
    pub async fn under_load(&mut self, ms: std::ops::Range<u64>) -> anyhow::Result<()> {
        let pause = self.rng.random_range(ms);
        sleep(Duration::from_millis(pause)).await;
        self.load.health()
    }

    /// Waits for a 202 to a request that was sent since the load was marked.
    pub async fn first_ack(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            if let Some(after) = self.load.answers().first_ack {
                return Ok(after);
            }
            self.running()?;
            self.load.health()?;
            if begun.elapsed() > START {
                bail!(
                    "nothing was acknowledged for {START:?}: {:?}",
                    self.load.answers().counts
                );
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for the first 202, holds the senders, and waits until nothing is left to do.
    pub async fn recovered(&mut self) -> anyhow::Result<Times> {
        let first_ack = self.first_ack().await?;
        let since = self.load.marked();
        self.load.pause().await?;
        let drained = self.drained(since).await?;
        // Batches of senders who hung up may still be on their way to the disk.
        sleep(Duration::from_millis(300)).await;
        self.drained(since).await?;
        Ok(Times { first_ack, drained })
    }

    /// Waits until nothing is left to do; the senders are held.
    pub async fn settled(&mut self) -> anyhow::Result<()> {
        self.drained(Instant::now()).await.map(drop)
    }

    async fn drained(&mut self, since: Instant) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        loop {
            let stats = self.stats().await;
            if stats.as_ref().is_ok_and(Stats::is_drained) {
                return Ok(since.elapsed());
            }
            self.running()?;
            if begun.elapsed() > DRAIN {
                bail!("the backlog was not drained within {DRAIN:?}: {stats:?}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stats(&self) -> anyhow::Result<Stats> {
        let url = format!("{}/api/v1/pipelines/{}/stats", self.program.url(), self.pipeline.slug);
        let request = self.http.get(url).bearer_auth(&self.reader.key);
        let text = request.send().await?.error_for_status()?.bytes().await?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Checks what the last rounds added; the senders are held and the backlog is drained.
    pub async fn check(&mut self) -> anyhow::Result<Findings> {
        let book = self.load.book();
        // Rollups of the rounds before; those of this one are mostly still marked.
        let from = (self.round_ms() - 4 * ROUND_MS).div_euclid(DAY_MS) * DAY_MS;
        let mut seen = std::mem::replace(&mut self.seen, Seen::new());
        let checked = self.check_book(&book, &mut seen, from).await;
        self.seen = seen;
        Ok(checked?.0)
    }

    /// Checks everything once more, against the log of acknowledgements instead of what is in memory, with all rollups at rest. Says
    /// how much that was.
    pub async fn check_all(&mut self) -> anyhow::Result<(Findings, String)> {
        self.journal.flush().await?;
        let book = Book::read(&self.dir.join("acks.log"), PRODUCERS, KEYED)?;
        if book != self.load.book() {
            bail!("the log of acknowledgements is not what was acknowledged");
        }
        check::at_rest(&self.postgres.client().await?).await?;
        let mut seen = Seen::new();
        let (found, buckets) = self.check_book(&book, &mut seen, 0).await?;
        let told = format!(
            "{} acknowledged events, {} in Bronze, {} points, {} in quarantine, {buckets} buckets of rollups",
            book.acked_events(),
            seen.events(),
            seen.mapped * crate::event::METRICS,
            seen.quarantined
        );
        Ok((found, told))
    }

    async fn check_book(&self, book: &Book, seen: &mut Seen, from_ms: i64) -> anyhow::Result<(Findings, u64)> {
        let clients = [self.postgres.client().await?, self.postgres.client().await?];
        let [client, _] = &clients;
        let store = self.s3.bucket_dir().join(PREFIX);
        let mut found = check::events(&clients, &store, book, seen).await?;
        let stats = self.stats().await.context("asking for the figures")?;
        check::sums(client, &stats, book, seen, &mut found).await?;
        let buckets = check::rollups(client, from_ms, &mut found).await?;
        found.merge(self.load.wrong());
        Ok((found, buckets))
    }

    /// Ends everything. With `keep` a full spool disk is copied first, since it goes with its mount.
    pub async fn close(mut self, keep: bool) -> anyhow::Result<()> {
        if let Some(server) = self.server.take() {
            server.kill().await?;
        }
        if let Some(tmpfs) = self.tmpfs.take() {
            tmpfs.close(keep.then(|| self.dir.join("small-disk.copy")).as_deref())?;
        }
        drop(self.load);
        self.postgres.stop().await
    }
}

/// What Dash is started with, besides address and directories.
fn variables(postgres: &Postgres, s3: &S3Server) -> Vec<(&'static str, String)> {
    let options = s3.options();
    let secret = options.secret_access_key.as_ref().map(|s| s.expose_secret().to_owned());
    vec![
        ("DATABASE_URL", postgres.url().into()),
        ("DASH_SECRET_KEY", secret_key().into()),
        ("DASH_DEMO", "0".into()),
        ("DASH_LAKE", format!("s3://{}/{PREFIX}", s3.bucket)),
        ("AWS_ENDPOINT_URL", s3.endpoint.clone()),
        ("AWS_ACCESS_KEY_ID", options.access_key_id.unwrap_or_default()),
        ("AWS_SECRET_ACCESS_KEY", secret.unwrap_or_default()),
        // Objects, segments and time-outs are small, so that there are many ends of them to crash at.
        ("DASH_LAKE_AGE", "1s".into()),
        ("DASH_LAKE_OBJECT", "4MiB".into()),
        ("DASH_LAKE_TIMEOUT", "2s".into()),
        ("DASH_SPOOL_SEGMENT", "8MiB".into()),
        ("DASH_SPOOL_AGE", "5s".into()),
        ("DASH_SPOOL_MIN_FREE", "64KiB".into()),
    ]
}
