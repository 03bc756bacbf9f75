//! Batches that wait for their commit: bounded, and the place where the spool ends.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use dash_model::BatchId;
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::{AppendError, NewBatch};

/// A batch, and who waits for it.
pub(crate) struct Waiting {
    pub batch: NewBatch,
    /// Bytes of its frame.
    pub size: usize,
    pub ack: oneshot::Sender<Result<BatchId, AppendError>>,
}

/// Why nothing more is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed,
    Stopped(Arc<str>),
}

impl End {
    pub fn refusal(&self) -> AppendError {
        AppendError::Stopped {
            why: match self {
                Self::Closed => "it is closed".into(),
                Self::Stopped(why) => why.to_string(),
            },
        }
    }
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Bytes of those, and of the group that is being committed.
    bytes: usize,
    in_flight: usize,
    end: Option<End>,
    /// Segments may be removed.
    trim: bool,
}

/// What the writer has to do.
pub(crate) struct Work {
    pub group: Vec<Waiting>,
    pub trim: bool,
    /// Nothing will follow.
    pub last: bool,
}

impl Queue {
    /// Puts a batch in, unless more than `limit` bytes would wait, or the spool with its `used` bytes would exceed
    /// `max_bytes`.
    pub fn push(&self, waiting: Waiting, limit: usize, used: &AtomicU64, max_bytes: u64) -> Result<(), AppendError> {
        let mut state = self.state.lock();
        if let Some(end) = &state.end {
            return Err(end.refusal());
        }
        // Read under the lock: what is in flight is counted here, or there, or for a moment in both, never in none.
        let bytes = used.load(Ordering::Acquire) + (state.bytes + state.in_flight + waiting.size) as u64;
        if bytes > max_bytes {
            return Err(AppendError::Full { bytes, max_bytes });
        }
        if state.bytes + waiting.size > limit {
            return Err(AppendError::Busy {
                queued: state.bytes,
                queue_bytes: limit,
            });
        }
        state.bytes += waiting.size;
        state.waiting.push_back(waiting);
        self.wake.notify_one();
        Ok(())
    }

    /// Waits for work, at most until `deadline`. Takes whole batches of about `group_bytes`, at least one if any.
    pub fn take(&self, group_bytes: usize, deadline: Option<Instant>) -> Work {
        let mut state = self.state.lock();
        while state.waiting.is_empty() && !state.trim && state.end.is_none() {
            match deadline {
                None => self.wake.wait(&mut state),
                Some(deadline) => {
                    if self.wake.wait_until(&mut state, deadline).timed_out() {
                        break;
                    }
                }
            }
        }
        let mut group = Vec::new();
        let mut size = 0;
        while let Some(next) = state.waiting.front() {
            if size > 0 && size + next.size > group_bytes {
                break;
            }
            size += next.size;
            group.extend(state.waiting.pop_front());
        }
        state.bytes -= size;
        state.in_flight = size;
        Work {
            group,
            trim: mem::take(&mut state.trim),
            last: state.end.is_some() && state.waiting.is_empty(),
        }
    }

    /// The group that was taken is committed or refused.
    pub fn landed(&self) {
        self.state.lock().in_flight = 0;
    }

    pub fn trim(&self) {
        self.state.lock().trim = true;
        self.wake.notify_one();
    }

    /// Takes no more batches; those that wait are still committed.
    pub fn close(&self) {
        self.state.lock().end.get_or_insert(End::Closed);
        self.wake.notify_one();
    }

    /// Refuses what waits and whatever comes. False when it had stopped before; the first reason stays.
    pub fn stop(&self, end: End) -> bool {
        let mut state = self.state.lock();
        if matches!(state.end, Some(End::Stopped(_))) {
            return false;
        }
        state.end = Some(end.clone());
        state.bytes = 0;
        state.in_flight = 0;
        let refused = mem::take(&mut state.waiting);
        drop(state);
        for waiting in refused {
            let _ = waiting.ack.send(Err(end.refusal()));
        }
        true
    }

    pub fn end(&self) -> Option<End> {
        self.state.lock().end.clone()
    }

    /// Bytes that are not yet committed.
    pub fn bytes(&self) -> usize {
        let state = self.state.lock();
        state.bytes + state.in_flight
    }
}
