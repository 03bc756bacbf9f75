//! What dashboards that are shared with everybody ask: the only questions that are answered to those who are not signed in, or not in the team.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use app::AppError;
use dash_db::{Db, store};
use dash_model::{OrganizationId, query::MetricQuery};
use parking_lot::Mutex;

use crate::failure::Failure;

/// How long it is not looked up again, and so how long another node may still answer what is no longer shared.
const REMEMBERED: Duration = Duration::from_secs(5);

type Asked = HashSet<(OrganizationId, MetricQuery)>;
/// And when it was looked up.
type Known = Option<(Instant, Arc<Asked>)>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Shares {
    db: Db,
    known: Arc<Mutex<Known>>,
}

impl Shares {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            known: Arc::default(),
        }
    }

    /// Whether a shared dashboard of this organization asks exactly this, over whatever time.
    pub async fn has(&self, organization: OrganizationId, query: &MetricQuery) -> Result<bool, AppError> {
        Ok(self.asked().await?.contains(&(organization, query.clone())))
    }

    pub fn forget(&self) {
        *self.known.lock() = None;
    }

    async fn asked(&self) -> Result<Arc<Asked>, Failure> {
        if let Some((at, asked)) = &*self.known.lock()
            && at.elapsed() < REMEMBERED
        {
            return Ok(Arc::clone(asked));
        }
        let boards = store::dashboards::public(&mut *self.db.diesel().await?).await?;
        let asked = boards.into_iter().flat_map(|(organization, board)| {
            let queries = board.widgets.into_iter().flat_map(|widget| widget.queries);
            queries.map(move |asked| (organization, asked.query))
        });
        let asked: Arc<Asked> = Arc::new(asked.collect());
        *self.known.lock() = Some((Instant::now(), Arc::clone(&asked)));
        Ok(asked)
    }
}
