//! What was sent and what was answered: the harness's own truth, kept in memory and in a log that can be read back.
//!
//! A line of the log for each thing that happened: `sent`, `acked`, `refused`. An acknowledgement counts once its line is flushed.

use std::{
    io::{self, Write},
    path::Path,
    thread,
};

use anyhow::{Context, bail};
use tokio::sync::{mpsc, oneshot};

use crate::event::{Kind, Producer, rejected_below};

/// Records that one request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Ids from the first up to, not including, the end.
    pub first: u64,
    pub end: u64,
    /// Where the round begins that its times belong to, in milliseconds since 1970.
    pub base_ms: i64,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No answer, or 503: it may be there, whole, once.
    Unknown,
    /// Answered 4xx: it must not be there.
    Refused,
    /// Answered 202 with the sequence of its first event: it must be there, whole, once.
    Acked(i64),
}

impl Batch {
    /// Ids that become events, in order.
    pub fn accepted(&self) -> impl Iterator<Item = u64> + use<> {
        (self.first..self.end).filter(|id| Kind::of(*id).is_accepted())
    }

    /// How many ids are accepted, and how many rejected.
    pub fn counts(&self) -> (u64, u64) {
        let rejected = rejected_below(self.end) - rejected_below(self.first);
        (self.end - self.first - rejected, rejected)
    }

    /// The place of an accepted id among those of the batch.
    pub fn index(&self, id: u64) -> u64 {
        id - self.first - (rejected_below(id) - rejected_below(self.first))
    }
}

/// Every batch of every producer, by rising id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    producers: Vec<Vec<Batch>>,
    /// Producers below this number repeat under an Idempotency-Key until they are answered.
    keyed: Producer,
}

impl Book {
    pub fn new(producers: Producer, keyed: Producer) -> Self {
        Self {
            producers: vec![Vec::new(); usize::from(producers)],
            keyed,
        }
    }

    pub fn producers(&self) -> impl Iterator<Item = (Producer, &[Batch])> {
        (0..).zip(self.producers.iter().map(Vec::as_slice))
    }

    /// Whether this producer repeats until it is answered.
    pub fn is_keyed(&self, producer: Producer) -> bool {
        producer < self.keyed
    }

    /// The batch that an id was sent in.
    pub fn batch_of(&self, producer: Producer, id: u64) -> Option<&Batch> {
        let batches = self.producers.get(usize::from(producer))?;
        let after = batches.partition_point(|b| b.first <= id);
        batches[..after].last().filter(|b| id < b.end)
    }

    /// Enters a batch that is about to be sent.
    pub fn sent(&mut self, producer: Producer, batch: Batch) {
        self.producers[usize::from(producer)].push(batch);
    }

    /// Enters what became of the producer's newest batch.
    pub fn answered(&mut self, producer: Producer, state: State) {
        if let Some(batch) = self.producers[usize::from(producer)].last_mut() {
            batch.state = state;
        }
    }

    /// Records in acknowledged batches, rejected ones not counted.
    pub fn acked_events(&self) -> u64 {
        let acked = self
            .producers
            .iter()
            .flatten()
            .filter(|b| matches!(b.state, State::Acked(_)));
        acked.map(|b| b.counts().0).sum()
    }

    /// Makes the book of a log anew.
    ///
    /// # Errors
    /// When a line cannot be read, or answers what was not sent.
    pub fn read(path: &Path, producers: Producer, keyed: Producer) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut book = Self::new(producers, keyed);
        for line in text.lines() {
            book.enter(line)
                .with_context(|| format!("{}: {line:?}", path.display()))?;
        }
        Ok(book)
    }

    fn enter(&mut self, line: &str) -> anyhow::Result<()> {
        let mut words = line.split(' ');
        let what = words.next().unwrap_or_default();
        let numbers = words.map(str::parse).collect::<Result<Vec<i64>, _>>()?;
        let producer = |n: i64| {
            Producer::try_from(n)
                .ok()
                .filter(|p| usize::from(*p) < self.producers.len())
        };
        match (what, &numbers[..]) {
            ("sent", &[p, first, end, base_ms]) => {
                let batch = Batch {
                    first: first.cast_unsigned(),
                    end: end.cast_unsigned(),
                    base_ms,
                    state: State::Unknown,
                };
                self.sent(producer(p).context("no such producer")?, batch);
            }
            ("acked" | "refused", &[p, first, ref rest @ ..]) => {
                let p = producer(p).context("no such producer")?;
                let newest = self.producers[usize::from(p)].last();
                if newest.map(|b| b.first.cast_signed()) != Some(first) {
                    bail!("it answers another batch than the producer's newest");
                }
                let state = match (what, rest) {
                    ("acked", &[event]) => State::Acked(event),
                    ("refused", &[]) => State::Refused,
                    _ => bail!("it has too few or too many numbers"),
                };
                self.answered(p, state);
            }
            _ => bail!("it is no line of this log"),
        }
        Ok(())
    }
}

/// Writes the log on a thread of its own: lines that come together are flushed together.
#[derive(Clone)]
pub struct Journal(mpsc::Sender<Entry>);

struct Entry {
    line: String,
    flushed: Option<oneshot::Sender<()>>,
}

impl Journal {
    /// Begins a new log.
    ///
    /// # Errors
    /// When the file or the thread cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = std::fs::File::create_new(path)?;
        let (sender, mut entries) = mpsc::channel::<Entry>(1_024);
        thread::Builder::new().name("journal".into()).spawn(move || {
            while let Some(first) = entries.blocking_recv() {
                let mut group = vec![first];
                while let Ok(more) = entries.try_recv() {
                    group.push(more);
                }
                let text: String = group.iter().map(|e| e.line.as_str()).collect();
                // A sender of whom nobody hears any more fails its producer, and with it the run.
                if file.write_all(text.as_bytes()).is_err() {
                    return;
                }
                let waiting: Vec<_> = group.into_iter().filter_map(|e| e.flushed).collect();
                if !waiting.is_empty() && file.sync_data().is_err() {
                    return;
                }
                for flushed in waiting {
                    // Who gave up waiting does not count it.
                    let _ = flushed.send(());
                }
            }
        })?;
        Ok(Self(sender))
    }

    /// A batch is about to be sent.
    pub async fn sent(&self, producer: Producer, batch: &Batch) -> anyhow::Result<()> {
        let Batch {
            first, end, base_ms, ..
        } = batch;
        self.write(format!("sent {producer} {first} {end} {base_ms}\n"), None)
            .await
    }

    /// A batch was refused.
    pub async fn refused(&self, producer: Producer, first: u64) -> anyhow::Result<()> {
        self.write(format!("refused {producer} {first}\n"), None).await
    }

    /// A batch was acknowledged; returns when that is on the disk.
    pub async fn acked(&self, producer: Producer, first: u64, event: i64) -> anyhow::Result<()> {
        let (sender, flushed) = oneshot::channel();
        self.write(format!("acked {producer} {first} {event}\n"), Some(sender))
            .await?;
        flushed.await.context("the log of acknowledgements cannot be written")
    }

    /// Returns when everything written before is on the disk.
    pub async fn flush(&self) -> anyhow::Result<()> {
        let (sender, flushed) = oneshot::channel();
        self.write(String::new(), Some(sender)).await?;
        flushed.await.context("the log of acknowledgements cannot be written")
    }

    async fn write(&self, line: String, flushed: Option<oneshot::Sender<()>>) -> anyhow::Result<()> {
        let sent = self.0.send(Entry { line, flushed }).await;
        sent.map_err(|_| anyhow::anyhow!("the log of acknowledgements cannot be written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_gives_the_book_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acks.log");
        let journal = Journal::create(&path).unwrap();
        let mut book = Book::new(2, 1);
        for (producer, first, state) in [
            (0, 0, State::Acked(40)),
            (1, 0, State::Refused),
            (0, 10, State::Unknown),
            (1, 10, State::Acked(7)),
        ] {
            let batch = Batch {
                first,
                end: first + 10,
                base_ms: 5,
                state: State::Unknown,
            };
            journal.sent(producer, &batch).await.unwrap();
            book.sent(producer, batch);
            match state {
                State::Acked(event) => journal.acked(producer, first, event).await.unwrap(),
                State::Refused => journal.refused(producer, first).await.unwrap(),
                State::Unknown => {}
            }
            book.answered(producer, state);
        }
        assert_eq!(Book::read(&path, 2, 1).unwrap(), book);
    }

    #[test]
    fn an_answer_to_what_was_not_sent_is_refused() {
        let mut book = Book::new(1, 1);
        book.enter("sent 0 0 10 0").unwrap();
        assert!(book.enter("acked 0 10 4").is_err());
        assert!(book.enter("acked 1 0 4").is_err());
        assert!(book.enter("acked 0 0").is_err());
        assert!(book.enter("acked 0 0 4").is_ok());
    }

    #[test]
    fn an_id_is_found_in_its_batch_alone() {
        let mut book = Book::new(1, 1);
        for first in [0, 10, 20] {
            book.sent(
                0,
                Batch {
                    first,
                    end: first + 10,
                    base_ms: 0,
                    state: State::Unknown,
                },
            );
        }
        assert_eq!(book.batch_of(0, 19).map(|b| b.first), Some(10));
        assert_eq!(book.batch_of(0, 30), None);
        assert_eq!(book.batch_of(1, 0), None);
    }
}
