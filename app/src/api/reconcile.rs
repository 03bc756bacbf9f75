//! Whether the books agree.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use crate::{AppError, model::reconcile::Reconciliation};

/// Of one pipeline, or of all.
#[server(endpoint = "reconcile", input = GetUrl)]
pub async fn reconcile(pipeline: Option<String>) -> Result<Reconciliation, AppError> {
    let ports = crate::ports::ports()?;
    ports.reconcile.reconcile(&ports.viewer, pipeline.as_deref()).await
}
