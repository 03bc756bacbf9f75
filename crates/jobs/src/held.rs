//! The jobs that this node has.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Job and lease.
pub type Lease = (i64, i64);

/// Shared by all parts of an engine. Cheap to clone.
#[derive(Clone, Default)]
pub struct Held(Arc<Mutex<HashMap<Lease, One>>>);

struct One {
    /// Asks its work to stop.
    cancel: CancellationToken,
    /// Stops it, at the next point where it waits.
    stop: CancellationToken,
    /// When somebody asked.
    asked: Option<Instant>,
}

impl Held {
    pub fn add(&self, lease: Lease, cancel: CancellationToken, stop: CancellationToken) {
        let one = One {
            cancel,
            stop,
            asked: None,
        };
        self.0.lock().insert(lease, one);
    }

    pub fn remove(&self, lease: Lease) {
        self.0.lock().remove(&lease);
    }

    pub fn all(&self) -> Vec<Lease> {
        self.0.lock().keys().copied().collect()
    }

    pub fn has(&self, lease: Lease) -> bool {
        self.0.lock().contains_key(&lease)
    }

    /// Somebody wants it to stop. What does not stop by itself within `patience` is stopped.
    pub fn cancel(&self, lease: Lease, patience: Duration) {
        let mut all = self.0.lock();
        let Some(one) = all.get_mut(&lease) else { return };
        one.cancel.cancel();
        let asked = *one.asked.get_or_insert_with(Instant::now);
        if asked.elapsed() >= patience {
            one.stop.cancel();
        }
    }

    /// It is somebody else's by now: whatever it still does is stopped, and nothing is said of it any more.
    pub fn lose(&self, lease: Lease) {
        if let Some(one) = self.0.lock().remove(&lease) {
            one.cancel.cancel();
            one.stop.cancel();
        }
    }

    /// All that are left, which are given up.
    pub fn give_up(&self) -> Vec<Lease> {
        let all = self.all();
        for lease in &all {
            self.lose(*lease);
        }
        all
    }
}
