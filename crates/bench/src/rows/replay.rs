//! Bronze through a mapping again: objects are read, mapped, and (in the second line) written as points of a shadow version.

use anyhow::ensure;
use bytes::Bytes;
use dash_ingest::Format;
use dash_lake::{ALL_EVENTS, LakeObject, LakeRow, Location};
use dash_metrics::{Engine, WriteSet};
use dash_model::{BatchId, DEFAULT_ORGANIZATION, MappingVersionId, Micros, record::RecordSet};
use dash_transform::{Input, Plan, Transformed};
use futures::TryStreamExt;
use std::{sync::Arc, time::Instant};

use crate::{
    context::Context,
    data::{
        bronze::{self, BATCH},
        cpu::Pinned,
        device::{self, Fleet},
        mapper::map_row_by_row,
        postgres::{Database, Postgres},
    },
    row::{Better, Durability, Goal, Reference, Row},
};

const EVENTS: usize = 1_000_000;
/// Points of an event.
const POINTS: usize = device::METRICS.len();
const GOAL: Option<Goal> = Some(Goal::Figure(1_000_000.0));

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let dir = ctx.scratch("replay")?;
    let lines = Bytes::from(Fleet::new(1_000, 1_790_000_000_000).lines(EVENTS));
    let bodies = bronze::bodies(&lines, BATCH);
    let sets: Vec<RecordSet> = bodies
        .iter()
        .map(|body| bronze::decode(body, Format::Ndjson, None))
        .collect::<anyhow::Result<_>>()?;
    let lake = bronze::write(Location::Directory(dir.path().to_owned()), sets).await?;
    let objects: Vec<LakeObject> = lake
        .manifest
        .objects()
        .into_iter()
        .map(|(intent, bytes)| LakeObject {
            key: intent.key,
            first_event: intent.first_event,
            last_event: intent.last_event,
            bytes: bytes.unwrap_or_default(),
        })
        .collect();
    drop((bodies, lines));
    let plan = Arc::new(Plan::compile(&device::mapping()?)?);

    let postgres = Postgres::start(ctx, "replay-db").await?;
    let database = match postgres.database("replay_timescale", Engine::Auto).await? {
        Some(database) => Some(database),
        None => postgres.database("replay_plain", Engine::Plain).await?,
    };
    let database = database.ok_or_else(|| anyhow::anyhow!("there is no database"))?;

    let (mut mapped, mut plain, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for run in 0..ctx.runs {
        ctx.say(&format!("run {}", run + 1));
        {
            let _core = Pinned::subject()?;
            mapped.push(rate(&lake.store, &objects, |inputs| Ok(plan.run(inputs)?.points.len())).await?);
            plain.push(rate(&lake.store, &objects, |inputs| Ok(map_row_by_row(inputs)?.1.len())).await?);
        }
        let number = i32::try_from(run)? + 2;
        let version = database.new_version(number).await?;
        let begun = Instant::now();
        {
            let _core = Pinned::load()?;
            let replayed = into_silver(&lake.store, &objects, &plan, &database, version).await?;
            ensure!(replayed == EVENTS, "{replayed} of {EVENTS} events were replayed");
        }
        // Two cores were at work: PostgreSQL's and the one that mapped.
        written.push(EVENTS as f64 / begun.elapsed().as_secs_f64() / 2.0);
        let (points, _) = database.sum().await?;
        ensure!(
            points == (EVENTS * POINTS) as i64,
            "Silver has {points} of {} points",
            EVENTS * POINTS
        );
        database.empty().await?;
    }

    let note = format!(
        "{EVENTS} events of 1,000 devices in {} objects of Parquet in a directory, {:.3} of their JSON; two points an event",
        lake.objects,
        lake.bytes as f64 / lake.raw_bytes as f64
    );
    let left_out = vec!["an object store behind a network; files are in the page cache after the first run".into()];
    Ok(vec![
        Row {
            row: "replay",
            what: "from Bronze to points on one core".into(),
            unit: "events/s",
            better: Better::Higher,
            durability: Durability::None,
            runs: mapped,
            reference: Some(Reference {
                what: "the same objects, mapped record by record".into(),
                durability: Durability::None,
                runs: plain,
            }),
            goal: GOAL,
            notes: vec![
                note.clone(),
                "a row group (up to 32,768 events) at a time: read, decoded, mapped".into(),
            ],
            left_out: left_out.clone(),
        },
        Row {
            row: "replay",
            what: "from Bronze into series of a shadow version, a core".into(),
            unit: "events/s",
            better: Better::Higher,
            durability: Durability::D2,
            runs: written,
            reference: None,
            goal: GOAL,
            notes: vec![
                note,
                format!(
                    "Silver::write into {}, fsync on, a transaction for each row group, the next is mapped meanwhile; PostgreSQL on one core, the rest on another, the figure is divided by both",
                    database.engine()
                ),
            ],
            left_out,
        },
    ])
}

/// The batches that these rows are of.
fn batches(rows: &[LakeRow]) -> Vec<(BatchId, Micros, RecordSet)> {
    rows.chunk_by(|a, b| a.batch == b.batch)
        .map(|rows| {
            // A row group may begin within a batch.
            let records = rows.iter().map(|row| &*row.raw).collect();
            (rows[0].event, rows[0].received_at, records)
        })
        .collect()
}

fn inputs(batches: &[(BatchId, Micros, RecordSet)]) -> Vec<Input<'_>> {
    batches
        .iter()
        .map(|(first, received_at, records)| Input {
            first: *first,
            received_at: *received_at,
            records,
        })
        .collect()
}

/// Events a second from the first object to the last point; `map` answers how many points it made.
async fn rate(
    store: &dash_lake::Store,
    objects: &[LakeObject],
    map: impl Fn(&[Input<'_>]) -> anyhow::Result<usize>,
) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let (mut events, mut points) = (0, 0);
    let mut rows = std::pin::pin!(dash_lake::replay(store.clone(), objects.to_vec(), ALL_EVENTS));
    while let Some(rows) = rows.try_next().await? {
        let batches = batches(&rows);
        points += map(&inputs(&batches))?;
        events += rows.len();
    }
    ensure!(
        events == EVENTS && points == EVENTS * POINTS,
        "{points} points of {events} events"
    );
    Ok(events as f64 / begun.elapsed().as_secs_f64())
}

/// Answers how many events were replayed.
async fn into_silver(
    store: &dash_lake::Store,
    objects: &[LakeObject],
    plan: &Arc<Plan>,
    database: &Database,
    version: MappingVersionId,
) -> anyhow::Result<usize> {
    let mut rows = std::pin::pin!(dash_lake::replay(store.clone(), objects.to_vec(), ALL_EVENTS));
    let mut events = 0;
    let mut writing: Option<tokio::task::JoinHandle<Result<_, dash_metrics::WriteError>>> = None;
    while let Some(rows) = rows.try_next().await? {
        events += rows.len();
        let plan = plan.clone();
        let mapping = tokio::task::spawn_blocking(move || {
            let batches = batches(&rows);
            let mapped = plan.run(&inputs(&batches))?;
            anyhow::Ok((rows, batches.len(), mapped))
        });
        let (rows, batches, mapped) = mapping.await??;
        if let Some(before) = writing.take() {
            before.await??;
        }
        let set = set(database, version, &rows, batches, mapped)?;
        let silver = database.silver.clone();
        writing = Some(tokio::spawn(async move { silver.write(vec![set]).await }));
    }
    if let Some(last) = writing {
        last.await??;
    }
    Ok(events)
}

fn set(
    database: &Database,
    version: MappingVersionId,
    rows: &[LakeRow],
    batches: usize,
    mapped: Transformed,
) -> anyhow::Result<WriteSet> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        anyhow::bail!("a row group has no rows");
    };
    Ok(WriteSet {
        organization: DEFAULT_ORGANIZATION,
        pipeline: database.pipeline,
        version,
        first_event: first.event,
        last_event: last.event,
        batches: u32::try_from(batches)?,
        events: u32::try_from(rows.len())?,
        rejected: 0,
        mapped: mapped.mapped,
        filtered: mapped.filtered,
        last_event_at: last.received_at,
        series: mapped.series,
        points: mapped.points,
        quarantined: mapped.quarantined,
        answered: Vec::new(),
        records: None,
    })
}
