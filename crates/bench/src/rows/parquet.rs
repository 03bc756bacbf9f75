//! JSON to Parquet on one core: the way to Bronze, and the typed way, beside duckdb and chdb with the same lines.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use dash_ingest::Format;
use dash_lake::{LakeRow, codec};
use dash_model::{EventSeq, record::RecordSet};
use dash_transform::{Input, Plan};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use serde::Deserialize;

use crate::{
    context::Context,
    data::{
        bronze,
        cpu::Pinned,
        device::{self, Fleet},
        foreign,
    },
    row::{Better, Durability, Goal, Reference, Row},
};

const EVENTS: usize = 1_000_000;
const DEVICES: usize = 1_000;
/// Raw bytes of an object, as the lake's writer has it.
const OBJECT: usize = 16 << 20;
/// Raw bytes that are mapped at once, as the server has it.
const PASS: usize = 8 << 20;
const GOAL: Option<Goal> = Some(Goal::Figure(200.0));

/// Engines that are asked for, by the name of their package.
const ENGINES: [&str; 2] = ["duckdb", "chdb"];

/// What an engine says.
#[derive(Deserialize)]
struct Answer {
    version: String,
    seconds: f64,
    rows: usize,
    sum: f64,
}

/// The figures of one engine, in MB/s.
#[derive(Default)]
struct Engine {
    version: String,
    runs: Vec<f64>,
    bytes: u64,
}

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let dir = ctx.scratch("parquet")?;
    let source = dir.path().join("events.ndjson");
    fs::write(&source, Fleet::new(DEVICES, 1_790_000_000_000).lines(EVENTS))?;
    let megabytes = fs::metadata(&source)?.len() as f64 / 1e6;
    let plan = Plan::compile(&device::whole_mapping()?)?;

    let _core = Pinned::subject()?;
    let found: Vec<&str> = ENGINES.into_iter().filter(|name| foreign::has_package(name)).collect();
    let mut engines: Vec<Engine> = found.iter().map(|_| Engine::default()).collect();
    let (mut to_bronze, mut typed) = (Vec::new(), Vec::new());
    let (mut bronze_bytes, mut typed_bytes) = (0, 0);
    for run in 0..ctx.runs {
        ctx.say(&format!("run {}: Dash, {}", run + 1, found.join(", ")));
        let begun = Instant::now();
        let objects = write_bronze(&source, dir.path())?;
        to_bronze.push(megabytes / begun.elapsed().as_secs_f64());
        let target = dir.path().join("typed.parquet");
        let begun = Instant::now();
        write_typed(&plan, &source, &target)?;
        typed.push(megabytes / begun.elapsed().as_secs_f64());

        bronze_bytes = check_bronze(&objects)?;
        typed_bytes = fs::metadata(&target)?.len();
        let sum = check_typed(&target)?;
        for (name, engine) in found.iter().zip(&mut engines) {
            let target = dir.path().join(format!("{name}.parquet"));
            let answer = ask(ctx, name, &source, &target)?;
            ensure!(answer.rows == EVENTS, "{name} wrote {} of {EVENTS} rows", answer.rows);
            ensure!(
                (answer.sum - sum).abs() < 1e-3,
                "{name} has a sum of {}, Dash of {sum}",
                answer.sum
            );
            engine.runs.push(megabytes / answer.seconds);
            engine.version = answer.version;
            engine.bytes = fs::metadata(&target)?.len();
        }
    }

    let share = |bytes: u64| bytes as f64 / 1e6 / megabytes;
    let ways = [
        ("JSON to Bronze", to_bronze, share(bronze_bytes), TO_BRONZE),
        ("JSON to Arrow to Parquet", typed, share(typed_bytes), TYPED),
    ];
    let mut rows = Vec::new();
    for (what, runs, own, does) in ways {
        for name in ENGINES {
            let engine = found.iter().position(|f| *f == name).map(|i| &engines[i]);
            let mut notes = vec![does.to_owned(), format!("the file has {own:.3} of the raw bytes")];
            match engine {
                Some(e) => notes.push(format!(
                    "{name} {}: reads the same file into the same columns, typed, keeps no payload, one thread; its file has {:.3} of the raw bytes",
                    e.version,
                    share(e.bytes)
                )),
                None => notes.push(format!("{name} is not installed: no reference; `scripts/setup bench` installs it")),
            }
            rows.push(Row {
                row: "parquet",
                what: format!("{what}, zstd, one core"),
                unit: "MB/s",
                better: Better::Higher,
                durability: Durability::D1,
                runs: runs.clone(),
                reference: engine.map(|e| Reference {
                    what: format!("{name}, NDJSON to Parquet zstd, one thread"),
                    durability: Durability::D1,
                    runs: e.runs.clone(),
                }),
                goal: GOAL,
                notes,
                left_out: vec![
                    "HTTP, spool and flush to disk: from a file in memory to files, everything on one core; megabytes are of raw JSON".into(),
                ],
            });
        }
    }
    Ok(rows)
}

const TO_BRONZE: &str = "every record checked as JSON within its limits and kept byte for byte (payload, time, sequence, request), not typed; objects of 16 MiB raw";
const TYPED: &str = "every record checked, then all 11 fields read into typed columns by the mapping's decoder, written as one file; no payload kept";

/// As the lake writes it, but with plain files for its store. Answers the objects.
fn write_bronze(source: &Path, dir: &Path) -> anyhow::Result<Vec<Bytes>> {
    let lines = Bytes::from(fs::read(source)?);
    let meta: Arc<str> = String::from_utf8_lossy(bronze::META).into();
    let (mut rows, mut bytes, mut next) = (Vec::new(), 0, EventSeq(1 << EventSeq::COUNTER_BITS));
    let mut objects = Vec::new();
    let bodies = bronze::bodies(&lines, bronze::BATCH);
    for (number, body) in bodies.iter().enumerate() {
        let records = bronze::decode(body, Format::Ndjson, None)?;
        rows.extend(records.iter().enumerate().map(|(row, raw)| LakeRow {
            event: next.offset(row),
            batch: next,
            received_at: bronze::received(number),
            raw: body.slice_ref(raw),
            meta: meta.clone(),
        }));
        next = next.offset(records.len());
        bytes += records.bytes();
        if bytes >= OBJECT || number + 1 == bodies.len() {
            let object = codec::encode(bronze::pipeline(), &rows)?;
            fs::write(dir.join(format!("{}.parquet", objects.len())), &object)?;
            objects.push(object);
            rows.clear();
            bytes = 0;
        }
    }
    Ok(objects)
}

/// Their size, when every event is in them.
fn check_bronze(objects: &[Bytes]) -> anyhow::Result<u64> {
    let mut events = 0;
    for object in objects {
        events += codec::decode(object.clone())?.len();
    }
    ensure!(events == EVENTS, "Bronze has {events} of {EVENTS} events");
    Ok(objects.iter().map(|o| o.len() as u64).sum())
}

fn write_typed(plan: &Plan, source: &Path, target: &Path) -> anyhow::Result<()> {
    let lines = Bytes::from(fs::read(source)?);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .build();
    let mut writer: Option<ArrowWriter<File>> = None;
    let (mut pass, mut bytes, mut next) = (Vec::new(), 0, EventSeq(1 << EventSeq::COUNTER_BITS));
    let bodies = bronze::bodies(&lines, bronze::BATCH);
    for (number, body) in bodies.iter().enumerate() {
        let records = bronze::decode(body, Format::Ndjson, None)?;
        bytes += records.bytes();
        pass.push(records);
        if bytes < PASS && number + 1 < bodies.len() {
            continue;
        }
        let batch = plan.decode(&inputs(&pass, &mut next))?;
        let out = match &mut writer {
            Some(out) => out,
            None => writer.insert(ArrowWriter::try_new(
                File::create(target)?,
                batch.schema(),
                Some(properties.clone()),
            )?),
        };
        out.write(&batch)?;
        pass.clear();
        bytes = 0;
    }
    writer.context("there are no lines")?.close()?;
    Ok(())
}

fn inputs<'a>(pass: &'a [RecordSet], next: &mut EventSeq) -> Vec<Input<'a>> {
    let mut inputs = Vec::with_capacity(pass.len());
    for records in pass {
        inputs.push(Input {
            first: *next,
            received_at: bronze::received(0),
            records,
        });
        *next = next.offset(records.len());
    }
    inputs
}

/// The sum of the temperatures, read back; every row and every cell must be there.
fn check_typed(target: &Path) -> anyhow::Result<f64> {
    use parquet::arrow::arrow_reader::ArrowReaderMetadata;
    let file = File::open(target)?;
    let metadata = ArrowReaderMetadata::load(&file, Default::default())?;
    let (mut rows, mut sum) = (0, 0.0);
    for batch in ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata).build()? {
        let batch = batch?;
        rows += batch.num_rows();
        ensure!(
            batch.num_columns() > device::COLUMNS.len(),
            "only {} columns were read",
            batch.num_columns()
        );
        for column in batch.columns() {
            ensure!(
                column.null_count() == 0,
                "a column has {} cells without a value",
                column.null_count()
            );
        }
        // Fields come first, then metrics in the mapping's order.
        let place = device::COLUMNS
            .iter()
            .filter(|(name, kind)| *kind == "string" && *name != "at")
            .count()
            + device::COLUMNS
                .iter()
                .filter(|(name, kind)| *kind != "string" && *name != "at")
                .position(|(name, _)| *name == "temperature")
                .context("there is no temperature")?;
        let values = batch
            .column(place)
            .as_any()
            .downcast_ref::<arrow::array::Float64Array>()
            .context("the temperature is no float")?;
        sum += values.values().iter().sum::<f64>();
    }
    ensure!(rows == EVENTS, "the typed file has {rows} of {EVENTS} rows");
    Ok(sum)
}

fn ask(ctx: &Context, engine: &str, source: &Path, target: &Path) -> anyhow::Result<Answer> {
    let columns: serde_json::Map<String, serde_json::Value> = device::COLUMNS
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), (*kind).into()))
        .collect();
    let mut command = Command::new(foreign::python());
    command
        .arg(ctx.root.join("crates/bench/reference/parquet.py"))
        .arg(engine)
        .arg(source)
        .arg(target)
        .arg(serde_json::Value::from(columns).to_string());
    foreign::ask(&mut command)
}
