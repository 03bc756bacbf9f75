//! What is done later or again: typed jobs over the tables of `dash_db::store::jobs`, and the workers that do them.
//!
//! A [`Job`] says what it is; its [`Work`] for some state says how it is done. [`Enqueue`] inserts it in the transaction of what it follows from;
//! an [`Engine`] on each node takes what is available and does it. A node that has a job says so every few seconds. When it does not, another
//! one gets the job, and what the first one says after that does not count: a job may be begun twice, and is ended once. Whoever needs an effect in
//! this database exactly once puts it into [`Working::settle`].

mod attempt;
mod clock;
mod cron;
mod engine;
mod enqueue;
mod figures;
mod finisher;
mod halt;
mod held;
mod job;
mod keeper;
mod node;
mod producer;
mod registry;
mod steward;
#[cfg(feature = "test-support")]
pub mod testing;
mod wake;
mod workflow;
mod working;

pub use self::{
    cron::{Schedule, ScheduleError},
    engine::{Engine, Queue, Settings},
    enqueue::Enqueue,
    figures::{Figures, Finished, WorkerFigures},
    halt::Halt,
    job::{Job, UniqueBy, Work, exponential},
    registry::Registry,
    wake::Waker,
    workflow::{Step, Workflow},
    working::Working,
};
pub use dash_db::store::jobs::{Inserted, Limits, Missed, Rate, State};

/// What went wrong about a job before it could be done.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error(transparent)]
    Db(#[from] dash_db::DbError),
    #[error("the arguments of a job {worker} cannot be written: {reason}")]
    Arguments { worker: &'static str, reason: String },
    #[error("somebody else has this job by now; what it did is not written")]
    Lost,
}

impl From<diesel::result::Error> for JobError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Db(error.into())
    }
}
