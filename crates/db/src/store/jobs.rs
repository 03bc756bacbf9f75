//! Jobs: what is done later or again. The states are Oban's.
//!
//! A job that is executing has a lease: a number that only rises, and a time. Whoever has it extends the time while they work ([`lease::beat`]); when
//! they do not, somebody else gets the job under a higher number ([`lease::rescue`]), and what the first one says then is refused
//! ([`Finish::Lost`]). So a job may be begun twice, but only one of those who began it ends it.

mod act;
mod cron;
mod failure;
mod fetch;
mod finish;
mod insert;
mod lease;
mod limits;
mod maintain;
mod tally;
mod workflow;

use std::{fmt, str::FromStr};

use dash_model::{Micros, OrganizationId};

pub use self::{
    act::{cancel, delete, retry, run_now},
    cron::{Cron, Due, Missed, declare, due, lead, ticked},
    failure::{class, forget_failures},
    fetch::{Fetched, Take, fetch, is_available, next_at, stage},
    finish::{Completed, Finish, Outcome, complete, finish, hand_back},
    insert::{Inserted, NewJob, Unique, insert, insert_many},
    lease::{Beat, beat, fence, rescue},
    limits::{Limits, Queue, Rate, limit, pause, queues, register},
    maintain::{Which, attempts, get, list, progress, prune},
    tally::{compact, counts},
    workflow::{Overall, overall},
};

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
}

impl FromStr for State {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.word() == word).ok_or_else(|| {
            let all = Self::ALL.map(Self::word).join(", ");
            format!("{word:?} is no state of a job; there are {all}")
        })
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
    /// Jobs that have to be completed before.
    pub waits_for: i32,
    pub scheduled_at: Micros,
    /// When the last attempt began, and where.
    pub attempted_at: Option<Micros>,
    pub ended_at: Option<Micros>,
    pub node: Option<String>,
    pub cancel_requested: bool,
    pub done: Option<i64>,
    pub total: Option<i64>,
    pub message: Option<String>,
}

/// An attempt at a job that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub attempt: i32,
    pub node: String,
    pub began_at: Micros,
    pub ended_at: Micros,
    pub outcome: String,
    pub error: Option<String>,
}
