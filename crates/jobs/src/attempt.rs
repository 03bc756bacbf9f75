//! One attempt at a job.

use std::{any::Any, panic::AssertUnwindSafe};

use dash_db::store::jobs::Outcome;
use futures::FutureExt;
use serde_json::Value;

use crate::{Halt, Working, finisher::Said, registry::Worker};

/// Does it, and says what came of it.
pub(crate) async fn attempt<S>(worker: &Worker<S>, state: S, args: Value, at: &Working) -> Said {
    let work = AssertUnwindSafe((worker.run)(state, args, at.clone())).catch_unwind();
    let ended = match tokio::time::timeout(worker.timeout, work).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => Err(Halt::Retry(format!("it panicked: {}", words(&*panic)))),
        Err(_) => Err(Halt::Retry(format!("it took longer than {:?}", worker.timeout))),
    };
    Said::Outcome(match ended {
        Ok(()) => match at.settled() {
            Some(freed) => return Said::Settled { freed },
            None => Outcome::Done,
        },
        Err(Halt::Cancel(reason)) => Outcome::Cancel { reason },
        Err(Halt::Discard(error)) => Outcome::Discard { error },
        Err(Halt::Snooze(time)) => Outcome::Snooze {
            at: at.now().plus(time),
        },
        Err(Halt::Retry(error)) => Outcome::Retry {
            error,
            at: at.now().plus((worker.backoff)(at.attempt())),
        },
    })
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it did not say why")
}
