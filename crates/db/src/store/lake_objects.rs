//! Bronze's manifest: the only list of objects that readers go by.
//!
//! An object is intended before it is put, and committed after, so that a crash between the two ends in the same key. An object holds
//! the events of one pipeline between its first and its last; other pipelines' events may lie between them, in other objects.

use chrono::{DateTime, Utc};
use dash_model::{EventSeq, Micros, OrganizationId, PipelineId};
use diesel::{
    ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Queryable, QueryableByName, Selectable,
    SelectableHelper, dsl::now, pg::Pg, sql_types,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{EventRange, micros};
use crate::{DbError, schema::lake_objects};

/// What is known of an object before it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    pub organization: OrganizationId,
    pub pipeline: PipelineId,
    /// Unique over the whole lake, and the same whenever the same events are written again.
    pub key: String,
    pub first_event: EventSeq,
    pub last_event: EventSeq,
    pub rows: i64,
    /// Bytes of the records as they came.
    pub raw_bytes: i64,
}

/// An object of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeObject {
    pub id: i64,
    pub intent: Intent,
    pub created_at: Micros,
    /// Its size in bytes, once it is committed.
    pub bytes: Option<i64>,
    pub committed_at: Option<Micros>,
}

impl LakeObject {
    pub fn is_committed(&self) -> bool {
        self.committed_at.is_some()
    }
}

/// Sums over the committed objects of a pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LakeSums {
    pub objects: i64,
    pub rows: i64,
    /// Bytes of the objects.
    pub bytes: i64,
    /// Bytes of their records as they came.
    pub raw_bytes: i64,
}

/// Every event of `pipeline` between the two, both included, is in the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedRange {
    pub pipeline: PipelineId,
    pub first_event: EventSeq,
    pub last_event: EventSeq,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = lake_objects, check_for_backend(Pg))]
struct Row {
    id: i64,
    organization_id: Uuid,
    pipeline_id: Uuid,
    key: String,
    first_event: i64,
    last_event: i64,
    rows: i64,
    bytes: Option<i64>,
    raw_bytes: i64,
    created_at: DateTime<Utc>,
    committed_at: Option<DateTime<Utc>>,
}

#[derive(Insertable)]
#[diesel(table_name = lake_objects)]
struct NewRow<'a> {
    organization_id: Uuid,
    pipeline_id: Uuid,
    key: &'a str,
    first_event: i64,
    last_event: i64,
    rows: i64,
    raw_bytes: i64,
    state: &'static str,
}

const INTENDED: &str = "intended";
const COMMITTED: &str = "committed";

/// Registers an object that is about to be put. When its key is there, the object that is there is answered, unchanged: compare it.
pub async fn intend(conn: &mut AsyncPgConnection, intent: &Intent) -> Result<LakeObject, DbError> {
    let new = NewRow {
        organization_id: intent.organization.0,
        pipeline_id: intent.pipeline.0,
        key: &intent.key,
        first_event: intent.first_event.0,
        last_event: intent.last_event.0,
        rows: intent.rows,
        raw_bytes: intent.raw_bytes,
        state: INTENDED,
    };
    let inserted: Option<Row> = diesel::insert_into(lake_objects::table)
        .values(&new)
        .on_conflict(lake_objects::key)
        .do_nothing()
        .returning(Row::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    let row = match inserted {
        Some(row) => row,
        None => {
            let there = lake_objects::table.filter(lake_objects::key.eq(&intent.key));
            there.select(Row::as_select()).first(conn).await?
        }
    };
    Ok(object_of(row))
}

/// The object is in the lake, `bytes` long. False when it was committed before (or is not there at all), which changes nothing.
pub async fn commit(conn: &mut AsyncPgConnection, key: &str, bytes: i64) -> Result<bool, DbError> {
    let intended = lake_objects::table
        .filter(lake_objects::key.eq(key))
        .filter(lake_objects::state.eq(INTENDED));
    let changed = diesel::update(intended)
        .set((
            lake_objects::state.eq(COMMITTED),
            lake_objects::bytes.eq(bytes),
            lake_objects::committed_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// Objects that may or may not have been put, whose first event is in `range`: to be finished after a crash.
pub async fn intended(conn: &mut AsyncPgConnection, range: EventRange) -> Result<Vec<LakeObject>, DbError> {
    let rows: Vec<Row> = lake_objects::table
        .filter(lake_objects::state.eq(INTENDED))
        .filter(lake_objects::first_event.between(range.start().0, range.end().0))
        .order((lake_objects::first_event, lake_objects::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(object_of).collect())
}

/// What the lake has of the events of `range`, by first event: what a spool need not write again.
pub async fn committed_ranges(conn: &mut AsyncPgConnection, range: EventRange) -> Result<Vec<CommittedRange>, DbError> {
    let rows: Vec<(Uuid, i64, i64)> = lake_objects::table
        .filter(lake_objects::state.eq(COMMITTED))
        .filter(lake_objects::last_event.ge(range.start().0))
        .filter(lake_objects::first_event.le(range.end().0))
        .order((lake_objects::first_event, lake_objects::id))
        .select((
            lake_objects::pipeline_id,
            lake_objects::first_event,
            lake_objects::last_event,
        ))
        .load(conn)
        .await?;
    let ranges = rows.into_iter().map(|(pipeline, first, last)| CommittedRange {
        pipeline: PipelineId(pipeline),
        first_event: EventSeq(first),
        last_event: EventSeq(last),
    });
    Ok(ranges.collect())
}

/// Committed objects of `pipeline` that have events of `range`, by first event: the list to read them by.
pub async fn objects(
    conn: &mut AsyncPgConnection,
    pipeline: PipelineId,
    range: EventRange,
) -> Result<Vec<LakeObject>, DbError> {
    let rows: Vec<Row> = lake_objects::table
        .filter(lake_objects::pipeline_id.eq(pipeline.0))
        .filter(lake_objects::state.eq(COMMITTED))
        .filter(lake_objects::first_event.le(range.end().0))
        .filter(lake_objects::last_event.ge(range.start().0))
        .order((lake_objects::first_event, lake_objects::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(object_of).collect())
}

/// The newest `count` committed objects of `pipeline`, by first event.
pub async fn newest(
    conn: &mut AsyncPgConnection,
    pipeline: PipelineId,
    count: i64,
) -> Result<Vec<LakeObject>, DbError> {
    let mut rows: Vec<Row> = lake_objects::table
        .filter(lake_objects::pipeline_id.eq(pipeline.0))
        .filter(lake_objects::state.eq(COMMITTED))
        .order((lake_objects::first_event.desc(), lake_objects::id.desc()))
        .limit(count)
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.reverse();
    Ok(rows.into_iter().map(object_of).collect())
}

/// Sums over the committed objects of `pipeline`.
pub async fn sums(conn: &mut AsyncPgConnection, pipeline: PipelineId) -> Result<LakeSums, DbError> {
    #[derive(QueryableByName)]
    struct Sums {
        #[diesel(sql_type = sql_types::Int8)]
        objects: i64,
        #[diesel(sql_type = sql_types::Int8)]
        rows: i64,
        #[diesel(sql_type = sql_types::Int8)]
        bytes: i64,
        #[diesel(sql_type = sql_types::Int8)]
        raw_bytes: i64,
    }
    // A sum of bigints is numeric, for which diesel would need a crate of its own.
    let sums: Sums = diesel::sql_query(
        "SELECT count(*) AS objects, coalesce(sum(rows), 0)::bigint AS rows, coalesce(sum(bytes), 0)::bigint AS bytes,
                coalesce(sum(raw_bytes), 0)::bigint AS raw_bytes
         FROM lake_objects WHERE pipeline_id = $1 AND state = 'committed'",
    )
    .bind::<sql_types::Uuid, _>(pipeline.0)
    .get_result(conn)
    .await?;
    Ok(LakeSums {
        objects: sums.objects,
        rows: sums.rows,
        bytes: sums.bytes,
        raw_bytes: sums.raw_bytes,
    })
}

fn object_of(row: Row) -> LakeObject {
    LakeObject {
        id: row.id,
        intent: Intent {
            organization: OrganizationId(row.organization_id),
            pipeline: PipelineId(row.pipeline_id),
            key: row.key,
            first_event: EventSeq(row.first_event),
            last_event: EventSeq(row.last_event),
            rows: row.rows,
            raw_bytes: row.raw_bytes,
        },
        created_at: micros(row.created_at),
        bytes: row.bytes,
        committed_at: row.committed_at.map(micros),
    }
}
