//! What all parts of an engine share.

use std::{collections::BTreeMap, sync::Arc};

use dash_db::{Db, store::jobs::Limits};
use dash_model::Micros;
use parking_lot::RwLock;

use crate::{Figures, Settings, Waker, clock::Clock, held::Held};

/// Cheap to clone.
#[derive(Clone)]
pub struct Node {
    pub db: Db,
    pub clock: Clock,
    pub settings: Arc<Settings>,
    pub waker: Waker,
    pub held: Held,
    pub figures: Figures,
    /// What people have set otherwise than the program, by queue.
    pub overrides: Arc<RwLock<BTreeMap<String, Limits>>>,
}

impl Node {
    pub fn new(db: Db, settings: Settings, waker: Waker) -> Self {
        Self {
            db,
            clock: Clock::default(),
            settings: Arc::new(settings),
            waker,
            held: Held::default(),
            figures: Figures::default(),
            overrides: Arc::default(),
        }
    }

    /// Until when a job is this node's that it says it has at `now`.
    pub fn lease_until(&self, now: Micros) -> Micros {
        now.plus(self.settings.lease)
    }
}
