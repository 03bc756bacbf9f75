//! Dashboards.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use crate::{AppError, form::Done, model::dashboard::Dashboard};

#[server(endpoint = "dashboards", input = GetUrl)]
pub async fn list_dashboards() -> Result<Vec<Dashboard>, AppError> {
    let ports = crate::ports::ports()?;
    ports.dashboards.list(&ports.viewer).await
}

#[server(endpoint = "dashboard", input = GetUrl)]
pub async fn get_dashboard(slug: String) -> Result<Dashboard, AppError> {
    let ports = crate::ports::ports()?;
    ports.dashboards.get(&ports.viewer, &slug).await
}

#[server(endpoint = "dashboard/share")]
pub async fn share_dashboard(slug: String, public: bool) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.organizations.share(&ports.viewer, slug, public).await
}
