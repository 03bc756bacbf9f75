//! Says that this node still works at what it has, and hears what it should stop.

use std::collections::HashSet;

use dash_db::{
    DbError,
    store::jobs::{self, Beat},
};
use tokio::time::Instant;

use crate::{held::Lease, node::Node};

pub struct Keeper(pub Node);

impl Keeper {
    /// For ever.
    pub async fn run(self) {
        let (held_here, lease) = (&self.0.held, self.0.settings.lease);
        let mut good_until = Instant::now() + lease;
        loop {
            tokio::time::sleep(lease / 3).await;
            let asked = Instant::now();
            let held = held_here.all();
            // A database that hangs is like one that is not there.
            match tokio::time::timeout(lease / 2, self.beat(&held)).await {
                Ok(Ok(())) => good_until = asked + lease,
                Ok(Err(error)) => tracing::warn!(%error, "cannot say that jobs are worked at"),
                Err(_) => tracing::warn!("cannot say that jobs are worked at: the database does not answer"),
            }
            if Instant::now() > good_until {
                // By now others may have them. Effects of two at once are worse than those of none.
                let lost = held_here.give_up();
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
        let mut conn = self.0.db.diesel().await?;
        let until = self.0.lease_until(self.0.clock.now());
        let beats = jobs::beat(&mut conn, held, until).await?;
        for Beat { id, lease, cancel } in &beats {
            if *cancel {
                self.0.held.cancel((*id, *lease), self.0.settings.patience);
            }
        }
        let ours: HashSet<Lease> = beats.iter().map(|beat| (beat.id, beat.lease)).collect();
        // Those that ended meanwhile are not among them either, and are gone from what is held.
        for lost in held.iter().filter(|lease| !ours.contains(lease)) {
            self.0.held.lose(*lost);
        }
        Ok(())
    }
}
