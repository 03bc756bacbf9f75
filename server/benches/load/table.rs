//! The table for people, and the same as JSON.

use std::{fs, path::PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::machine::{Machine, UNOPTIMISED};

/// One line; what does not apply is nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figures {
    pub events_per_second: Option<f64>,
    pub mb_per_second: Option<f64>,
    /// Of an answer, in milliseconds.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
}

#[derive(Debug, Serialize)]
pub struct Row {
    pub name: String,
    /// What holds when an answer comes.
    pub durability: &'static str,
    #[serde(flatten)]
    pub figures: Figures,
    pub reference: Option<Reference>,
    pub notes: Vec<String>,
}

/// Measured in the same run.
#[derive(Debug, Serialize)]
pub struct Reference {
    pub what: String,
    #[serde(flatten)]
    pub figures: Figures,
}

#[derive(Serialize)]
struct Report<'a> {
    /// Whether anything may be concluded from the figures.
    meaningful: bool,
    measured_at: String,
    machine: &'a Machine,
    rows: &'a [Row],
}

impl Row {
    /// How many times the reference: its events a second, or else its median answer.
    fn ratio(&self) -> Option<f64> {
        let (own, other) = (&self.figures, &self.reference.as_ref()?.figures);
        let rate = own.events_per_second.zip(other.events_per_second);
        rate.or(own.p50_ms.zip(other.p50_ms))
            .filter(|(_, other)| *other > 0.0)
            .map(|(own, other)| own / other)
    }
}

/// The table as text.
fn render(machine: &Machine, rows: &[Row]) -> String {
    let mut text = String::from("\n");
    let mut say = |line: &str| {
        text.push_str(line.trim_end());
        text.push('\n');
    };
    machine.lines().iter().for_each(|line| say(line));
    say("");
    say(&columns([
        "row",
        "durability",
        "events/s",
        "MB/s",
        "p50 ms",
        "p99 ms",
        "/ ref.",
    ]));
    for row in rows {
        let ratio = number(row.ratio(), 2);
        say(&cells(&row.name, row.durability, &row.figures, &ratio));
        if let Some(reference) = &row.reference {
            say(&cells("  reference", "", &reference.figures, ""));
            say(&format!("    is {}", reference.what));
        }
        row.notes.iter().for_each(|note| say(&format!("    {note}")));
    }
    if machine.debug_assertions {
        say("");
        say(UNOPTIMISED);
    }
    text
}

fn cells(name: &str, durability: &str, figures: &Figures, ratio: &str) -> String {
    let Figures {
        events_per_second,
        mb_per_second,
        p50_ms,
        p99_ms,
    } = figures;
    columns([
        name,
        durability,
        &number(*events_per_second, 0),
        &number(*mb_per_second, 1),
        &number(*p50_ms, 2),
        &number(*p99_ms, 2),
        ratio,
    ])
}

fn columns([name, durability, events, mb, p50, p99, ratio]: [&str; 7]) -> String {
    format!("{name:<28}{durability:<18}{events:>12}{mb:>9}{p50:>10}{p99:>11}{ratio:>10}")
}

/// With a comma between thousands.
pub fn number(number: Option<f64>, decimals: usize) -> String {
    let Some(number) = number else {
        return String::new();
    };
    let text = format!("{number:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// Prints the table and writes `bench/results/load.json`.
pub fn publish(machine: &Machine, rows: &[Row]) -> anyhow::Result<()> {
    #[allow(clippy::print_stdout, reason = "the table is what this program is for")]
    {
        println!("{}", render(machine, rows));
    }
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bench/results");
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let file = dir.join("load.json");
    let report = Report {
        meaningful: !machine.debug_assertions,
        measured_at: chrono::Utc::now().to_rfc3339(),
        machine,
        rows,
    };
    fs::write(&file, serde_json::to_vec_pretty(&report)?).with_context(|| file.display().to_string())
}
