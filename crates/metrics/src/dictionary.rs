//! The dictionary of series: metric and tags of a mapping version to a number.

use std::collections::{BTreeMap, HashMap};

use dash_model::{MappingVersionId, mapping::Tags, point::SeriesKey};
use deadpool_postgres::{Client, GenericClient};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio_postgres::types::Json;

use crate::{DatabaseError, WriteSet, lock};

/// Numbers that this process has seen, by version.
#[derive(Default)]
pub struct Dictionary {
    known: Mutex<HashMap<MappingVersionId, HashMap<SeriesKey, i64>>>,
}

/// What the database knows a series by.
type StoredKey = (String, Vec<u8>);

impl Dictionary {
    /// The number of each series of `set`; None where the version has `limit` series already. New series are committed
    /// before this returns: whoever writes points of them, the number stays.
    pub async fn resolve(
        &self,
        client: &mut Client,
        set: &WriteSet,
        limit: u32,
    ) -> Result<Vec<Option<i64>>, DatabaseError> {
        let mut ids = self.look_up(set);
        let missing: Vec<usize> = (0..ids.len()).filter(|&i| ids[i].is_none()).collect();
        if missing.is_empty() {
            return Ok(ids);
        }
        // In the order of first appearance, for the limit; equal once stored may be several here.
        let mut order = Vec::new();
        let mut wanted: BTreeMap<StoredKey, (Tags, Vec<usize>)> = BTreeMap::new();
        for i in missing {
            let key = &set.series[i];
            let tags = storable(&key.tags);
            let stored = (without_nul(&key.metric), hash(&tags));
            let (_, places) = wanted.entry(stored.clone()).or_insert_with(|| {
                order.push(stored);
                (tags, Vec::new())
            });
            places.push(i);
        }
        let mut found = select(client, set.version, &order).await?;
        let new: Vec<StoredKey> = order.into_iter().filter(|key| !found.contains_key(key)).collect();
        if !new.is_empty() {
            found.extend(insert(client, set, new, &wanted, limit).await?);
        }
        let mut known = self.known.lock();
        let of_version = known.entry(set.version).or_default();
        for (stored, (_, places)) in wanted {
            if let Some(&id) = found.get(&stored) {
                for i in places {
                    ids[i] = Some(id);
                    of_version.insert(set.series[i].clone(), id);
                }
            }
        }
        Ok(ids)
    }

    fn look_up(&self, set: &WriteSet) -> Vec<Option<i64>> {
        let known = self.known.lock();
        let of_version = known.get(&set.version);
        set.series
            .iter()
            .map(|key| of_version.and_then(|v| v.get(key).copied()))
            .collect()
    }
}

async fn select(
    client: &impl GenericClient,
    version: MappingVersionId,
    keys: &[StoredKey],
) -> Result<HashMap<StoredKey, i64>, DatabaseError> {
    let (metrics, hashes): (Vec<&str>, Vec<&[u8]>) = keys.iter().map(|(m, h)| (m.as_str(), h.as_slice())).unzip();
    let sql = "SELECT s.metric, s.tags_hash, s.id
        FROM unnest($2::text[], $3::bytea[]) AS k (metric, tags_hash)
        JOIN series s ON s.mapping_version_id = $1 AND s.metric = k.metric AND s.tags_hash = k.tags_hash";
    let rows = client.query(sql, &[&version.0, &metrics, &hashes]).await?;
    Ok(rows.iter().map(|r| ((r.get(0), r.get(1)), r.get(2))).collect())
}

/// Adds as many of `new` as fit. One writer at a time per version, so that the limit holds.
async fn insert(
    client: &mut Client,
    set: &WriteSet,
    new: Vec<StoredKey>,
    wanted: &BTreeMap<StoredKey, (Tags, Vec<usize>)>,
    limit: u32,
) -> Result<HashMap<StoredKey, i64>, DatabaseError> {
    let tx = client.transaction().await?;
    lock::in_transaction(&tx, lock::SERIES, set.version.0).await?;
    let count: i64 = tx
        .query_one(
            "SELECT count(*) FROM series WHERE mapping_version_id = $1",
            &[&set.version.0],
        )
        .await?
        .get(0);
    // Another writer may have added some while this one waited.
    let mut found = select(&tx, set.version, &new).await?;
    let room = usize::try_from(i64::from(limit) - count).unwrap_or(0);
    let fit: Vec<&StoredKey> = new.iter().filter(|key| !found.contains_key(*key)).take(room).collect();
    if !fit.is_empty() {
        let metrics: Vec<&str> = fit.iter().map(|(metric, _)| metric.as_str()).collect();
        let hashes: Vec<&[u8]> = fit.iter().map(|(_, hash)| hash.as_slice()).collect();
        let tags: Vec<Json<&Tags>> = fit.iter().map(|key| Json(&wanted[*key].0)).collect();
        let sql = "INSERT INTO series (organization_id, pipeline_id, mapping_version_id, metric, tags, tags_hash)
            SELECT $1, $2, $3, metric, tags, tags_hash
            FROM unnest($4::text[], $5::jsonb[], $6::bytea[]) AS n (metric, tags, tags_hash)
            RETURNING metric, tags_hash, id";
        let rows = tx
            .query(
                sql,
                &[
                    &set.organization.0,
                    &set.pipeline.0,
                    &set.version.0,
                    &metrics,
                    &tags,
                    &hashes,
                ],
            )
            .await?;
        found.extend(rows.iter().map(|r| ((r.get(0), r.get(1)), r.get(2))));
    }
    tx.commit().await?;
    Ok(found)
}

/// SHA-256 of the tags as JSON with sorted names and no white space.
fn hash(tags: &Tags) -> Vec<u8> {
    let text = serde_json::to_vec(tags).expect("a map of strings is JSON");
    Sha256::digest(text).to_vec()
}

/// PostgreSQL stores no NUL in text: U+FFFD stands for it.
fn storable(tags: &Tags) -> Tags {
    tags.iter()
        .map(|(name, value)| (without_nul(name), without_nul(value)))
        .collect()
}

pub fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
