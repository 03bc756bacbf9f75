//! What is done later or again.

use crate::words::words;

words!(
    /// Where a job is. The names are Oban's.
    JobState {
        /// Its time has not come.
        Scheduled = "scheduled",
        Available = "available",
        Executing = "executing",
        /// It failed, and is tried again when its time comes.
        Retryable = "retryable",
        Completed = "completed",
        Cancelled = "cancelled",
        /// It failed for good.
        Discarded = "discarded",
    }
);

impl JobState {
    /// Something becomes of it by itself.
    pub const OPEN: &'static [Self] = &[Self::Scheduled, Self::Available, Self::Executing, Self::Retryable];

    /// Nothing more becomes of it by itself.
    pub fn has_ended(self) -> bool {
        !Self::OPEN.contains(&self)
    }
}

words!(
    /// What becomes of ticks of a cron at which no node was there.
    Missed {
        Skip = "skip",
        /// One job stands for all of them.
        Once = "once",
        All = "all",
    }
);
