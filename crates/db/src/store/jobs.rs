//! Jobs: what is done later or again. The states are Oban's.
//!
//! A job that is executing has a lease: a number that only rises, and a time. Whoever has it extends the time while they work ([`lease::beat`]); when
//! they do not, somebody else gets the job under a higher number ([`lease::rescue`]), and what the first one says then is refused
//! ([`Finish::Lost`]). So a job may be begun twice, but only one of those who began it ends it.

mod fetch;
mod finish;
mod insert;
mod lease;
mod maintain;

use std::fmt;

use dash_model::{Micros, OrganizationId};

pub use self::{
    fetch::{Fetched, fetch, next_at, stage},
    finish::{Finish, Outcome, cancel, finish, retry},
    insert::{Inserted, NewJob, Unique, insert},
    lease::{Beat, beat, rescue},
    maintain::{attempts, counts, get, is_paused, pause, progress, prune},
};

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Its time has not come.
    Scheduled,
    Available,
    Executing,
    /// It failed, and is tried again when its time comes.
    Retryable,
    Completed,
    Cancelled,
    /// It failed for good.
    Discarded,
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Available,
        Self::Executing,
        Self::Retryable,
        Self::Completed,
        Self::Cancelled,
        Self::Discarded,
    ];
    /// Nothing more becomes of it by itself.
    pub const ENDED: [Self; 3] = [Self::Completed, Self::Cancelled, Self::Discarded];

    pub fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Executing => "executing",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A job as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub id: i64,
    pub organization: Option<OrganizationId>,
    pub worker: String,
    pub queue: String,
    pub args: serde_json::Value,
    pub priority: i16,
    pub state: State,
    pub attempt: i32,
    pub max_attempts: i32,
    pub scheduled_at: Micros,
    pub ended_at: Option<Micros>,
    pub cancel_requested: bool,
    pub done: Option<i64>,
    pub total: Option<i64>,
    pub message: Option<String>,
}

/// One attempt at a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub attempt: i32,
    pub node: String,
    pub began_at: Micros,
    pub ended_at: Option<Micros>,
    pub outcome: Option<String>,
    pub error: Option<String>,
}
