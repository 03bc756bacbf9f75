//! Senders who want their answer only when the object is in the lake (`?ack=lake`).

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use dash_model::{BatchId, PipelineId};
use dash_spool::{Spool, Stage};
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// Cheap to clone.
#[derive(Clone, Default)]
pub struct LakeAcks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waiting: Mutex<HashMap<BatchId, Waiter>>,
    /// Somebody began to wait.
    woken: Notify,
}

struct Waiter {
    pipeline: PipelineId,
    tell: oneshot::Sender<()>,
}

impl LakeAcks {
    /// Until the batch is in the lake: true; or until `patience` is over: false. The batch is durable either way.
    pub async fn wait(&self, spool: &Spool, pipeline: PipelineId, batch: BatchId, patience: Duration) -> bool {
        let (tell, told) = oneshot::channel();
        self.0.waiting.lock().insert(batch, Waiter { pipeline, tell });
        // Asked after the waiter is there: what is done from now on is told to it.
        if !spool.is_pending(Stage::Bronze, batch) {
            self.0.waiting.lock().remove(&batch);
            return true;
        }
        self.0.woken.notify_one();
        let in_time = tokio::time::timeout(patience, told).await.is_ok();
        self.0.waiting.lock().remove(&batch);
        in_time
    }

    /// These batches are in the lake, and the spool knows.
    pub fn done(&self, batches: &[BatchId]) {
        let mut waiting = self.0.waiting.lock();
        if waiting.is_empty() {
            return;
        }
        for waiter in batches.iter().filter_map(|id| waiting.remove(id)) {
            // Nobody listens when the sender has gone.
            let _ = waiter.tell.send(());
        }
    }

    /// Until somebody begins to wait.
    pub async fn woken(&self) {
        self.0.woken.notified().await;
    }

    /// Pipelines that somebody waits for.
    pub fn pipelines(&self) -> HashSet<PipelineId> {
        self.0.waiting.lock().values().map(|w| w.pipeline).collect()
    }
}
