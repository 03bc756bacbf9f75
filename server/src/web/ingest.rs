//! `POST /api/v1/ingest/{pipeline}`

use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::{Path, Query, State as Shared, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use dash_ingest::{Encoding, Format, IdempotencyKey, IngestError, Problem, ProblemKind};
use dash_model::receipt::Receipt;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;

use super::problem::ProblemResponse;
use crate::{
    catalog::Entry,
    failure::Failure,
    ingest::{self, Posted, Sender},
    state::State,
};

/// Take events.
///
/// A JSON object, an array of objects, a JSON object a line, CSV with a header, or an Arrow IPC stream; plain, gzip or zstd.
/// The answer comes when the events are durable. Records that are not taken are listed with their reasons and never cost the others.
#[utoipa::path(
    post,
    path = "/api/v1/ingest/{pipeline}",
    tag = "ingest",
    params(
        ("pipeline" = String, Path, description = "Slug or id of the pipeline"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible characters. The same key with the same body is answered once more and taken once; webhook-id serves as well"),
        ("Content-Encoding" = Option<String>, Header, description = "gzip or zstd"),
        ("ack" = Option<String>, Query, description = "spool (when absent): the answer comes when the events are on disk. lake: when they are in the lake; the header Dash-Ack of the answer says which of the two was reached within 30 s"),
    ),
    request_body(
        content(
            (serde_json::Value = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )
    ),
    responses(
        (status = 202, description = "Durable", body = super::openapi::ReceiptBody),
        (status = "4XX", description = "Not taken; type and detail say why", body = super::openapi::ProblemBody, content_type = "application/problem+json"),
        (status = "5XX", description = "Not taken; try again after Retry-After", body = super::openapi::ProblemBody, content_type = "application/problem+json"),
    ),
    security(("ingest_key" = [])),
)]
pub async fn post_events(
    Shared(state): Shared<State>,
    Path(pipeline): Path<String>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, [(&'static str, &'static str); 1], Json<Receipt>), ProblemResponse> {
    let Query(Parameters { ack }) =
        parameters.map_err(|e| Failure::problem(ProblemKind::InvalidRequest, e.body_text()))?;
    let sender = Sender {
        catalog: &state.catalog,
        access: &state.access,
        keys: &state.keys,
    };
    let authorization = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let entry = sender.entry(&pipeline, authorization).await?;
    // Without a key it is the signature that proves the sender, and it comes with the body.
    if authorization.is_some() {
        admit(&state, &entry)?;
    }
    let receipt = take(&state, &entry, &headers, body).await?;
    let reached = match ack {
        Ack::Lake if state.ingest.in_lake(&entry, &receipt, LAKE_PATIENCE).await => "lake",
        _ => "spool",
    };
    Ok((StatusCode::ACCEPTED, [("dash-ack", reached)], Json(receipt)))
}

/// How long an answer waits for the lake. The events are durable by then, so it is an answer and no error.
const LAKE_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    #[serde(default)]
    ack: Ack,
}

/// What has to hold before the answer.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Ack {
    #[default]
    Spool,
    Lake,
}

/// Counts the request of a sender who is proved, and looks whether there is room for it. Strangers come to neither: they would use up what
/// the pipeline may get, and learn whether its organization has reached a limit.
fn admit(state: &State, entry: &Entry) -> Result<(), Failure> {
    state.rates.ingest(entry.pipeline.id)?;
    state.quotas.take_events(entry.pipeline.organization)?;
    Ok(())
}

async fn take(
    state: &State,
    entry: &std::sync::Arc<Entry>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Receipt, Failure> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let format = Format::from_content_type(text("content-type"))?;
    let encoding = Encoding::from_content_encoding(text("content-encoding"))?;
    let key = match text("idempotency-key").or_else(|| text("webhook-id")) {
        Some(key) => Some(IdempotencyKey::new(key)?),
        None => None,
    };
    let signed = text("authorization").is_none();
    let announced = announced_length(headers, state.ingest.limits.body_bytes)?;
    let share = state.ingest.reserve(announced, encoding)?;
    let body = read(body, state).await?;
    if signed {
        ingest::signed(entry, text, &body)?;
        admit(state, entry)?;
    }
    let posted = Posted {
        body,
        format,
        encoding,
        key,
        meta: meta(headers),
    };
    let receipt = state.ingest.accept(entry, posted).await;
    drop(share);
    if let Ok(receipt) = &receipt {
        state
            .quotas
            .took_events(entry.pipeline.organization, receipt.accepted.into());
    }
    receipt
}

/// Content-Length, or as much as is allowed when it is not said.
fn announced_length(headers: &HeaderMap, allowed: usize) -> Result<usize, IngestError> {
    let said = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    match said {
        Some(length) if length > allowed as u64 => Err(too_large(length, allowed)),
        Some(length) => Ok(length as usize),
        None => Ok(allowed),
    }
}

fn too_large(found: u64, allowed: usize) -> IngestError {
    IngestError::BodyTooLarge {
        found: format!("{found} bytes"),
        allowed,
    }
}

/// The whole body, within its size and its time.
async fn read(body: Body, state: &State) -> Result<Bytes, Failure> {
    let allowed = state.ingest.limits.body_bytes;
    let collect = async {
        let mut stream = body.into_data_stream();
        let mut all = BytesMut::new();
        while let Some(part) = stream.next().await {
            let part =
                part.map_err(|_| Failure::problem(ProblemKind::MalformedBody, "the body ended early; send it again"))?;
            if all.len() + part.len() > allowed {
                return Err(too_large((all.len() + part.len()) as u64, allowed).into());
            }
            all.extend_from_slice(&part);
        }
        Ok(all.freeze())
    };
    let limit = state.config.body_timeout();
    tokio::time::timeout(limit, collect).await.unwrap_or_else(|_| {
        let detail = format!(
            "the body did not come within {} s; send smaller bodies",
            limit.as_secs()
        );
        Err(Problem::new(ProblemKind::RequestTimeout, detail).into())
    })
}

/// What is kept about a request beside its records.
fn meta(headers: &HeaderMap) -> Bytes {
    let text = |name: header::HeaderName| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .map(|v| v.chars().take(200).collect::<String>())
    };
    json!({
        "content_type": text(header::CONTENT_TYPE),
        "content_encoding": text(header::CONTENT_ENCODING),
        "user_agent": text(header::USER_AGENT),
    })
    .to_string()
    .into()
}
