//! What is done in Silver. `dash-metrics` writes the ledger, in the transaction of the points; here it is read.

use chrono::{DateTime, Utc};
use dash_model::{EventSeq, MappingVersionId, Micros, PipelineId};
use diesel::{
    ExpressionMethods, NullableExpressionMethods, OptionalExtension, QueryDsl, Queryable, Selectable, SelectableHelper,
    dsl::max, pg::Pg,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{EventRange, micros, range_of_node};
use crate::{
    DbError,
    schema::{lake_objects, ledger, pipelines, totals},
};

/// Sums over the ledger of one mapping version. events = mapped + filtered + quarantined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub batches: i64,
    pub events: i64,
    pub rejected: i64,
    pub mapped: i64,
    pub filtered: i64,
    pub quarantined: i64,
    pub points: i64,
    pub last_event_at: Option<Micros>,
}

/// Every event of `pipeline` between the two, both included, is done for `version`. Other pipelines' events may lie between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoveredRange {
    pub version: MappingVersionId,
    pub pipeline: PipelineId,
    pub first_event: EventSeq,
    pub last_event: EventSeq,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = totals, check_for_backend(Pg))]
struct TotalsRow {
    batches: i64,
    events: i64,
    rejected: i64,
    mapped: i64,
    filtered: i64,
    quarantined: i64,
    points: i64,
    last_event_at: Option<DateTime<Utc>>,
}

/// The sums of the pipeline's active version; zeros before its first batch.
pub async fn totals(conn: &mut AsyncPgConnection, pipeline: PipelineId) -> Result<Totals, DbError> {
    let row: Option<TotalsRow> = totals::table
        .inner_join(pipelines::table)
        .filter(pipelines::id.eq(pipeline.0))
        .filter(pipelines::active_version_id.eq(totals::mapping_version_id.nullable()))
        .select(TotalsRow::as_select())
        .first(conn)
        .await
        .optional()?;
    Ok(row.map_or_else(Totals::default, |t| Totals {
        batches: t.batches,
        events: t.events,
        rejected: t.rejected,
        mapped: t.mapped,
        filtered: t.filtered,
        quarantined: t.quarantined,
        points: t.points,
        last_event_at: t.last_event_at.map(micros),
    }))
}

/// The highest event of `node` that Silver or Bronze knows of: a spool that was lost goes on behind it.
pub async fn max_event(conn: &mut AsyncPgConnection, node: u8) -> Result<Option<EventSeq>, DbError> {
    let range = range_of_node(node);
    let (first, last) = (range.start().0, range.end().0);
    let silver: Option<i64> = ledger::table
        .filter(ledger::last_event.between(first, last))
        .select(max(ledger::last_event))
        .first(conn)
        .await?;
    let bronze: Option<i64> = lake_objects::table
        .filter(lake_objects::last_event.between(first, last))
        .select(max(lake_objects::last_event))
        .first(conn)
        .await?;
    Ok(silver.max(bronze).map(EventSeq))
}

/// What Silver has of the events of `range`, of every mapping version, by version and first event: what need not be done again.
pub async fn covered(conn: &mut AsyncPgConnection, range: EventRange) -> Result<Vec<CoveredRange>, DbError> {
    let rows: Vec<(i64, Uuid, i64, i64)> = ledger::table
        .filter(ledger::last_event.ge(range.start().0))
        .filter(ledger::first_event.le(range.end().0))
        .order((ledger::mapping_version_id, ledger::first_event))
        .select((
            ledger::mapping_version_id,
            ledger::pipeline_id,
            ledger::first_event,
            ledger::last_event,
        ))
        .load(conn)
        .await?;
    let ranges = rows.into_iter().map(|(version, pipeline, first, last)| CoveredRange {
        version: MappingVersionId(version),
        pipeline: PipelineId(pipeline),
        first_event: EventSeq(first),
        last_event: EventSeq(last),
    });
    Ok(ranges.collect())
}
