//! The figures of a pipeline, put together from the ledger, the manifest, the spool and what happens now.

use dash_db::{Db, store};
use dash_metrics::Silver;
use dash_model::{
    Micros,
    stats::{Lag, PipelineStats},
};
use dash_spool::{Backlog, Spool, Stage};

use crate::{activity::Activity, catalog::Entry, failure::Failure};

/// Cheap to clone.
#[derive(Clone)]
pub struct Figures {
    pub db: Db,
    pub silver: Silver,
    pub spool: Spool,
    pub activity: Activity,
}

impl Figures {
    /// As of now. The ledger is read before the spool: an event that moves from one to the other meanwhile is missed for a
    /// moment rather than counted twice.
    pub async fn of(&self, entry: &Entry) -> Result<PipelineStats, Failure> {
        let pipeline = entry.pipeline.id;
        let version = entry.pipeline.active_version.id;
        let mut connection = self.db.diesel().await?;
        let totals = store::ledger::totals(&mut connection, pipeline).await?;
        let lake = store::lake_objects::sums(&mut connection, pipeline).await?;
        drop(connection);
        let series = self
            .silver
            .stats(Some(version))
            .await
            .map_err(|e| Failure::internal(e.to_string()))?
            .series;
        let backlog = self.spool.pending(pipeline);
        let pending = backlog.of(Stage::Silver).events;
        let now = crate::clock::now();
        Ok(PipelineStats {
            received: count(totals.events + totals.rejected) + pending,
            accepted: count(totals.events) + pending,
            rejected: count(totals.rejected),
            mapped: count(totals.mapped),
            filtered: count(totals.filtered),
            quarantined: count(totals.quarantined),
            pending,
            silver_points: count(totals.points),
            series,
            bronze_rows: count(lake.rows),
            bronze_bytes: count(lake.bytes),
            raw_bytes: count(lake.raw_bytes),
            bronze_objects: count(lake.objects),
            events_per_second: self.activity.rate(pipeline),
            lag: Lag {
                silver_ms: age(backlog.of(Stage::Silver), now),
                bronze_ms: age(backlog.of(Stage::Bronze), now),
            },
            last_event_at: totals.last_event_at,
        })
    }
}

/// PostgreSQL has no unsigned numbers; these are never negative.
fn count(number: i64) -> u64 {
    number.unsigned_abs()
}

/// Milliseconds since the oldest event of this backlog was received.
fn age(backlog: Backlog, now: Micros) -> u64 {
    backlog
        .oldest
        .map_or(0, |oldest| u64::try_from((now.0 - oldest.0) / 1_000).unwrap_or(0))
}
