//! Inserting jobs.

use dash_db::{
    AsyncPgConnection,
    store::jobs::{self, Inserted, NewJob, Unique},
};
use dash_model::{Micros, OrganizationId, PipelineId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Job, JobError};

/// A job, and when and for whom it is to be done.
#[derive(Clone, Debug)]
pub struct Enqueue {
    job: NewJob<'static>,
    unique: Option<crate::UniqueBy>,
}

impl Enqueue {
    /// As its type has it: now, for the installation itself.
    ///
    /// # Errors
    /// [`JobError::Arguments`] when they are no JSON.
    pub fn new<J: Job>(job: &J) -> Result<Self, JobError> {
        let args = serde_json::to_value(job).map_err(|e| JobError::Arguments {
            worker: J::WORKER,
            reason: e.to_string(),
        })?;
        // A struct without fields is null in JSON; arguments are always an object, so that they can be looked for.
        let args = match args {
            Value::Null => json!({}),
            args => args,
        };
        let job = NewJob {
            organization: None,
            worker: J::WORKER,
            queue: J::QUEUE,
            args,
            meta: json!({}),
            tags: job.tags(),
            priority: J::PRIORITY,
            max_attempts: J::MAX_ATTEMPTS,
            now: Micros(0),
            at: Micros(i64::MIN),
            unique: None,
            pipeline: job.pipeline(),
            limit_key: job.limit_key(),
            workflow: None,
            needs: Vec::new(),
        };
        Ok(Self { job, unique: J::UNIQUE })
    }

    #[must_use]
    pub fn organization(mut self, organization: OrganizationId) -> Self {
        self.job.organization = Some(organization);
        self
    }

    #[must_use]
    pub fn pipeline(mut self, pipeline: PipelineId) -> Self {
        self.job.pipeline = Some(pipeline);
        self
    }

    /// Not before.
    #[must_use]
    pub fn at(mut self, at: Micros) -> Self {
        self.job.at = at;
        self
    }

    /// The lower, the sooner.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.job.priority = priority;
        self
    }

    #[must_use]
    pub fn max_attempts(mut self, attempts: i32) -> Self {
        self.job.max_attempts = attempts;
        self
    }

    /// Of jobs that have the same one the queue may do only so many at once.
    #[must_use]
    pub fn limit_key(mut self, key: impl Into<String>) -> Self {
        self.job.limit_key = Some(key.into());
        self
    }

    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.job.tags.push(tag.into());
        self
    }

    /// Something to remember that is no argument.
    #[must_use]
    pub fn meta(mut self, meta: Value) -> Self {
        self.job.meta = meta;
        self
    }

    /// What a row of a schedule says: whose it is, and what it is about unless the job says that itself.
    pub(crate) fn of(mut self, organization: Option<OrganizationId>, pipeline: Option<PipelineId>) -> Self {
        self.job.organization = organization;
        self.job.pipeline = pipeline.or(self.job.pipeline);
        self
    }

    /// The kind of the job, and its arguments.
    pub(crate) fn parts(&self) -> (&'static str, &Value) {
        (self.job.worker, &self.job.args)
    }

    pub(crate) fn within(mut self, workflow: Uuid, needs: Vec<i64>) -> Self {
        self.job.workflow = Some(workflow);
        self.job.needs = needs;
        self
    }

    /// The row to insert now.
    pub(crate) fn row(mut self, now: Micros) -> NewJob<'static> {
        self.job.now = now;
        self.job.at = self.job.at.max(now);
        self.job.unique = self.unique.map(|by| Unique {
            key: key(&self.job, by.arguments),
            since: by.period.map_or(Micros(0), |period| now.minus(period)),
            states: by.states.to_vec(),
        });
        self.job
    }

    /// Inserts it, or finds the one that is the same. It is there when the caller's transaction is committed; after that [`crate::Waker::wake`]
    /// spares the wait for the next look.
    pub async fn insert(self, conn: &mut AsyncPgConnection, now: Micros) -> Result<Inserted, JobError> {
        Ok(jobs::insert(conn, &self.row(now)).await?)
    }

    /// Inserts many at once, in their order.
    pub async fn insert_many(
        conn: &mut AsyncPgConnection,
        jobs: impl IntoIterator<Item = Self>,
        now: Micros,
    ) -> Result<Vec<Inserted>, JobError> {
        let rows: Vec<_> = jobs.into_iter().map(|job| job.row(now)).collect();
        Ok(jobs::insert_many(conn, &rows).await?)
    }
}

/// Of all that makes two jobs the same: kind, organization, and the arguments that count. `serde_json` sorts the names of an object.
fn key(job: &NewJob<'_>, arguments: Option<&[&str]>) -> [u8; 32] {
    let args = match (arguments, &job.args) {
        (Some(names), Value::Object(args)) => names
            .iter()
            .map(|name| ((*name).to_owned(), args.get(*name).cloned().unwrap_or_default()))
            .collect(),
        (_, args) => args.clone(),
    };
    let same = json!([job.worker, job.organization, args]).to_string();
    Sha256::digest(same.as_bytes()).into()
}
