//! What has to be done for all queues: making available what is due, taking jobs from nodes that are gone, ticks, adding up tallies. Every
//! node does it; whatever must happen once is done by the one that leads at that moment.

use std::time::Duration;

use dash_db::{
    AsyncConnection, AsyncPgConnection, Db,
    store::jobs::{self, Due, NewJob},
};
use dash_model::Micros;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{JobError, Schedule, clock::Clock, engine::Overrides, wake::Waker};

/// Taken from nodes that are gone, and ticks, at once.
const MANY: i64 = 500;
const COMPACT_EVERY: Duration = Duration::from_secs(10);
const CLOCK_EVERY: Duration = Duration::from_secs(30);

/// How a kind of jobs is inserted whose name stands in a row.
pub type Rows = Box<dyn Fn(&Due, Micros) -> Result<NewJob<'static>, String> + Send + Sync>;

pub struct Steward {
    pub db: Db,
    pub clock: Clock,
    pub waker: Waker,
    pub overrides: Overrides,
    pub rows: Rows,
    pub lease: Duration,
    pub poll: Duration,
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
                    let until = next.map_or(i64::MAX, |next| next.0 - self.clock.now().0);
                    self.poll.min(Duration::from_micros(until.max(1_000).unsigned_abs()))
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot look after the jobs; it is tried again");
                    self.poll
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
        let mut conn = self.db.diesel().await?;
        let conn = &mut *conn;
        if is_time(&mut last.clock, CLOCK_EVERY) {
            self.clock.set(conn).await?;
        }
        let queues = jobs::queues(conn).await?;
        *self.overrides.write() = queues.into_iter().map(|queue| (queue.name, queue.limits)).collect();
        let mut woken = jobs::stage(conn, self.clock.now()).await?;
        if is_time(&mut last.rescued, self.lease / 3) {
            let (rescued, queues) = jobs::rescue(conn, self.clock.now(), MANY).await?;
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
            let clock = &self.clock;
            let compact = async |conn: &mut AsyncPgConnection| {
                if jobs::lead(conn).await? {
                    jobs::compact(conn, clock.now()).await?;
                }
                Ok::<_, JobError>(())
            };
            conn.transaction(compact).await?;
        }
        woken.iter().for_each(|queue| self.waker.wake_queue(queue));
        Ok(jobs::next_at(conn).await?)
    }

    /// Inserts a job for each tick that has come; answers their queues.
    pub(crate) async fn tick(&self, conn: &mut AsyncPgConnection) -> Result<Vec<String>, JobError> {
        let now = self.clock.now();
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
        /// What cannot be done now is looked at again after so long, in microseconds.
        const LATER: i64 = 300 * 1_000_000;
        let planned = Schedule::new(&due.expression, &due.zone)
            .map_err(|e| e.to_string())
            .and_then(|schedule| {
                let (ticks, next) = schedule.ticks(due.next_at, now, due.missed);
                let rows: Result<Vec<_>, String> = ticks.iter().map(|tick| (self.rows)(due, *tick)).collect();
                Ok((ticks, rows?, next))
            });
        let (ticks, mut rows, next) = match planned {
            Ok(planned) => planned,
            // A newer node may know it.
            Err(error) => {
                tracing::warn!(name = due.name, %error, "cannot make the job of a schedule");
                jobs::ticked(conn, due.id, Micros(now.0 + LATER), None).await?;
                return Ok(Vec::new());
            }
        };
        for (row, tick) in rows.iter_mut().zip(&ticks) {
            row.now = now;
            row.at = now;
            row.meta = json!({"cron": due.name, "tick": tick.0});
            row.organization = due.organization;
            row.pipeline = due.pipeline;
        }
        let inserted = jobs::insert_many(conn, &rows).await?;
        let last = ticks.last().copied().zip(inserted.last().map(|inserted| inserted.id()));
        // An expression whose years are over does not come again.
        let next = next.unwrap_or(Micros(4_102_444_800_000_000));
        jobs::ticked(conn, due.id, next, last).await?;
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
