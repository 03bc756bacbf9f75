//! `GET /api/v1/query`

use std::{collections::BTreeSet, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray},
    error::ArrowError,
};
use axum::{
    Json,
    extract::{Query, State as Shared, rejection::QueryRejection},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use dash_ingest::ProblemKind;
use dash_model::query::{Aggregation, MetricQuery, QueryResult, QuerySpec, Shape, TimeRange};
use serde::Deserialize;

use super::{problem::ProblemResponse, reader};
use crate::{failure::Failure, ports::answer, state::State};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    /// Slug or id.
    pipeline: String,
    metric: String,
    /// RFC 3339, milliseconds since 1970, `now` or `now-15m` (s, m, h, d). An hour before `to` when absent.
    from: Option<String>,
    /// As `from`; now when absent.
    to: Option<String>,
    /// Pixels: at most about two points for each. 1 to 4000, 800 when absent.
    width: Option<u32>,
    /// Tags that make a series of their own, with commas between.
    by: Option<String>,
    /// avg (when absent), sum, min, max, count, first or last.
    #[param(value_type = Option<String>)]
    agg: Option<Aggregation>,
}

/// Read a metric.
///
/// As JSON, CSV (`Accept: text/csv`) or an Arrow IPC stream (`Accept: application/vnd.apache.arrow.stream`); the last two have a row for each
/// point: time, a column for each tag, value.
#[utoipa::path(
    get,
    path = "/api/v1/query",
    tag = "metrics",
    params(Parameters),
    responses(
        (status = 200, description = "Series", content(
            (super::openapi::QueryBody = "application/json"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )),
        (status = "4XX", description = "The question is wrong; detail says where", body = super::openapi::ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("api_key" = [])),
)]
pub async fn get_query(
    Shared(state): Shared<State>,
    parameters: Result<Query<Parameters>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ProblemResponse> {
    let Query(parameters) = parameters.map_err(|e| Failure::problem(ProblemKind::InvalidRequest, e.body_text()))?;
    let form = Form::from_accept(headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()))?;
    let (viewer, _) = reader::of(&state, &headers).await?;
    let spec = parameters.spec(crate::clock::now().millis())?;
    let result = answer(&state, &viewer, &spec).await?;
    form.render(&result)
        .map_err(|e| Failure::internal(e.to_string()).into())
}

impl Parameters {
    fn spec(self, now_ms: i64) -> Result<QuerySpec, Failure> {
        let to_ms = self.to.map_or(Ok(now_ms), |to| instant("to", &to, now_ms))?;
        let from_ms = self
            .from
            .map_or(Ok(to_ms - 3_600_000), |from| instant("from", &from, now_ms))?;
        let width = self.width.unwrap_or(800);
        if !(1..=4_000).contains(&width) {
            return Err(invalid(format!(
                "width: {width} is out of range; allowed are 1 to 4000 pixels"
            )));
        }
        if from_ms >= to_ms {
            return Err(invalid("from: it must be before to".into()));
        }
        let by = self.by.as_deref().unwrap_or_default();
        Ok(QuerySpec {
            query: MetricQuery {
                pipeline: self.pipeline,
                metric: self.metric,
                agg: self.agg.unwrap_or_default(),
                by: by
                    .split(',')
                    .map(str::trim)
                    .filter(|t| !t.is_empty())
                    .map(Into::into)
                    .collect(),
                only: Vec::new(),
            },
            range: TimeRange::Between { from_ms, to_ms },
            shape: Shape::Series { width },
        })
    }
}

fn invalid(detail: String) -> Failure {
    Failure::problem(ProblemKind::InvalidRequest, detail)
}

/// Milliseconds since 1970 of what a person wrote.
fn instant(name: &str, text: &str, now_ms: i64) -> Result<i64, Failure> {
    let parsed = if let Ok(ms) = text.parse::<i64>() {
        Some(ms)
    } else if let Some(rest) = text.strip_prefix("now") {
        back(rest).map(|ms| now_ms - ms)
    } else {
        // A plus sign that was not escaped comes as a space.
        let written = text.replace(' ', "+");
        chrono::DateTime::parse_from_rfc3339(&written)
            .ok()
            .map(|t| t.timestamp_millis())
    };
    let supported = -62_135_596_800_000..253_402_300_800_000;
    parsed.filter(|ms| supported.contains(ms)).ok_or_else(|| {
        invalid(format!(
            "{name}: {text:?} is no time; write RFC 3339 (2026-01-31T12:00:00Z), milliseconds since 1970, now or now-15m"
        ))
    })
}

/// `` or `-15m`, in milliseconds.
fn back(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let text = text.strip_prefix('-')?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<i64>().ok().filter(|n| *n >= 0)?.checked_mul(unit_ms)
}

/// What the answer is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Arrow,
}

const ARROW: &str = "application/vnd.apache.arrow.stream";

impl Form {
    /// The first accepted form that is known.
    fn from_accept(accept: Option<&str>) -> Result<Self, Failure> {
        let accept = accept.unwrap_or("*/*");
        let known = accept
            .split(',')
            .find_map(|part| match part.split(';').next().unwrap_or_default().trim() {
                "application/json" | "*/*" | "application/*" | "" => Some(Self::Json),
                "text/csv" | "text/*" => Some(Self::Csv),
                ARROW => Some(Self::Arrow),
                _ => None,
            });
        known.ok_or_else(|| {
            let detail = format!("Accept: {accept:?} cannot be given; ask for application/json, text/csv or {ARROW}");
            Failure::problem(ProblemKind::NotAcceptable, detail)
        })
    }

    fn render(self, result: &QueryResult) -> Result<Response, ArrowError> {
        let resolution = [(
            "dash-resolution",
            format!("{} {} ms", result.resolution.from.label(), result.resolution.bucket_ms),
        )];
        Ok(match self {
            Self::Json => (resolution, Json(result)).into_response(),
            Self::Csv => {
                let mut text = Vec::new();
                arrow::csv::Writer::new(&mut text).write(&table(result)?)?;
                (resolution, [(header::CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response()
            }
            Self::Arrow => {
                let table = table(result)?;
                let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &table.schema())?;
                writer.write(&table)?;
                (resolution, [(header::CONTENT_TYPE, ARROW)], writer.into_inner()?).into_response()
            }
        })
    }
}

/// A row for each point: time, tags, value. Tags that a series lacks are null.
fn table(result: &QueryResult) -> Result<RecordBatch, ArrowError> {
    let tags: BTreeSet<&String> = result.series.iter().flat_map(|s| s.tags.keys()).collect();
    let points = || result.series.iter().flat_map(|s| s.points.iter().map(move |p| (s, p)));
    let times = TimestampMillisecondArray::from_iter_values(points().map(|(_, p)| p.0)).with_timezone("+00:00");
    let mut columns: Vec<(&str, ArrayRef)> = vec![("time", Arc::new(times))];
    for tag in &tags {
        let values = StringArray::from_iter(points().map(|(s, _)| s.tags.get(*tag)));
        columns.push((tag.as_str(), Arc::new(values)));
    }
    columns.push((
        "value",
        Arc::new(Float64Array::from_iter_values(points().map(|(_, p)| p.1))),
    ));
    RecordBatch::try_from_iter(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = 1_700_000_000_000;
        let read = |text: &str| instant("from", text, now).ok();
        assert_eq!(read("1700000000000"), Some(now));
        assert_eq!(read("now"), Some(now));
        assert_eq!(read("now-15m"), Some(now - 900_000));
        assert_eq!(read("2023-11-14T22:13:20Z"), Some(now));
        assert_eq!(read("2023-11-14T23:13:20 01:00"), Some(now));
        for text in [
            "",
            "yesterday",
            "now-",
            "now-x",
            "now+1m",
            "now-1y",
            "999999999999999999",
            "now-99999999999999999d",
            "now-é",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_first_known_form_is_given() {
        let form = |accept: &str| Form::from_accept(Some(accept)).ok();
        assert_eq!(form("*/*"), Some(Form::Json));
        assert_eq!(form("text/html, text/csv;q=0.9"), Some(Form::Csv));
        assert_eq!(form(ARROW), Some(Form::Arrow));
        assert_eq!(form("image/png"), None);
    }
}
