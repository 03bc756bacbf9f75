//! Which series a question is about, and which of them make one line.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
    ops::Range,
};

use chrono::{DateTime, Utc};
use dash_model::{MappingVersionId, mapping::Tags, order, query::MetricQuery};
use deadpool_postgres::{GenericClient, Transaction};
use tokio_postgres::types::ToSql;

use crate::{DatabaseError, timestamp};

/// Series that are aggregated over together.
pub struct Group {
    /// The tags of `by` that these series have.
    pub tags: Tags,
    pub series: Vec<i64>,
}

/// Groups in the order in which they are shown.
pub async fn select(
    tx: &Transaction<'_>,
    version: MappingVersionId,
    query: &MetricQuery,
) -> Result<Vec<Group>, DatabaseError> {
    let by: Vec<&String> = query.by.iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&version.0, &query.metric];
    let mut columns = String::new();
    let mut conditions = String::new();
    // Writing to a string does not fail.
    for tag in &by {
        parameters.push(*tag);
        let _ = write!(columns, ", tags ->> ${}::text", parameters.len());
    }
    for filter in &query.only {
        parameters.push(&filter.tag);
        let tag = parameters.len();
        parameters.push(&filter.values);
        let _ = write!(conditions, " AND tags ->> ${tag}::text = ANY(${}::text[])", tag + 1);
    }
    let grouping = match by.len() {
        0 => "HAVING count(*) > 0".to_owned(),
        n => format!(
            "GROUP BY {}",
            (2..n + 2).map(|i| i.to_string()).collect::<Vec<_>>().join(", ")
        ),
    };
    let sql = format!(
        "SELECT array_agg(id ORDER BY id){columns} FROM series
        WHERE mapping_version_id = $1 AND metric = $2{conditions} {grouping}"
    );
    let rows = tx.query(&tx.prepare_cached(&sql).await?, &parameters).await?;
    let mut groups: Vec<Group> = rows
        .iter()
        .map(|row| {
            let tags = by
                .iter()
                .zip(1..)
                .filter_map(|(tag, i)| Some(((*tag).clone(), row.get::<_, Option<_>>(i)?)));
            Group {
                tags: tags.collect(),
                series: row.get(0),
            }
        })
        .collect();
    groups.sort_by(|a, b| order::groups(&a.tags, &b.tags));
    Ok(groups)
}

/// Series numbers, and beside each the place of its group.
pub fn columns(groups: &[Group]) -> (Vec<i64>, Vec<i32>) {
    let places = (0_i32..).zip(groups);
    places
        .flat_map(|(place, group)| group.series.iter().map(move |id| (*id, place)))
        .unzip()
}

/// The times of the first and the last point, in microseconds.
pub async fn bounds(tx: &Transaction<'_>, groups: &[Group]) -> Result<Option<(i64, i64)>, DatabaseError> {
    let (ids, _) = columns(groups);
    let sql = "SELECT min(f.time), max(l.time) FROM unnest($1::bigint[]) AS s (id)
        CROSS JOIN LATERAL (SELECT time FROM metrics m WHERE m.series_id = s.id ORDER BY time LIMIT 1) f
        CROSS JOIN LATERAL (SELECT time FROM metrics m WHERE m.series_id = s.id ORDER BY time DESC LIMIT 1) l";
    let row = tx.query_one(&tx.prepare_cached(sql).await?, &[&ids]).await?;
    let micros = |i| row.get::<_, Option<DateTime<Utc>>>(i).map(|t| t.timestamp_micros());
    Ok(micros(0).zip(micros(1)))
}

/// When there are more groups than an answer holds: those with the newest points within `range`, and how many others have
/// points in it.
pub async fn newest(
    tx: &Transaction<'_>,
    groups: Vec<Group>,
    range: &Range<i64>,
) -> Result<(Vec<Group>, u32), DatabaseError> {
    if groups.len() <= super::GROUPS {
        return Ok((groups, 0));
    }
    let (ids, places) = columns(&groups);
    let sql = "SELECT s.place, max(l.time) FROM unnest($1::bigint[], $2::int[]) AS s (id, place)
        CROSS JOIN LATERAL (
            SELECT time FROM metrics m WHERE m.series_id = s.id AND m.time >= $3 AND m.time < $4
            ORDER BY time DESC LIMIT 1) l
        GROUP BY 1";
    let rows = tx
        .query(
            &tx.prepare_cached(sql).await?,
            &[&ids, &places, &timestamp(range.start), &timestamp(range.end)],
        )
        .await?;
    let newest: HashMap<i32, DateTime<Utc>> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    let mut with_points: Vec<(DateTime<Utc>, Group)> = (0..)
        .zip(groups)
        .filter_map(|(place, group)| Some((*newest.get(&place)?, group)))
        .collect();
    // Stable, so that of groups equally new the first by tags stay.
    with_points.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let omitted = with_points.len().saturating_sub(super::GROUPS);
    with_points.truncate(super::GROUPS);
    let mut kept: Vec<Group> = with_points.into_iter().map(|(_, group)| group).collect();
    kept.sort_by(|a, b| order::groups(&a.tags, &b.tags));
    Ok((kept, u32::try_from(omitted).unwrap_or(u32::MAX)))
}
