//! Dashboards.

use app::{
    AppError,
    ports::{Dashboards, Viewer},
};
use async_trait::async_trait;
use dash_db::{Db, store};
use dash_model::dashboard::Dashboard;

use crate::failure::Failure;

pub struct FromDb(pub Db);

#[async_trait]
impl Dashboards for FromDb {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<Dashboard>, AppError> {
        let mut connection = self.0.diesel().await.map_err(Failure::from)?;
        Ok(store::dashboards::list(&mut connection, viewer.organization)
            .await
            .map_err(Failure::from)?)
    }

    async fn get(&self, viewer: &Viewer, slug: &str) -> Result<Dashboard, AppError> {
        let mut connection = self.0.diesel().await.map_err(Failure::from)?;
        let found = store::dashboards::get(&mut connection, viewer.organization, slug)
            .await
            .map_err(Failure::from)?;
        found.ok_or_else(|| AppError::NotFound {
            what: "dashboard".into(),
            name: slug.into(),
        })
    }
}
