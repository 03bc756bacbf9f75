//! Says that this node still works at what it has, and hears what it should stop.

use std::time::Duration;

use dash_db::{
    Db, DbError,
    store::jobs::{self, Beat},
};
use dash_model::Micros;
use tokio::time::Instant;

use crate::{
    clock::Clock,
    held::{Held, Lease},
};

pub struct Keeper {
    pub db: Db,
    pub clock: Clock,
    pub held: Held,
    pub lease: Duration,
    /// How long what was cancelled may take to stop by itself.
    pub patience: Duration,
}

impl Keeper {
    /// For ever.
    pub async fn run(self) {
        let mut good_until = Instant::now() + self.lease;
        loop {
            tokio::time::sleep(self.lease / 3).await;
            let asked = Instant::now();
            let held = self.held.all();
            // A database that hangs is like one that is not there.
            match tokio::time::timeout(self.lease / 2, self.beat(&held)).await {
                Ok(Ok(())) => good_until = asked + self.lease,
                Ok(Err(error)) => tracing::warn!(%error, "cannot say that jobs are worked at"),
                Err(_) => tracing::warn!("cannot say that jobs are worked at: the database does not answer"),
            }
            if Instant::now() > good_until {
                // By now others may have them. Effects of two at once are worse than those of none.
                let lost = self.held.all();
                lost.iter().for_each(|lease| self.held.lose(*lease));
                if !lost.is_empty() {
                    tracing::warn!(jobs = lost.len(), "stopped jobs whose leases ran out");
                }
            }
        }
    }

    async fn beat(&self, held: &[Lease]) -> Result<(), DbError> {
        if held.is_empty() {
            return Ok(());
        }
        let mut conn = self.db.diesel().await?;
        let lease = i64::try_from(self.lease.as_micros()).unwrap_or(i64::MAX);
        let until = Micros(self.clock.now().0.saturating_add(lease));
        let beats = jobs::beat(&mut conn, held, until).await?;
        for Beat { id, lease, cancel } in &beats {
            if *cancel {
                self.held.cancel((*id, *lease), self.patience);
            }
        }
        let ours: std::collections::HashSet<Lease> = beats.iter().map(|beat| (beat.id, beat.lease)).collect();
        // Those that ended meanwhile are not among them either, and are gone from what is held.
        for lost in held.iter().filter(|lease| !ours.contains(lease)) {
            self.held.lose(*lost);
        }
        Ok(())
    }
}
