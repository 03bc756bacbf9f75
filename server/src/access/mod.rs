//! Who asks, and whether they may: everything that a request is judged by before it touches anything.
//!
//! [`caller`] is who asks by a browser, [`keys`] who asks by a key; both become an [`app::ports::Viewer`]. What is asked for is found here, in the
//! viewer's organization and through [`dash_accounts::policy`], so that whoever forgets to ask finds nothing.

pub mod caller;
pub mod keys;
pub mod network;
pub mod rates;
pub mod record;
pub mod session;
mod shares;

use std::sync::Arc;

use app::{AppError, ports::Viewer};
use dash_accounts::policy::{self, Action, Denied, Target, Who};
use dash_db::Db;
use dash_model::{OrganizationId, TeamId, query::QuerySpec};

pub use self::shares::Shares;
use crate::catalog::{Catalog, Entry};

/// Cheap to clone.
#[derive(Clone)]
pub struct Access {
    catalog: Catalog,
    shares: Shares,
}

impl Access {
    pub fn new(db: Db, catalog: Catalog) -> Self {
        Self {
            catalog,
            shares: Shares::new(db),
        }
    }

    /// The pipeline of this slug or id in the viewer's organization, if they may do this with it.
    ///
    /// # Errors
    /// What is hidden is not found; else [`AppError::SignIn`] or [`AppError::Forbidden`].
    pub async fn pipeline(&self, viewer: &Viewer, action: Action, name: &str) -> Result<Arc<Entry>, AppError> {
        // Without an account nothing is told of what there is.
        if viewer.who == Who::Nobody {
            return Err(nobody(viewer));
        }
        let entry = self.catalog.find(viewer.organization, name).await?;
        let denied = |denied| refusal(denied, "pipeline", name);
        policy::decide(&viewer.who, action, &of_entry(&entry)).map_err(denied)?;
        Ok(entry)
    }

    /// All that the viewer sees, by name.
    pub fn pipelines(&self, viewer: &Viewer) -> Vec<Arc<Entry>> {
        let all = self.catalog.of(viewer.organization).into_iter();
        all.filter(|entry| policy::decide(&viewer.who, Action::See, &of_entry(entry)).is_ok())
            .collect()
    }

    /// The pipeline that is asked about, if the viewer may read it, or if a dashboard that is shared with everybody asks the same: then a
    /// person gets what strangers get, also of a team that they are not in. Keys see what they are for.
    pub async fn question(&self, viewer: &Viewer, spec: &QuerySpec) -> Result<Arc<Entry>, AppError> {
        match self.pipeline(viewer, Action::See, &spec.query.pipeline).await {
            Err(AppError::SignIn | AppError::Forbidden { .. } | AppError::NotFound { .. })
                if !matches!(viewer.who, Who::Key(_)) && self.shares.has(viewer.organization, &spec.query).await? =>
            {
                self.catalog.find(viewer.organization, &spec.query.pipeline).await
            }
            other => other,
        }
    }

    /// After a dashboard was shared, or is no more.
    pub fn forget_shares(&self) {
        self.shares.forget();
    }
}

/// Whether the viewer may do this with what belongs to their organization, or to a team of it.
///
/// # Errors
/// What is hidden is not found; else [`AppError::SignIn`] or [`AppError::Forbidden`].
pub fn allow(
    viewer: &Viewer,
    action: Action,
    team: Option<TeamId>,
    (what, name): (&str, &str),
) -> Result<(), AppError> {
    let target = target(viewer.organization, team, false);
    policy::decide(&viewer.who, action, &target).map_err(|denied| match denied {
        Denied::SignIn => nobody(viewer),
        other => refusal(other, what, name),
    })
}

/// To sign in once more would not help somebody who belongs nowhere.
fn nobody(viewer: &Viewer) -> AppError {
    match viewer.user {
        None => AppError::SignIn,
        Some(_) => AppError::Forbidden {
            needs: "a place in an organization; ask for an invitation, or make one at Account".into(),
        },
    }
}

pub fn target(organization: OrganizationId, team: Option<TeamId>, public: bool) -> Target {
    Target {
        organization,
        team,
        public,
    }
}

fn of_entry(entry: &Entry) -> Target {
    target(entry.pipeline.organization, entry.pipeline.team, false)
}

/// A refusal as a page says it.
pub fn refusal(denied: Denied, what: &str, name: &str) -> AppError {
    match denied {
        Denied::Hidden => AppError::NotFound {
            what: what.into(),
            name: name.into(),
        },
        Denied::SignIn => AppError::SignIn,
        Denied::Forbidden { needs } => AppError::Forbidden { needs: needs.into() },
    }
}
