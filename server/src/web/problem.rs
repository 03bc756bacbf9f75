//! [`Problem`]s as responses.

use std::any::Any;

use axum::{
    body::Body,
    http::{HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use dash_ingest::{Problem, ProblemKind, problem::CONTENT_TYPE};

use crate::failure::Failure;

/// The error of every handler of the API.
pub struct ProblemResponse(pub Problem);

impl From<Failure> for ProblemResponse {
    fn from(failure: Failure) -> Self {
        Self(failure.into())
    }
}

impl From<dash_ingest::IngestError> for ProblemResponse {
    fn from(error: dash_ingest::IngestError) -> Self {
        Self(error.problem())
    }
}

impl From<app::AppError> for ProblemResponse {
    fn from(error: app::AppError) -> Self {
        Failure::from(error).into()
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = problem.retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Under `/api/v1`, but nothing there.
pub async fn no_such_address(uri: Uri) -> ProblemResponse {
    let detail = format!(
        "there is nothing at {}; /api/v1/openapi.json lists what there is",
        uri.path()
    );
    ProblemResponse(Problem::new(ProblemKind::NotFound, detail))
}

/// There, but for other methods.
pub async fn no_such_method(method: Method, uri: Uri) -> ProblemResponse {
    let detail = format!(
        "{} does not take {method}; /api/v1/openapi.json lists what it takes",
        uri.path()
    );
    ProblemResponse(Problem::new(ProblemKind::MethodNotAllowed, detail))
}

/// A handler panicked: the cause goes to the log.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no words");
    tracing::error!(panic = words, "a request handler panicked");
    ProblemResponse(Problem::new(
        ProblemKind::Internal,
        "The server failed. It has been logged.",
    ))
    .into_response()
}
