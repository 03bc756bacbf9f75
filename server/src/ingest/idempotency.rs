//! Answers already given: a request repeated under its key is answered once more, not taken once more.
//!
//! Answers whose batches are still in the spool are in memory; Silver's transaction writes them to the database, and only
//! then they leave memory. So an answer is always in at least one of the two.

use std::{collections::HashMap, sync::Arc, time::Duration};

use dash_db::{Db, store};
use dash_ingest::{Problem, ProblemKind};
use dash_model::{PipelineId, receipt::Receipt};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::failure::Failure;

type Key = (PipelineId, String);

#[derive(Clone)]
pub struct Answers {
    db: Db,
    recent: Arc<Mutex<HashMap<Key, Recent>>>,
}

enum Recent {
    /// Somebody is taking it; the channel closes when that ended.
    Underway([u8; 32], watch::Receiver<()>),
    /// As before, and Silver was faster than whoever is taking it: the answer is in the database already.
    Overtaken([u8; 32], watch::Receiver<()>),
    Answered([u8; 32], Receipt),
}

pub enum Begun {
    Answered(Receipt),
    /// Nobody took it before; whoever holds the turn does.
    First(Turn),
}

/// The right to take a body under its key. Dropped without an answer it goes to the next.
pub struct Turn {
    answers: Answers,
    key: Key,
    hash: [u8; 32],
    _done: watch::Sender<()>,
}

impl Answers {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            recent: Arc::default(),
        }
    }

    /// Finds the answer, waits for one that is underway, or gives the turn.
    ///
    /// # Errors
    /// 409 when the key was used with another body.
    pub async fn begin(&self, pipeline: PipelineId, key: &str, hash: [u8; 32]) -> Result<Begun, Failure> {
        let key = (pipeline, key.to_owned());
        let turn = loop {
            let underway = {
                let mut recent = self.recent.lock();
                match recent.get(&key) {
                    Some(Recent::Answered(before, receipt)) => {
                        same_body(*before, hash)?;
                        return Ok(Begun::Answered(receipt.clone()));
                    }
                    Some(Recent::Underway(before, done) | Recent::Overtaken(before, done)) => {
                        same_body(*before, hash)?;
                        done.clone()
                    }
                    None => {
                        let (sender, done) = watch::channel(());
                        recent.insert(key.clone(), Recent::Underway(hash, done));
                        break Turn {
                            answers: self.clone(),
                            key: key.clone(),
                            hash,
                            _done: sender,
                        };
                    }
                }
            };
            wait(underway).await?;
        };
        // The turn is taken before the database is asked, so that two repeats cannot both find nothing.
        let stored = store::idempotency::find(&mut *self.db.diesel().await?, pipeline, &key.1).await?;
        match stored {
            Some((before, receipt)) => {
                same_body(before, hash)?;
                Ok(Begun::Answered(receipt))
            }
            None => Ok(Begun::First(turn)),
        }
    }

    /// An answer that a batch in the spool stands for.
    pub fn remember(&self, pipeline: PipelineId, key: String, hash: [u8; 32], receipt: Receipt) {
        self.recent
            .lock()
            .insert((pipeline, key), Recent::Answered(hash, receipt));
    }

    /// These answers are in the database now.
    pub fn stored<'k>(&self, keys: impl Iterator<Item = (PipelineId, &'k str)>) {
        let mut recent = self.recent.lock();
        for (pipeline, key) in keys {
            let key = (pipeline, key.to_owned());
            match recent.remove(&key) {
                Some(Recent::Underway(hash, done)) => {
                    recent.insert(key, Recent::Overtaken(hash, done));
                }
                _ => continue,
            }
        }
    }
}

impl Turn {
    /// With the answer that was given, or none when nothing was taken.
    pub fn end(self, receipt: Option<&Receipt>) {
        let mut recent = self.answers.recent.lock();
        if let (Some(receipt), Some(Recent::Underway(..))) = (receipt, recent.get(&self.key)) {
            recent.insert(self.key.clone(), Recent::Answered(self.hash, receipt.clone()));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut recent = self.answers.recent.lock();
        if matches!(
            recent.get(&self.key),
            Some(Recent::Underway(..) | Recent::Overtaken(..))
        ) {
            recent.remove(&self.key);
        }
    }
}

async fn wait(mut underway: watch::Receiver<()>) -> Result<(), Failure> {
    match tokio::time::timeout(Duration::from_secs(10), underway.changed()).await {
        Ok(_) => Ok(()),
        Err(_) => {
            let detail = "the same request is still being taken; ask again a little later";
            Err(Problem::new(ProblemKind::Unavailable, detail)
                .retry_after(Duration::from_secs(1))
                .into())
        }
    }
}

fn same_body(before: [u8; 32], now: [u8; 32]) -> Result<(), Failure> {
    if before == now {
        return Ok(());
    }
    Err(Failure::problem(
        ProblemKind::IdempotencyConflict,
        "this Idempotency-Key was used with another body; use a new key for a new body",
    ))
}
