//! One attempt at a job.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use dash_db::store::jobs::Outcome;
use dash_model::Micros;
use futures::FutureExt;
use serde_json::Value;

use crate::{Halt, Working, registry::Worker};

/// Does it, and says what came of it; nothing when it has said so itself ([`Working::settle`]).
pub(crate) async fn attempt<S>(worker: &Worker<S>, state: S, args: Value, at: &Working) -> Option<Outcome> {
    let work = AssertUnwindSafe((worker.run)(state, args, at.clone())).catch_unwind();
    let ended = match tokio::time::timeout(worker.timeout, work).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(panic)) => Err(Halt::Retry(format!("it panicked: {}", words(&*panic)))),
        Err(_) => Err(Halt::Retry(format!("it took longer than {:?}", worker.timeout))),
    };
    let after = |time: Duration| {
        let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Micros(at.now().0.saturating_add(micros))
    };
    let outcome = match ended {
        Ok(()) if at.is_settled() => return None,
        Ok(()) => Outcome::Done,
        Err(Halt::Cancel(reason)) => Outcome::Cancel { reason },
        Err(Halt::Discard(error)) => Outcome::Discard { error },
        Err(Halt::Snooze(time)) => Outcome::Snooze { at: after(time) },
        Err(Halt::Retry(error)) => Outcome::Retry {
            error,
            at: after((worker.backoff)(at.attempt())),
        },
    };
    Some(outcome)
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it did not say why")
}
