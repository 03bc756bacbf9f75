//! Dashboards.

use app::{
    AppError,
    ports::{Dashboards, Viewer},
};
use async_trait::async_trait;
use dash_accounts::policy::{self, Action};
use dash_db::store;
use dash_model::dashboard::Dashboard;

use crate::{
    access::{refusal, target},
    failure::Failure,
    state::State,
};

pub struct FromState(pub State);

#[async_trait]
impl Dashboards for FromState {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<Dashboard>, AppError> {
        let mut connection = self.0.db.diesel().await.map_err(Failure::from)?;
        let all = store::dashboards::list(&mut connection, viewer.organization).await;
        let mut all = all.map_err(Failure::from)?;
        all.retain(|board| may(viewer, Action::See, board).is_ok());
        Ok(all)
    }

    async fn get(&self, viewer: &Viewer, slug: &str) -> Result<Dashboard, AppError> {
        let board = find(&self.0, viewer, slug).await?;
        // What is not shared is not told of: not even that it is there.
        may(viewer, Action::See, &board)?;
        Ok(board)
    }
}

/// The dashboard of this slug or id in the viewer's organization.
pub(super) async fn find(state: &State, viewer: &Viewer, slug: &str) -> Result<Dashboard, AppError> {
    let mut connection = state.db.diesel().await.map_err(Failure::from)?;
    let found = store::dashboards::get(&mut connection, viewer.organization, slug).await;
    found.map_err(Failure::from)?.ok_or_else(|| match viewer.user {
        // Without an account nobody is told what there is.
        None if viewer.who == policy::Who::Nobody => AppError::SignIn,
        _ => AppError::NotFound {
            what: "dashboard".into(),
            name: slug.into(),
        },
    })
}

pub(super) fn may(viewer: &Viewer, action: Action, board: &Dashboard) -> Result<(), AppError> {
    let target = target(viewer.organization, board.team, board.public);
    policy::decide(&viewer.who, action, &target).map_err(|denied| refusal(denied, "dashboard", &board.slug))
}
