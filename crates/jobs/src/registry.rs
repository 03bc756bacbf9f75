//! Which kinds of jobs a program knows.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use dash_db::store::jobs::Missed;
use serde_json::Value;

use crate::{Enqueue, Halt, Job, JobError, Work, Working, cron::Schedule};

type Ran = Pin<Box<dyn Future<Output = Result<(), Halt>> + Send>>;

/// A kind of jobs, without its type.
pub(crate) struct Worker<S> {
    pub name: &'static str,
    pub timeout: Duration,
    pub backoff: fn(i32) -> Duration,
    pub run: fn(S, Value, Working) -> Ran,
    pub enqueue: fn(Value) -> Result<Enqueue, String>,
}

/// What is done again and again because the program says so.
pub(crate) struct Cron {
    pub name: String,
    pub schedule: Schedule,
    pub missed: Missed,
    pub job: Enqueue,
}

/// The kinds of jobs of a program, and what it does again and again.
pub struct Registry<S> {
    workers: BTreeMap<&'static str, Arc<Worker<S>>>,
    crons: Vec<Cron>,
}

impl<S: Send + 'static> Default for Registry<S> {
    fn default() -> Self {
        Self {
            workers: BTreeMap::new(),
            crons: Vec::new(),
        }
    }
}

impl<S: Send + 'static> Registry<S> {
    #[must_use]
    pub fn with<J: Work<S>>(mut self) -> Self {
        let worker = Worker {
            name: J::WORKER,
            timeout: J::TIMEOUT,
            backoff: J::backoff,
            run: |state, args, at| {
                Box::pin(async move {
                    match read::<J>(args) {
                        Ok(job) => job.work(state, at).await,
                        Err(why) => Err(Halt::Discard(why)),
                    }
                })
            },
            enqueue: |args| Enqueue::new(&read::<J>(args)?).map_err(|e| e.to_string()),
        };
        self.workers.insert(J::WORKER, Arc::new(worker));
        self
    }

    /// Declares that `job` is done whenever `schedule` says.
    ///
    /// # Errors
    /// [`JobError::Arguments`]
    pub fn cron<J: Work<S>>(self, name: &str, schedule: Schedule, missed: Missed, job: &J) -> Result<Self, JobError> {
        let job = Enqueue::new(job)?;
        let mut with = self.with::<J>();
        with.crons.push(Cron {
            name: name.to_owned(),
            schedule,
            missed,
            job,
        });
        Ok(with)
    }

    pub(crate) fn get(&self, worker: &str) -> Option<&Arc<Worker<S>>> {
        self.workers.get(worker)
    }

    pub(crate) fn crons(&self) -> &[Cron] {
        &self.crons
    }

    /// A job of a kind that is named at run time.
    ///
    /// # Errors
    /// Why its arguments cannot be, or which kinds there are, for people.
    pub fn enqueue(&self, worker: &str, args: Value) -> Result<Enqueue, String> {
        match self.get(worker) {
            Some(kind) => (kind.enqueue)(args).map_err(|why| format!("args: {why}")),
            None => {
                let all = self.workers.keys().copied().collect::<Vec<_>>().join(", ");
                Err(format!("worker: {worker:?} is none; there are {all}"))
            }
        }
    }
}

fn read<J: Job>(args: Value) -> Result<J, String> {
    // What has no fields is stored as an empty object.
    let empty = args.as_object().is_some_and(serde_json::Map::is_empty);
    match serde_json::from_value(args) {
        Ok(job) => Ok(job),
        Err(error) if empty => serde_json::from_value(Value::Null).map_err(|_| unfit::<J>(&error)),
        Err(error) => Err(unfit::<J>(&error)),
    }
}

fn unfit<J: Job>(error: &serde_json::Error) -> String {
    format!("these are no arguments of {}: {error}", J::WORKER)
}
