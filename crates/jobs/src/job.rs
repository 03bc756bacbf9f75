//! What a job is, and how it is done.

use std::{future::Future, time::Duration};

use dash_db::store::jobs::State;
use dash_model::PipelineId;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Halt, Working};

/// The arguments of a job, and what holds for all jobs of its kind.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name under which it is stored; it stays the same when the type's does not.
    const WORKER: &'static str;
    const QUEUE: &'static str = "default";
    /// 0 to 9; the lower, the sooner.
    const PRIORITY: i16 = 5;
    /// Attempts, the first one included.
    const MAX_ATTEMPTS: i32 = 20;
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_secs(300);
    /// Whether two can be the same, so that the second is not inserted.
    const UNIQUE: Option<UniqueBy> = None;

    /// How long after the failure of this attempt (1 is the first) the next one may begin.
    fn backoff(attempt: i32) -> Duration {
        exponential(attempt)
    }

    fn tags(&self) -> Vec<String> {
        Vec::new()
    }

    /// What it is about: who may see the pipeline may see the job.
    fn pipeline(&self) -> Option<PipelineId> {
        None
    }

    /// Of jobs that have the same one the queue may do only so many at once.
    fn limit_key(&self) -> Option<String> {
        self.pipeline().map(|pipeline| pipeline.to_string())
    }
}

/// How a job is done, given `S`. The method only unpacks; the work is a free function that can be called without a job.
pub trait Work<S>: Job {
    fn work(self, state: S, at: Working) -> impl Future<Output = Result<(), Halt>> + Send;
}

/// Two jobs of a kind are the same when their arguments are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniqueBy {
    /// Only these arguments count; nothing means all.
    pub arguments: Option<&'static [&'static str]>,
    /// Only jobs count that were inserted within this time before.
    pub period: Option<Duration>,
    /// Only jobs count that are in one of these states.
    pub states: &'static [State],
}

impl UniqueBy {
    /// As long as the other has not ended, whenever it was inserted.
    pub const UNTIL_ENDED: Self = Self {
        arguments: None,
        period: None,
        states: State::OPEN,
    };
    /// As long as nobody has begun the other: what it is to do may have changed since somebody has.
    pub const UNTIL_BEGUN: Self = Self {
        states: &[State::Scheduled, State::Available, State::Retryable],
        ..Self::UNTIL_ENDED
    };
}

/// 2, 4, 8 ... seconds, at most an hour, and up to a tenth more or less, so that what failed together does not come back together.
pub fn exponential(attempt: i32) -> Duration {
    let seconds = 2_f64.powi(attempt.clamp(1, 12)).min(3600.0);
    Duration::from_secs_f64(seconds * rand::random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_later_and_later_and_never_later_than_an_hour_or_so() {
        for (attempt, seconds) in [(1, 2.0), (2, 4.0), (5, 32.0), (12, 3600.0), (1000, 3600.0)] {
            let backoff = exponential(attempt).as_secs_f64() / seconds;
            assert!((0.9..1.1).contains(&backoff), "{attempt}: {backoff}");
        }
    }
}
