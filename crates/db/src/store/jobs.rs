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

pub use dash_model::jobs::{JobState as State, Missed};
use dash_model::{Micros, OrganizationId};

pub use self::{
    act::{cancel, delete, retry, run_now},
    cron::{Cron, Due, declare, due, lead, ticked},
    failure::{class, forget_failures},
    fetch::{Fetched, Take, fetch, next_at, stage},
    finish::{Completed, Finish, Outcome, complete, finish, hand_back},
    insert::{Inserted, NewJob, Unique, insert, insert_many},
    lease::{Beat, beat, rescue},
    limits::{Limits, Queue, Rate, limit, pause, queues, register},
    maintain::{Which, attempts, get, list, progress, prune},
    tally::{compact, counts},
    workflow::{Overall, overall},
};

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
