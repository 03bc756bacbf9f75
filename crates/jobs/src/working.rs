//! What a job knows while it is done.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use dash_db::{
    AsyncPgConnection, Db,
    store::jobs::{self, Fetched},
};
use dash_model::{Micros, OrganizationId, PipelineId};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Halt, JobError, clock::Clock, held::Lease};

/// Progress is written at most so often: people look at it, and each time is an update.
const SAY_EVERY: Duration = Duration::from_millis(250);

/// A job that is being done. Cheap to clone.
#[derive(Clone)]
pub struct Working(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    job: Fetched,
    cancel: CancellationToken,
    /// Whether that freed something.
    settled: OnceLock<bool>,
    said: Mutex<Option<Instant>>,
}

impl Working {
    pub(crate) fn new(db: Db, clock: Clock, mut job: Fetched, cancel: CancellationToken) -> (Self, Value) {
        let args = job.args.take();
        let inner = Inner {
            db,
            clock,
            job,
            cancel,
            settled: OnceLock::new(),
            said: Mutex::new(None),
        };
        (Self(Arc::new(inner)), args)
    }

    pub fn id(&self) -> i64 {
        self.0.job.id
    }

    pub(crate) fn lease(&self) -> Lease {
        (self.0.job.id, self.0.job.lease)
    }

    /// 1 for the first one.
    pub fn attempt(&self) -> i32 {
        self.0.job.attempt
    }

    pub fn is_last_attempt(&self) -> bool {
        self.0.job.attempt >= self.0.job.max_attempts
    }

    pub fn organization(&self) -> Option<OrganizationId> {
        self.0.job.organization
    }

    pub fn pipeline(&self) -> Option<PipelineId> {
        self.0.job.pipeline
    }

    /// To which it may add jobs, with [`crate::Workflow::within`].
    pub fn workflow(&self) -> Option<Uuid> {
        self.0.job.workflow
    }

    pub fn meta(&self) -> &Value {
        &self.0.job.meta
    }

    /// By the database's clock.
    pub fn now(&self) -> Micros {
        self.0.clock.now()
    }

    /// Whether it should stop: somebody cancelled it, or its node has lost it.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancel.is_cancelled()
    }

    /// Ends when it should stop.
    pub async fn cancelled(&self) {
        self.0.cancel.cancelled().await;
    }

    /// Says how far it is, for those who watch; a few times a second are enough, the others are left out.
    ///
    /// # Errors
    /// [`Halt::Cancel`] when it should stop: long work asks here.
    pub async fn progress(&self, done: i64, total: Option<i64>, message: Option<&str>) -> Result<(), Halt> {
        if self.is_cancelled() {
            return Err(Halt::Cancel("it was cancelled while it was done".into()));
        }
        {
            let mut said = self.0.said.lock();
            let is_end = total == Some(done);
            if !is_end && said.is_some_and(|said| said.elapsed() < SAY_EVERY) {
                return Ok(());
            }
            *said = Some(Instant::now());
        }
        let mut conn = self.0.db.diesel().await?;
        jobs::progress(&mut conn, self.lease(), done, total, message).await?;
        Ok(())
    }

    /// Completes the job within a transaction of the caller, as its last statement: what that writes is written exactly once, whoever else was
    /// given the job meanwhile.
    ///
    /// # Errors
    /// [`JobError::Lost`] when somebody else has it by now; the transaction has to be rolled back.
    pub async fn settle(&self, conn: &mut AsyncPgConnection) -> Result<(), JobError> {
        let completed = jobs::complete(conn, &[self.lease()], self.now()).await?;
        if completed.ids.is_empty() {
            return Err(JobError::Lost);
        }
        // A second time it would have been refused above.
        let _ = self.0.settled.set(completed.freed);
        Ok(())
    }

    /// Whether settling it freed something; nothing when it has not settled itself.
    pub(crate) fn settled(&self) -> Option<bool> {
        self.0.settled.get().copied()
    }
}
