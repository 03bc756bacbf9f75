//! `GET /api/v1/openapi.json`, generated from the handlers.

use axum::Json;
use serde::Serialize;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{
        OpenApi as Document,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(title = "Dash", description = "Events in, metrics out. Errors are application/problem+json with a stable type."),
    modifiers(&SecuritySchemes),
    components(schemas(ReceiptBody, ProblemBody, StatsBody, QueryBody))
)]
struct Head;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        for (name, meaning) in [
            (
                "ingest_key",
                "A key of the pipeline, or an API key that may send events",
            ),
            ("api_key", "An API key that may read"),
        ] {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(meaning))
                .build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// Everything but the paths, which come from the router.
pub fn document() -> Document {
    Head::openapi()
}

pub async fn serve(document: Document) -> Json<Document> {
    Json(document)
}

// The wire types know no OpenAPI, since the browser compiles them too. These say what they look like; a test holds them to it.

/// What a posted body is answered with.
#[derive(Serialize, ToSchema)]
#[schema(as = Receipt)]
pub struct ReceiptBody {
    /// Names the batch: the sequence of its first event, as text.
    batch: String,
    accepted: u32,
    /// The first 100.
    rejected: Vec<RejectionBody>,
    rejected_total: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Rejection)]
pub struct RejectionBody {
    /// The record's place in the body, from 0.
    index: u32,
    reason: String,
}

/// RFC 9457. Some types have members of their own.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Stable; decide by it.
    r#type: String,
    title: String,
    status: u16,
    /// What was found, and the remedy.
    detail: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PipelineStats)]
pub struct StatsBody {
    received: u64,
    accepted: u64,
    rejected: u64,
    mapped: u64,
    filtered: u64,
    quarantined: u64,
    /// Accepted, on their way.
    pending: u64,
    silver_points: u64,
    series: u64,
    bronze_rows: u64,
    bronze_bytes: u64,
    raw_bytes: u64,
    bronze_objects: u64,
    events_per_second: f64,
    lag: LagBody,
    /// Microseconds since 1970.
    last_event_at: Option<i64>,
}

/// Age in milliseconds of the oldest event that a stage has still to do.
#[derive(Serialize, ToSchema)]
#[schema(as = Lag)]
pub struct LagBody {
    silver_ms: u64,
    bronze_ms: u64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = QueryResult)]
pub struct QueryBody {
    resolution: ResolutionBody,
    from_ms: i64,
    to_ms: i64,
    series: Vec<SeriesBody>,
    omitted_series: u32,
    unit: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Resolution)]
pub struct ResolutionBody {
    /// 0 for points as they were written.
    bucket_ms: i64,
    /// raw, 1m, 1h or 1d.
    from: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Series)]
pub struct SeriesBody {
    tags: std::collections::BTreeMap<String, String>,
    /// [milliseconds since 1970, value]
    points: Vec<(i64, f64)>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dash_model::{query, receipt, stats};
    use serde_json::{Value, json};

    use super::*;

    /// Names of all members, nested ones with dots.
    fn members(value: &Value, prefix: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    into.insert(format!("{prefix}{key}"));
                    members(value, &format!("{prefix}{key}."), into);
                }
            }
            Value::Array(items) => items.iter().for_each(|v| members(v, prefix, into)),
            _ => {}
        }
    }

    fn schema_members(name: &str) -> BTreeSet<String> {
        let document = serde_json::to_value(document()).expect("document");
        let schemas = &document["components"]["schemas"];
        fn walk(schemas: &Value, schema: &Value, prefix: &str, into: &mut BTreeSet<String>) {
            if let Some(reference) = schema["$ref"].as_str() {
                let name = reference.rsplit('/').next().expect("name");
                return walk(schemas, &schemas[name], prefix, into);
            }
            if schema["type"] == "array" {
                return walk(schemas, &schema["items"], prefix, into);
            }
            for (key, value) in schema["properties"].as_object().into_iter().flatten() {
                into.insert(format!("{prefix}{key}"));
                walk(schemas, value, &format!("{prefix}{key}."), into);
            }
        }
        let mut found = BTreeSet::new();
        walk(schemas, &schemas[name], "", &mut found);
        found
    }

    #[test]
    fn the_document_says_what_the_types_look_like() {
        let receipt = receipt::Receipt {
            batch: dash_model::EventSeq(1),
            accepted: 1,
            rejected: vec![receipt::Rejection {
                index: 0,
                reason: String::new(),
            }],
            rejected_total: 1,
        };
        let result: query::QueryResult = serde_json::from_value(json!({
            "resolution": {"bucket_ms": 0, "from": "raw"}, "from_ms": 0, "to_ms": 1,
            "series": [{"tags": {}, "points": [[1, 2.0]]}], "omitted_series": 0, "unit": null,
        }))
        .expect("result");
        for (name, value) in [
            ("Receipt", serde_json::to_value(receipt).expect("json")),
            (
                "PipelineStats",
                serde_json::to_value(stats::PipelineStats::default()).expect("json"),
            ),
            ("QueryResult", serde_json::to_value(result).expect("json")),
        ] {
            let mut real = BTreeSet::new();
            members(&value, "", &mut real);
            assert_eq!(schema_members(name), real, "{name}");
        }
    }
}
