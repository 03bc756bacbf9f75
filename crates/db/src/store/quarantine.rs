//! Records that wait in quarantine. `dash-metrics` puts them there, in the transaction of the points; here they are read.

use chrono::{DateTime, Utc};
use dash_model::{EventSeq, PipelineId, point::Quarantined};
use diesel::{ExpressionMethods, NullableExpressionMethods, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{micros, read};
use crate::{
    DbError,
    schema::{pipelines, quarantine},
};

/// What the pipeline's active version holds back, newest first.
pub async fn list(conn: &mut AsyncPgConnection, pipeline: PipelineId, limit: i64) -> Result<Vec<Quarantined>, DbError> {
    let active = pipelines::table
        .find(pipeline.0)
        .select(pipelines::active_version_id)
        .single_value();
    let rows: Vec<(i64, DateTime<Utc>, Vec<u8>, serde_json::Value)> = quarantine::table
        .filter(quarantine::pipeline_id.eq(pipeline.0))
        .filter(quarantine::mapping_version_id.nullable().eq(active))
        .order(quarantine::event.desc())
        .limit(limit)
        .select((
            quarantine::event,
            quarantine::received_at,
            quarantine::raw,
            quarantine::reasons,
        ))
        .load(conn)
        .await?;
    let quarantined = rows.into_iter().map(|(event, received_at, raw, reasons)| {
        Ok(Quarantined {
            event: EventSeq(event),
            received_at: micros(received_at),
            raw: raw.into(),
            reasons: read(|| format!("the reasons of event {event}"), reasons)?,
        })
    });
    quarantined.collect()
}
