//! Questions of a dashboard over many points, through Silver, beside SQL written by hand over the raw points.

mod ask;
mod load;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use dash_metrics::Engine;

use self::{
    ask::{QUESTIONS, Question},
    load::Loaded,
};
use crate::{
    context::Context,
    data::{cpu::Pinned, device::Random, postgres::Postgres, quantiles::quantile},
    row::{Better, Durability, Goal, Reference, Row},
};

/// Longest that a question is asked again and again in one run, and how often at most.
const PATIENCE: Duration = Duration::from_millis(1_200);
const MOST: usize = 200;
/// Of the SQL by hand, which takes longer.
const PATIENCE_BY_HAND: Duration = Duration::from_millis(800);
/// Restarts before which the SQL by hand is asked, of each question.
const COLD_BY_HAND: usize = 2;

pub async fn rows(ctx: &Context) -> anyhow::Result<Vec<Row>> {
    let points = if ctx.full { 100_000_000 } else { 20_000_000 };
    let mut postgres = Postgres::start(ctx, "query").await?;
    let database = match postgres.database("query_timescale", Engine::Auto).await? {
        Some(database) => Some(database),
        None => {
            ctx.say("TimescaleDB is not installed: on plain PostgreSQL");
            postgres.database("query_plain", Engine::Plain).await?
        }
    };
    let mut loaded = Loaded::new(ctx, database.context("there is no database")?, points).await?;
    for question in QUESTIONS {
        question.verify(&loaded, &mut Random(7)).await?;
    }

    let mut times: Vec<Times> = QUESTIONS.iter().map(|_| Times::default()).collect();
    for run in 0..ctx.runs {
        ctx.say(&format!("warm, run {}", run + 1));
        let mut random = Random(run as u64);
        let _core = Pinned::load()?;
        for (question, times) in QUESTIONS.iter().zip(&mut times) {
            // The first of a run warms up.
            question.through_silver(&loaded, &mut random).await?;
            times
                .warm
                .push(warm(question, &loaded, &mut random, PATIENCE, false).await?);
            times
                .warm_by_hand
                .push(warm(question, &loaded, &mut random, PATIENCE_BY_HAND, true).await?);
        }
    }
    let mut dropped = true;
    for run in 0..ctx.runs {
        ctx.say(&format!("cold, restart {}", run + 1));
        for (question, times) in QUESTIONS.iter().zip(&mut times) {
            let mut random = Random(1_000 + run as u64);
            dropped &= restart(&mut postgres, &mut loaded).await?;
            times.cold.push(once(question, &loaded, &mut random, false).await?);
            if run < COLD_BY_HAND {
                dropped &= restart(&mut postgres, &mut loaded).await?;
                times
                    .cold_by_hand
                    .push(once(question, &loaded, &mut random, true).await?);
            }
        }
    }
    Ok(QUESTIONS
        .iter()
        .zip(times)
        .flat_map(|(question, times)| times.rows(question, &loaded, dropped))
        .collect())
}

/// Milliseconds of each asking.
#[derive(Default)]
struct Times {
    /// By run.
    warm: Vec<Vec<f64>>,
    warm_by_hand: Vec<Vec<f64>>,
    cold: Vec<f64>,
    cold_by_hand: Vec<f64>,
}

async fn restart(postgres: &mut Postgres, loaded: &mut Loaded) -> anyhow::Result<bool> {
    loaded.database.db.close();
    let dropped = postgres.restart().await?;
    loaded.database.reopen().await?;
    Ok(dropped)
}

async fn warm(
    question: &Question,
    loaded: &Loaded,
    random: &mut Random,
    patience: Duration,
    by_hand: bool,
) -> anyhow::Result<Vec<f64>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || (begun.elapsed() < patience && times.len() < MOST) {
        times.push(once(question, loaded, random, by_hand).await?);
    }
    Ok(times)
}

/// Milliseconds of one asking.
async fn once(question: &Question, loaded: &Loaded, random: &mut Random, by_hand: bool) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let lines = if by_hand {
        question.by_hand(loaded, random).await?.len()
    } else {
        question.through_silver(loaded, random).await?.series.len()
    };
    let took = begun.elapsed().as_secs_f64() * 1e3;
    ensure!(lines > 0, "{}: an answer without lines", question.name);
    Ok(took)
}

impl Times {
    fn rows(self, question: &Question, loaded: &Loaded, dropped: bool) -> [Row; 2] {
        let of = |runs: &[Vec<f64>], q| runs.iter().filter_map(|run| quantile(run, q)).collect::<Vec<_>>();
        let count = |runs: &[Vec<f64>]| runs.iter().map(Vec::len).sum::<usize>();
        let all: Vec<f64> = self.warm.concat();
        let all_by_hand: Vec<f64> = self.warm_by_hand.concat();
        let text = |figures: &[f64], q| quantile(figures, q).unwrap_or(f64::NAN);
        let data = format!(
            "{:.0} M points on {}, {} devices with two metrics, one point in 10 s; rolled up but for the last ten minutes; through Silver::query, no HTTP; PostgreSQL on one core, who asks on another",
            loaded.points as f64 / 1e6,
            loaded.database.engine(),
            loaded.devices,
        );
        let by_hand = || format!("SQL by hand over the raw points: {}", question.by_hand_is);
        let line = |what: &str, runs, reference, goal, notes: Vec<String>| {
            Row {
            row: "query",
            what: format!("{}, {what} p99", question.name),
            unit: "ms",
            better: Better::Lower,
            durability: Durability::None,
            runs,
            reference: Some(Reference {
                what: by_hand(),
                durability: Durability::None,
                runs: reference,
            }),
            goal: Some(Goal::Figure(goal)),
            notes: [vec![data.clone()], notes].concat(),
            left_out: vec![
                "chunks are not compressed: the policy leaves the last seven days, which these questions are about, as they are"
                    .into(),
            ],
        }
        };
        let warm = line(
            "warm",
            of(&self.warm, 0.99),
            of(&self.warm_by_hand, 0.99),
            10.0,
            vec![
                format!(
                    "p50 {:.2} ms of {} askings, by hand {:.2} ms of {}",
                    text(&all, 0.5),
                    count(&self.warm),
                    text(&all_by_hand, 0.5),
                    count(&self.warm_by_hand)
                ),
                "both answers are verified to be the same".into(),
            ],
        );
        let caches = if dropped {
            "PostgreSQL restarted and the kernel's page cache dropped before each"
        } else {
            "PostgreSQL restarted before each; the kernel's page cache could not be dropped, which needs root"
        };
        let cold = line(
            "cold",
            vec![text(&self.cold, 1.0)],
            vec![text(&self.cold_by_hand, 1.0)],
            50.0,
            vec![format!(
                "the first question on the first connection, {caches}; the worst of {}, p50 {:.1} ms; by hand the worst of {}",
                self.cold.len(),
                text(&self.cold, 0.5),
                self.cold_by_hand.len()
            )],
        );
        [warm, cold]
    }
}
