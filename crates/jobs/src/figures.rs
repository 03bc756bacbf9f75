//! What this node's workers have done since it started.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use dash_db::store::jobs::{Outcome, State};
use parking_lot::Mutex;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finished {
    Done,
    /// It failed, and comes again.
    Retried,
    Snoozed,
    Cancelled,
    Discarded,
    /// Somebody else had the job by then.
    Lost,
}

impl Finished {
    pub(crate) fn of(outcome: &Outcome, state: State) -> Self {
        match (outcome, state) {
            (Outcome::Done, _) => Self::Done,
            (_, State::Cancelled) => Self::Cancelled,
            (_, State::Discarded) => Self::Discarded,
            (Outcome::Snooze { .. }, _) => Self::Snoozed,
            _ => Self::Retried,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
            Self::Lost => "lost",
        }
    }
}

/// Of one worker in one queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkerFigures {
    pub attempts: BTreeMap<Finished, u64>,
    /// Of all attempts together.
    pub took: Duration,
    pub longest: Duration,
}

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Figures(Arc<Mutex<BTreeMap<(&'static str, &'static str), WorkerFigures>>>);

impl Figures {
    pub(crate) fn note(&self, worker: &'static str, queue: &'static str, finished: Finished, took: Duration) {
        let mut all = self.0.lock();
        let figures = all.entry((worker, queue)).or_default();
        *figures.attempts.entry(finished).or_default() += 1;
        figures.took += took;
        figures.longest = figures.longest.max(took);
    }

    /// By worker and queue.
    pub fn all(&self) -> BTreeMap<(&'static str, &'static str), WorkerFigures> {
        self.0.lock().clone()
    }

    /// How many attempts ended like this.
    pub fn count(&self, finished: Finished) -> u64 {
        let all = self.0.lock();
        all.values().filter_map(|figures| figures.attempts.get(&finished)).sum()
    }
}
