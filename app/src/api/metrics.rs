//! Questions to the metrics: what the server renders before the live channel takes over.

use leptos::{prelude::*, server_fn::codec::Json};

use crate::{
    AppError,
    model::query::{QueryResult, QuerySpec},
};

/// Answers in the order of the questions.
#[server(endpoint = "query", input = Json, output = Json)]
pub async fn query_metrics(specs: Vec<QuerySpec>) -> Result<Vec<Result<QueryResult, AppError>>, AppError> {
    let ports = crate::ports::ports()?;
    Ok(ports.metrics.query(&ports.viewer, specs).await)
}
