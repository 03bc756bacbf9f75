//! A mapping as a plan, beside the same mapping record by record, in Rust and in Elixir.

use std::{
    fs,
    ops::Range,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use dash_ingest::Format;
use dash_model::{EventSeq, record::RecordSet};
use dash_transform::{Input, Plan};
use serde::Deserialize;

use crate::{
    context::Context,
    cores,
    data::{
        bronze::{self, BATCH},
        cpu::Pinned,
        device::{self, Fleet},
        foreign,
        mapper::map_row_by_row,
    },
    row::{Better, Durability, Goal, Reference, Row},
};

const EVENTS: usize = 200_000;
/// Batches that are mapped at once, about as many as the server maps in one pass.
const PASS: usize = 40;
const GOAL: Option<Goal> = Some(Goal::Ratio(50.0));

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let dir = ctx.scratch("transform")?;
    let lines = bytes::Bytes::from(Fleet::new(1_000, 1_790_000_000_000).lines(EVENTS));
    let file = dir.path().join("events.ndjson");
    fs::write(&file, &lines)?;
    let bodies = bronze::bodies(&lines, BATCH);
    let sets: Vec<RecordSet> = bodies
        .iter()
        .map(|body| bronze::decode(body, Format::Ndjson, None))
        .collect::<anyhow::Result<_>>()?;
    let mut first = EventSeq(1 << EventSeq::COUNTER_BITS);
    let inputs: Vec<Input<'_>> = sets
        .iter()
        .map(|records| {
            let input = Input {
                first,
                received_at: bronze::received(0),
                records,
            };
            first = first.offset(records.len());
            input
        })
        .collect();
    let plan = Plan::compile(&device::mapping()?)?;
    let sum = check(&plan, &inputs)?;
    let elixir = elixir(ctx)?;

    let mut one = Runs::default();
    let mut all = Runs::default();
    let mut decoding = Vec::new();
    let mut enumerated = Vec::new();
    for run in 0..ctx.runs {
        ctx.say(&format!("run {}", run + 1));
        {
            let _core = Pinned::subject()?;
            one.run(ctx, &plan, &inputs, 1)?;
            let begun = Instant::now();
            for pass in inputs.chunks(PASS) {
                ensure!(plan.decode(pass)?.num_rows() > 0, "nothing was decoded");
            }
            decoding.push(EVENTS as f64 / begun.elapsed().as_secs_f64());
            if elixir.is_some() {
                let answer = ask_elixir(ctx, &file)?;
                ensure!(
                    answer.points == 2 * EVENTS && (answer.sum - sum).abs() < 1e-3,
                    "Elixir has {} points of sum {}, Dash {} of {sum}",
                    answer.points,
                    answer.sum,
                    2 * EVENTS
                );
                enumerated.push(EVENTS as f64 / answer.seconds);
            }
        }
        all.run(ctx, &plan, &inputs, cores::all().len())?;
    }

    let share = crate::row::median(&one.plan).unwrap_or(0.0) / crate::row::median(&decoding).unwrap_or(f64::INFINITY);
    let notes = vec![
        format!(
            "{EVENTS} events of {:.0} bytes, from their JSON to two points each, by device and site; {PASS} batches of {BATCH} a pass",
            lines.len() as f64 / EVENTS as f64
        ),
        "points and series are verified to be the same, one by one".to_owned(),
    ];
    let cores = cores::all().len();
    let rust = |runs: Vec<f64>| Reference {
        what: "record by record: a serde_json Value, a map of tags, a hash map of series".into(),
        durability: Durability::None,
        runs,
    };
    let mut rows = vec![
        row(
            "Plan::run on one core".into(),
            one.plan.clone(),
            Some(rust(one.mapper)),
            &notes,
        ),
        row(
            format!("Plan::run on all cores ({cores})"),
            all.plan,
            Some(rust(all.mapper)),
            &notes,
        ),
    ];
    rows[0].notes.push(format!(
        "decoding JSON to columns alone takes {:.0} % of it, which no plan can take away",
        share * 100.0
    ));
    rows[1]
        .notes
        .push("a thread for each core on both sides, each with its own batches".into());
    let reference = elixir.as_ref().map(|version| Reference {
        what: format!("Enum in {version}, jiffy for JSON, one core"),
        durability: Durability::None,
        runs: enumerated,
    });
    let mut row = row(
        "Plan::run on one core, beside Elixir".into(),
        one.plan,
        reference,
        &notes,
    );
    row.notes[1] = "the number of points and the sum of their values are verified to be the same".into();
    row.notes.push(match elixir {
        Some(_) => "Elixir maps the same lines twice and times the second; lines were read before".into(),
        None => "elixir or erlang-jiffy is not installed: no reference; `scripts/setup bench` installs them".into(),
    });
    rows.push(row);
    Ok(rows)
}

fn row(what: String, runs: Vec<f64>, reference: Option<Reference>, notes: &[String]) -> Row {
    Row {
        row: "transform",
        what,
        unit: "events/s",
        better: Better::Higher,
        durability: Durability::None,
        runs,
        reference,
        goal: GOAL,
        notes: notes.to_vec(),
        left_out: vec!["filters and calculated fields: this mapping has none, so that all sides do the same".into()],
    }
}

/// Events a second of both.
#[derive(Default)]
struct Runs {
    plan: Vec<f64>,
    mapper: Vec<f64>,
}

impl Runs {
    fn run(&mut self, ctx: &Context, plan: &Plan, inputs: &[Input<'_>], threads: usize) -> anyhow::Result<()> {
        let most = ctx.seconds.min(Duration::from_secs(3));
        self.plan
            .push(rate(inputs, threads, most, &|pass| Ok(plan.run(pass)?.points.len()))?);
        self.mapper
            .push(rate(inputs, threads, most, &|pass| Ok(map_row_by_row(pass)?.1.len()))?);
        Ok(())
    }
}

/// Events a second of all threads together, each of which maps its part of the inputs again and again.
fn rate(
    inputs: &[Input<'_>],
    threads: usize,
    duration: Duration,
    map: &(dyn Fn(&[Input<'_>]) -> anyhow::Result<usize> + Sync),
) -> anyhow::Result<f64> {
    let part = |range: Range<usize>| -> anyhow::Result<f64> {
        let inputs = &inputs[range];
        let (begun, mut events) = (Instant::now(), 0);
        while begun.elapsed() < duration {
            for pass in inputs.chunks(PASS) {
                let records: usize = pass.iter().map(|i| i.records.len()).sum();
                let points = map(pass)?;
                ensure!(points == 2 * records, "{points} points of {records} events");
                events += records;
                if begun.elapsed() >= duration {
                    break;
                }
            }
        }
        Ok(events as f64 / begun.elapsed().as_secs_f64())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = bronze::parts(inputs.len(), threads)
            .into_iter()
            .map(|range| scope.spawn(|| part(range)))
            .collect();
        let mut sum = 0.0;
        for thread in running {
            sum += thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        Ok(sum)
    })
}

/// Both must make the same points of the same series in the same order. Answers the sum of their values.
fn check(plan: &Plan, inputs: &[Input<'_>]) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for pass in inputs.chunks(PASS) {
        let own = plan.run(pass)?;
        let (series, points) = map_row_by_row(pass)?;
        ensure!(
            own.series == series && own.points == points,
            "the plan and the plain mapper differ"
        );
        sum += points.value.iter().sum::<f64>();
    }
    Ok(sum)
}

#[derive(Deserialize)]
struct Answer {
    seconds: f64,
    points: usize,
    sum: f64,
}

/// What is installed, when it can do what is asked.
fn elixir(ctx: &Context) -> anyhow::Result<Option<String>> {
    #[derive(Deserialize)]
    struct Version {
        elixir: String,
        otp: String,
        emulator: String,
    }
    if !foreign::answers("elixir", &["-e", "{:module, :jiffy} = Code.ensure_loaded(:jiffy)"]) {
        return Ok(None);
    }
    let version: Version = foreign::ask(Command::new("elixir").arg(script(ctx)).arg("version"))
        .context("the version of Elixir cannot be told")?;
    Ok(Some(format!(
        "Elixir {} on OTP {} ({})",
        version.elixir, version.otp, version.emulator
    )))
}

fn ask_elixir(ctx: &Context, file: &Path) -> anyhow::Result<Answer> {
    foreign::ask(Command::new("elixir").arg(script(ctx)).arg(file))
}

fn script(ctx: &Context) -> std::path::PathBuf {
    ctx.root.join("crates/bench/reference/mapper.exs")
}
