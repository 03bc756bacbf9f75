//! How requests are sent and timed.
//!
//! *Closed loop*: each connection sends its next request when it has its answer, so a slow server is asked less. *Open loop*: requests
//! are due at fixed times, however slow the server is, and a latency begins when a request was due: one that could not even be sent in time
//! is as late as it looks to its sender.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use tokio::{runtime::Handle, sync::Semaphore, task::JoinSet};

use crate::{client::Connection, cores, events::Requests, subject::own_time};

/// After 429 and 503; the server asks for a second, which would leave it idle.
pub const REFUSED_PAUSE: Duration = Duration::from_millis(20);
/// For an answer: whoever takes longer has stopped, and the row fails rather than waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests to one server, each sent once.
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    pub requests: Arc<Requests>,
    /// What an answer must say; 202 brings a receipt, whose events are counted.
    pub status: u16,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Measured {
    /// Requests that were answered as they should.
    pub answered: u64,
    /// Events that were acknowledged.
    pub events: u64,
    /// Answers 429 and 503; such a request was sent again.
    pub refused: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    pub latencies: Latencies,
    /// Processor time of this process meanwhile, which then does nothing but send.
    pub senders: Duration,
}

impl Measured {
    pub fn events_per_second(&self) -> f64 {
        self.events as f64 / self.elapsed.as_secs_f64()
    }

    /// Share of a core that the senders used.
    pub fn senders_busy(&self) -> f64 {
        self.senders.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

/// Nanoseconds, in no order until asked.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u64>);

impl Latencies {
    fn add(&mut self, latency: Duration) {
        self.0.push(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// The latency in milliseconds that this share of all did not exceed; nothing when there is none.
    pub fn quantile(&mut self, share: f64) -> Option<f64> {
        self.0.sort_unstable();
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let at = rank.clamp(1, self.0.len().max(1)) - 1;
        self.0.get(at).map(|ns| *ns as f64 / 1e6)
    }
}

/// When the request of a turn is due, and when there is none any more.
#[derive(Clone)]
enum Pace {
    /// At once, until then.
    Closed {
        until: Instant,
    },
    Open(Arc<Slots>),
}

struct Slots {
    begun: Instant,
    every: Duration,
    count: u64,
    next: AtomicU64,
    due: Semaphore,
}

impl Pace {
    async fn turn(&self) -> Option<Instant> {
        match self {
            Self::Closed { until } => Some(Instant::now()).filter(|now| now < until),
            Self::Open(slots) => {
                slots.due.acquire().await.ok()?.forget();
                let slot = slots.next.fetch_add(1, Ordering::Relaxed);
                (slot < slots.count).then(|| slots.at(slot))
            }
        }
    }
}

impl Slots {
    fn at(&self, slot: u64) -> Instant {
        self.begun + self.every.mul_f64(slot as f64)
    }

    /// Lets each request go when it is due. Not on tokio: its timers are late by up to a millisecond.
    fn pace(&self, connections: usize) {
        if cores::apart() {
            // Beside the senders; without it a little noisier.
            let _ = cores::keep(None, &[cores::LOAD]);
        }
        for slot in 0..self.count {
            std::thread::sleep(self.at(slot).saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        // To be told that there is nothing left.
        self.due.add_permits(connections);
    }
}

impl Load {
    /// Each connection as fast as it is answered, for so long.
    pub async fn closed(self: &Arc<Self>, senders: &Handle, duration: Duration) -> anyhow::Result<Measured> {
        self.run(senders, || Pace::Closed {
            until: Instant::now() + duration,
        })
        .await
    }

    /// `rate` requests a second for so long, on the first connection that is free.
    pub async fn open(self: &Arc<Self>, senders: &Handle, duration: Duration, rate: f64) -> anyhow::Result<Measured> {
        ensure!(rate >= 1.0, "a rate of {rate} requests a second");
        let connections = self.connections;
        self.run(senders, || {
            let slots = Arc::new(Slots {
                begun: Instant::now(),
                every: Duration::from_secs_f64(1.0 / rate),
                count: (duration.as_secs_f64() * rate).ceil() as u64,
                next: AtomicU64::new(0),
                due: Semaphore::new(0),
            });
            let pacer = Arc::clone(&slots);
            let spawned = std::thread::Builder::new()
                .name("bench-pace".into())
                .spawn(move || pacer.pace(connections));
            if spawned.is_err() {
                // The senders end at once, and nothing was measured.
                slots.due.close();
            }
            Pace::Open(slots)
        })
        .await
    }

    async fn run(self: &Arc<Self>, senders: &Handle, pace: impl FnOnce() -> Pace) -> anyhow::Result<Measured> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let address = self.address;
            connections.push(senders.spawn(Connection::open(address)).await??);
        }
        let (before, begun, pace) = (own_time(), Instant::now(), pace());
        let mut tasks = JoinSet::new();
        for connection in connections {
            let sender = Arc::clone(self).send(connection, pace.clone());
            tasks.spawn_on(sender, senders);
        }
        let mut all = Measured::default();
        while let Some(one) = tasks.join_next().await {
            let (one, last) = one??;
            all.answered += one.answered;
            all.events += one.events;
            all.refused += one.refused;
            all.latencies.0.extend(one.latencies.0);
            all.elapsed = all.elapsed.max(last.saturating_duration_since(begun));
        }
        all.senders = own_time().saturating_sub(before);
        if all.answered == 0 {
            bail!("nothing was answered");
        }
        Ok(all)
    }

    /// One connection; answers what came of it and when its last answer came.
    async fn send(self: Arc<Self>, mut connection: Connection, pace: Pace) -> anyhow::Result<(Measured, Instant)> {
        let mut one = Measured::default();
        let mut last = Instant::now();
        let mut request = Vec::new();
        while let Some(due) = pace.turn().await {
            self.requests.write(&mut request);
            loop {
                let answer = tokio::time::timeout(PATIENCE, connection.send(&request))
                    .await
                    .with_context(|| format!("a request was not answered within {PATIENCE:?}"))??;
                match answer.status {
                    status if status == self.status => {
                        last = Instant::now();
                        one.latencies.add(last - due);
                        one.answered += 1;
                        one.events += match status {
                            202 => answer.accepted()?,
                            _ => self.requests.events,
                        };
                        break;
                    }
                    429 | 503 => {
                        one.refused += 1;
                        tokio::time::sleep(REFUSED_PAUSE).await;
                    }
                    status => bail!("the server answered {status}: {}", answer.text()),
                }
            }
        }
        Ok((one, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.quantile(0.5), None);
        for ms in (1..=100).rev() {
            latencies.add(Duration::from_millis(ms));
        }
        assert_eq!(latencies.quantile(0.5), Some(50.0));
        assert_eq!(latencies.quantile(0.99), Some(99.0));
        assert_eq!(latencies.quantile(1.0), Some(100.0));
    }
}
