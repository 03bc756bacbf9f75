//! `GET /organization/audit.csv` and `audit.json`: the audit log as a file.

use std::sync::Arc;

use app::model::people::AuditFilter;
use axum::{
    extract::{Extension, Query, State as Shared},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use dash_accounts::policy::Action;
use dash_db::store::{self, audit::Entry};

use super::problem::ProblemResponse;
use crate::{
    access::{allow, caller::Caller},
    accounts::export,
    failure::Failure,
    ports::audit_filter,
    state::State,
};

/// Entries that are read at a time.
const PAGE: i64 = 1_000;

pub async fn csv(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Arc<Caller>>,
    Query(filter): Query<AuditFilter>,
) -> Result<Response, ProblemResponse> {
    let entries = entries(&state, &caller, filter).await?;
    Ok(file(
        export::csv(&entries),
        "text/csv; charset=utf-8",
        "attachment; filename=\"audit.csv\"",
    ))
}

pub async fn json(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Arc<Caller>>,
    Query(filter): Query<AuditFilter>,
) -> Result<Response, ProblemResponse> {
    let entries = entries(&state, &caller, filter).await?;
    let name = "attachment; filename=\"audit.jsonl\"";
    Ok(file(export::json_lines(&entries), "application/x-ndjson", name))
}

async fn entries(state: &State, caller: &Caller, filter: AuditFilter) -> Result<Vec<Entry>, Failure> {
    allow(&caller.viewer, Action::SeeAudit, None, ("audit log", ""))?;
    let mut connection = state.db.diesel().await?;
    let mut filter = audit_filter(filter);
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let some = store::audit::list(&mut connection, caller.viewer.organization, &filter, PAGE).await?;
        let Some(last) = some.last() else { return Ok(all) };
        filter.before = Some(last.number);
        all.extend(some);
    }
}

fn file(text: String, kind: &'static str, name: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}
