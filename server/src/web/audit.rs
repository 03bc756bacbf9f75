//! `GET /organization/audit.csv` and `audit.json`: the audit log as a file.

use std::sync::Arc;

use app::{AppError, model::people::AuditFilter};
use axum::{
    body::Body,
    extract::{Extension, Query, State as Shared},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use dash_accounts::policy::Action;
use dash_db::{
    Db,
    store::{
        self,
        audit::{Entry, Filter},
    },
};
use dash_model::OrganizationId;
use futures::{StreamExt, stream};

use super::problem::ProblemResponse;
use crate::{
    access::{allow, caller::Caller},
    accounts::export,
    failure::Failure,
    ports::audit_filter,
    state::State,
};

/// Entries that are in memory at a time.
const PAGE: i64 = 1_000;

pub async fn csv(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Arc<Caller>>,
    Query(filter): Query<AuditFilter>,
) -> Result<Response, ProblemResponse> {
    let form = Form {
        header: export::CSV_HEADER,
        rows: export::csv_rows,
    };
    let text = written(Pages::of(&state, &caller, filter)?, form).await?;
    Ok(file(
        text,
        "text/csv; charset=utf-8",
        "attachment; filename=\"audit.csv\"",
    ))
}

pub async fn json(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Arc<Caller>>,
    Query(filter): Query<AuditFilter>,
) -> Result<Response, ProblemResponse> {
    let form = Form {
        header: "",
        rows: export::json_lines,
    };
    let text = written(Pages::of(&state, &caller, filter)?, form).await?;
    let name = "attachment; filename=\"audit.jsonl\"";
    Ok(file(text, "application/x-ndjson", name))
}

/// How entries are written.
struct Form {
    header: &'static str,
    rows: fn(&[Entry]) -> String,
}

/// The entries that are asked for, newest first, page by page. Between two of them no connection is held, however slowly somebody reads.
struct Pages {
    db: Db,
    organization: OrganizationId,
    filter: Filter,
}

impl Pages {
    fn of(state: &State, caller: &Caller, filter: AuditFilter) -> Result<Self, AppError> {
        allow(&caller.viewer, Action::SeeAudit, None, ("audit log", ""))?;
        Ok(Self {
            db: state.db.clone(),
            organization: caller.viewer.organization,
            filter: audit_filter(filter),
        })
    }

    /// None after the last.
    async fn next(&mut self) -> Result<Option<Vec<Entry>>, Failure> {
        let mut connection = self.db.diesel().await?;
        let some = store::audit::list(&mut connection, self.organization, &self.filter, PAGE).await?;
        Ok(match some.last() {
            Some(last) => {
                self.filter.before = Some(last.number);
                Some(some)
            }
            None => None,
        })
    }
}

/// All pages, read as they are sent. The first is read before the answer begins, so that it says whether the log can be read; when a later one
/// cannot, the body ends early, and whoever reads it sees that.
async fn written(mut pages: Pages, Form { header, rows }: Form) -> Result<Body, Failure> {
    let first = pages.next().await?.unwrap_or_default();
    let begin = header.to_owned() + &rows(&first);
    let rest = stream::try_unfold(pages, move |mut pages| async move {
        // Its cause goes to the log.
        let some = pages.next().await.map_err(AppError::from)?;
        Ok::<_, AppError>(some.map(|entries| (rows(&entries), pages)))
    });
    let begin = stream::iter([Ok::<String, AppError>(begin)]);
    Ok(Body::from_stream(begin.chain(rest)))
}

fn file(text: Body, kind: &'static str, name: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(name)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}
