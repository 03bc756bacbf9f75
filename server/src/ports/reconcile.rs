//! The check of the books, for its page.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use app::{
    AppError,
    ports::{Reconcile, Viewer},
};
use async_trait::async_trait;
use dash_accounts::policy::Action;
use dash_metrics::{BooksOptions, Floor};
use dash_model::{OrganizationId, pipeline::Pipeline, reconcile::Reconciliation};
use tokio::sync::Mutex;

use crate::{access::allow, state::State};

/// Longest that one statement may take for a page; the command line waits as long as it takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// One check of an organization at a time: it costs more than any other page. No organization waits for another.
pub struct FromState {
    state: State,
    turns: parking_lot::Mutex<HashMap<OrganizationId, Weak<Turn>>>,
}

/// Held while the books of an organization are checked, by whoever checks them and whoever waits. It ends with the last of them, for only who
/// waited is answered from it.
type Turn = Mutex<Option<Last>>;

struct Last {
    began: Instant,
    of: (Viewer, Option<String>),
    checked: Reconciliation,
}

impl FromState {
    pub fn new(state: State) -> Self {
        Self {
            state,
            turns: parking_lot::Mutex::default(),
        }
    }

    /// What those of an organization wait at.
    fn turn(&self, organization: OrganizationId) -> Arc<Turn> {
        let mut turns = self.turns.lock();
        if let Some(turn) = turns.get(&organization).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::default());
        turns.insert(organization, Arc::downgrade(&turn));
        turn
    }

    /// Those that the viewer asks about; only for whoever may.
    async fn pipelines(&self, viewer: &Viewer, pipeline: Option<&str>) -> Result<Vec<Pipeline>, AppError> {
        Ok(match pipeline {
            Some(name) => vec![
                self.state
                    .access
                    .pipeline(viewer, Action::See, name)
                    .await?
                    .pipeline
                    .clone(),
            ],
            None => {
                // One that another process made meanwhile is checked as well.
                self.state.catalog.reload().await?;
                let all = self.state.access.pipelines(viewer);
                all.iter().map(|entry| entry.pipeline.clone()).collect()
            }
        })
    }
}

#[async_trait]
impl Reconcile for FromState {
    async fn reconcile(&self, viewer: &Viewer, pipeline: Option<&str>) -> Result<Reconciliation, AppError> {
        // Whoever may not keeps nobody waiting.
        allow(viewer, Action::SeePeople, None, ("organization", ""))?;
        let asked = Instant::now();
        let of = (viewer.clone(), pipeline.map(str::to_owned));
        let turn = self.turn(viewer.organization);
        let mut last = turn.lock().await;
        // Who waited while the same was checked need not check again what was checked since they asked.
        if let Some(last) = last.as_ref().filter(|last| last.of == of && last.began >= asked) {
            return Ok(last.checked.clone());
        }
        let began = Instant::now();
        let pipelines = self.pipelines(viewer, pipeline).await?;
        let options = BooksOptions {
            deep: false,
            timeout: Some(PATIENCE),
            floors: vec![Floor {
                node: self.state.config.process.node,
                from: self.state.spool.oldest(),
            }],
        };
        let checked = crate::reconcile::reconcile(&self.state.silver, &self.state.lake, &pipelines, &options).await;
        let checked = checked.map_err(|error| {
            tracing::error!(%error, "the books cannot be read");
            AppError::Unavailable {
                what: "The database".into(),
            }
        })?;
        *last = Some(Last {
            began,
            of,
            checked: checked.clone(),
        });
        Ok(checked)
    }
}
