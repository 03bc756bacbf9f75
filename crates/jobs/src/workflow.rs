//! Jobs that wait for each other.

use dash_db::{
    AsyncConnection, AsyncPgConnection,
    store::jobs::{self, Inserted},
};
use dash_model::Micros;
use uuid::Uuid;

use crate::{Enqueue, JobError};

/// A job of a workflow that is being put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step(usize);

/// Jobs of which some wait for others to be completed. When one that others wait for is cancelled or discarded, so are they. A job that is unique
/// is inserted all the same.
#[derive(Debug)]
pub struct Workflow {
    id: Uuid,
    steps: Vec<(Enqueue, Vec<Step>)>,
}

impl Default for Workflow {
    fn default() -> Self {
        Self::within(Uuid::now_v7())
    }
}

impl Workflow {
    /// More jobs for one that is there: a step may find out what the next ones are.
    pub fn within(id: Uuid) -> Self {
        Self { id, steps: Vec::new() }
    }

    pub fn id(&self) -> Uuid {
        self.id
    }

    /// A job that is done when all of `needs` are completed. Steps can only need such as are there, so that none waits for itself.
    pub fn add(&mut self, job: Enqueue, needs: &[Step]) -> Step {
        let mut needs = needs.to_vec();
        needs.sort_unstable_by_key(|step| step.0);
        needs.dedup();
        self.steps.push((job, needs));
        Step(self.steps.len() - 1)
    }

    /// Inserts all of them, in a transaction; answers their ids in order.
    pub async fn insert(self, conn: &mut AsyncPgConnection, now: Micros) -> Result<Vec<i64>, JobError> {
        let (id, mut steps) = (self.id, self.steps);
        let work = async |conn: &mut AsyncPgConnection| {
            let mut ids: Vec<i64> = Vec::with_capacity(steps.len());
            let mut steps = steps.drain(..).peekable();
            while steps.peek().is_some() {
                // As many as need only what is there already.
                let there = ids.len();
                let mut rows = Vec::new();
                while let Some((job, needs)) = steps.next_if(|(_, needs)| needs.iter().all(|step| step.0 < there)) {
                    let needs = needs.iter().filter_map(|step| ids.get(step.0).copied()).collect();
                    let mut row = job.within(id, needs).row(now);
                    row.unique = None;
                    rows.push(row);
                }
                let inserted = jobs::insert_many(conn, &rows).await?;
                ids.extend(inserted.into_iter().map(Inserted::id));
            }
            Ok::<_, JobError>(ids)
        };
        conn.transaction(work).await
    }
}
