//! Points and quarantine, as streams by rising event.

use std::collections::HashMap;

use anyhow::Context;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio_postgres::Client;

use crate::{
    audit::{Difference, Findings, Held, Metric, Point},
    event::{self, Producer},
};

/// What each number in the dictionary stands for.
type Series = HashMap<i64, (Metric, Producer)>;

/// The dictionary. A series of another metric or with other tags than the mapping makes is a finding, and so is one that is there twice.
pub async fn series(client: &Client, found: &mut Findings) -> anyhow::Result<Series> {
    let sql = "SELECT id, metric, tags->>'producer', (SELECT count(*) FROM jsonb_object_keys(tags)) FROM series";
    let mut known = HashMap::new();
    for row in client.query(sql, &[]).await? {
        let (id, metric, tag, tags): (i64, String, Option<String>, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let metric = match metric.as_str() {
            "id" => Some(Metric::Id),
            "mix" => Some(Metric::Mix),
            _ => None,
        };
        let producer = tag.as_deref().and_then(event::producer).filter(|_| tags == 1);
        match metric.zip(producer) {
            Some(named) if !known.values().any(|other| *other == named) => {
                known.insert(id, named);
            }
            named => found.add(Difference::PointForeign, || {
                format!("series {id}, {named:?} with {tags} tags")
            }),
        }
    }
    Ok(known)
}

/// Points of events behind `watermark`.
pub async fn points(
    client: &Client,
    watermark: i64,
    series: Series,
) -> anyhow::Result<impl Stream<Item = anyhow::Result<Point>> + use<>> {
    let sql = "SELECT event, series_id, value, (extract(epoch FROM time) * 1000000)::bigint
        FROM metrics WHERE event > $1 ORDER BY event, series_id";
    let rows = client.query_raw(sql, [watermark]).await?;
    Ok(rows.map(move |row| {
        let row = row?;
        let (event, id): (i64, i64) = (row.get(0), row.get(1));
        let (metric, producer) = series
            .get(&id)
            .with_context(|| format!("a point of event {event} has series {id}"))?;
        Ok(Point {
            event,
            metric: *metric,
            producer: *producer,
            value: row.get(2),
            at_us: row.get(3),
        })
    }))
}

/// The quarantine behind `watermark`.
pub async fn held(client: &Client, watermark: i64) -> anyhow::Result<impl Stream<Item = anyhow::Result<Held>> + use<>> {
    let sql = "SELECT event, raw FROM quarantine WHERE event > $1 ORDER BY event";
    let rows = client.query_raw(sql, [watermark]).await?;
    Ok(rows.map(|row| {
        let row = row?;
        Ok(Held {
            event: row.get(0),
            raw: Bytes::from(row.get::<_, Vec<u8>>(1)),
        })
    }))
}
