//! What has to be done for all queues: making available what is due, taking jobs from nodes that are gone, ticks, adding up tallies. Every
//! node does it; whatever must happen once is done by the one that leads at that moment.

use std::time::Duration;

use dash_db::{
    AsyncConnection, AsyncPgConnection,
    store::jobs::{self, Due},
};
use dash_model::Micros;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Enqueue, JobError, Schedule, node::Node};

/// Taken from nodes that are gone, and ticks, at once.
const MANY: i64 = 500;
const COMPACT_EVERY: Duration = Duration::from_secs(10);
const CLOCK_EVERY: Duration = Duration::from_secs(30);
/// A schedule that is not understood here is looked at again after so long.
const LATER: Duration = Duration::from_secs(300);
/// The next tick of an expression whose years are over: the year 2100.
const NEVER: Micros = Micros(4_102_444_800_000_000);

/// A job of a kind and with arguments that stand in a row.
pub type Make = Box<dyn Fn(&str, Value) -> Result<Enqueue, String> + Send + Sync>;

pub struct Steward {
    pub node: Node,
    pub make: Make,
}

#[derive(Default)]
struct Last {
    rescued: Option<Instant>,
    compacted: Option<Instant>,
    clock: Option<Instant>,
}

impl Steward {
    /// Until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut last = Last::default();
        while !stop.is_cancelled() {
            let wait = match self.look(&mut last).await {
                Ok(next) => {
                    let until = next.map_or(i64::MAX, |next| next.0 - self.node.clock.now().0);
                    self.node
                        .settings
                        .poll
                        .min(Duration::from_micros(until.max(1_000).unsigned_abs()))
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot look after the jobs; it is tried again");
                    self.node.settings.poll
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Answers when the next job is due.
    async fn look(&self, last: &mut Last) -> Result<Option<Micros>, JobError> {
        let mut conn = self.node.db.diesel().await?;
        let conn = &mut *conn;
        if is_time(&mut last.clock, CLOCK_EVERY) {
            self.node.clock.set(conn).await?;
        }
        let queues = jobs::queues(conn).await?;
        *self.node.overrides.write() = queues.into_iter().map(|queue| (queue.name, queue.limits)).collect();
        let mut woken = jobs::stage(conn, self.node.clock.now()).await?;
        if is_time(&mut last.rescued, self.node.settings.lease / 3) {
            let (rescued, queues) = jobs::rescue(conn, self.node.clock.now(), MANY).await?;
            if rescued > 0 {
                tracing::warn!(
                    rescued,
                    "took over jobs from nodes that no longer said that they work at them"
                );
            }
            woken.extend(queues);
        }
        woken.extend(self.tick(conn).await?);
        if is_time(&mut last.compacted, COMPACT_EVERY) {
            let clock = &self.node.clock;
            let compact = async |conn: &mut AsyncPgConnection| {
                if jobs::lead(conn).await? {
                    jobs::compact(conn, clock.now()).await?;
                }
                Ok::<_, JobError>(())
            };
            conn.transaction(compact).await?;
        }
        woken.iter().for_each(|queue| self.node.waker.wake_queue(queue));
        Ok(jobs::next_at(conn).await?)
    }

    /// Inserts a job for each tick that has come; answers their queues.
    async fn tick(&self, conn: &mut AsyncPgConnection) -> Result<Vec<String>, JobError> {
        let now = self.node.clock.now();
        let work = async |conn: &mut AsyncPgConnection| {
            let mut queues = Vec::new();
            if !jobs::lead(conn).await? {
                return Ok(queues);
            }
            for due in jobs::due(conn, now, MANY).await? {
                queues.extend(self.one(conn, &due, now).await?);
            }
            Ok::<_, JobError>(queues)
        };
        conn.transaction(work).await
    }

    async fn one(&self, conn: &mut AsyncPgConnection, due: &Due, now: Micros) -> Result<Vec<String>, JobError> {
        let planned = Schedule::new(&due.expression, &due.zone)
            .map_err(|e| e.to_string())
            .and_then(|schedule| Ok((schedule, (self.make)(&due.worker, due.args.clone())?)));
        let (schedule, job) = match planned {
            Ok(planned) => planned,
            // A newer node may know it.
            Err(error) => {
                tracing::warn!(name = due.name, %error, "cannot make the job of a schedule");
                jobs::ticked(conn, due.id, now.plus(LATER), None).await?;
                return Ok(Vec::new());
            }
        };
        let (ticks, next) = schedule.ticks(due.next_at, now, due.missed);
        let job = job.of(due.organization, due.pipeline);
        let rows: Vec<_> = ticks
            .iter()
            .map(|tick| job.clone().meta(json!({"cron": due.name, "tick": tick.0})).row(now))
            .collect();
        let inserted = jobs::insert_many(conn, &rows).await?;
        let last = ticks.last().copied().zip(inserted.last().map(|inserted| inserted.id()));
        jobs::ticked(conn, due.id, next.unwrap_or(NEVER), last).await?;
        Ok(rows.into_iter().map(|row| row.queue.to_owned()).collect())
    }
}

fn is_time(last: &mut Option<Instant>, every: Duration) -> bool {
    let is_time = last.is_none_or(|last| last.elapsed() >= every);
    if is_time {
        *last = Some(Instant::now());
    }
    is_time
}
