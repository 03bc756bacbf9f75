//! How it is told: a table for people, the same as JSON, and as Markdown for the documentation.

mod markdown;
mod table;

use std::{fs, io::Write, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    context::{Context, progress},
    machine::Machine,
    row::{self, Goal, Row},
    rows,
    run::{Failed, Measured},
};

/// What every row sends or loads is made the same way.
const DATA: &str = "made of place numbers by a fixed function (splitmix64), so every run has the same values; \
                    only times begin anew. Each row says what it sends.";

#[derive(Serialize)]
struct Report<'a> {
    /// Whether anything may be concluded from the figures.
    meaningful: bool,
    measured_at: String,
    machine: &'a Machine,
    data: &'static str,
    options: Options,
    rows: Vec<Told<'a>>,
    failed: &'a [Failed],
    took_seconds: Vec<(&'static str, f64)>,
}

#[derive(Serialize)]
struct Options {
    runs: usize,
    seconds: f64,
    sustained_seconds: f64,
    full: bool,
}

/// A row, and what follows from its runs.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    row: &'a Row,
    figure: Option<f64>,
    spread: Option<f64>,
    reference_figure: Option<f64>,
    ratio: Option<f64>,
    reached: Option<bool>,
}

/// The names of the rows, on standard output.
pub fn list() {
    let lines: Vec<_> = rows::ALL
        .iter()
        .map(|r| format!("{:<12} {}", r.name, r.about))
        .collect();
    print(&lines.join("\n"));
}

/// Prints the table, writes it to `bench/results` and, when asked for, as Markdown.
pub fn publish(context: &Context, measured: &Measured, as_markdown: Option<&Path>) -> anyhow::Result<()> {
    print(&table::render(measured));
    let dir = context.root.join("bench/results");
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    let file = dir.join(file_name(measured));
    let report = report(context, measured);
    fs::write(&file, serde_json::to_vec_pretty(&report)?).with_context(|| file.display().to_string())?;
    progress(&format!("written to {}", file.display()));
    if let Some(path) = as_markdown {
        fs::write(path, markdown::render(measured)).with_context(|| format!("--markdown {}", path.display()))?;
    }
    Ok(())
}

/// Some rows alone do not replace the whole.
fn file_name(measured: &Measured) -> String {
    let names: Vec<_> = measured.took.iter().map(|(name, _)| *name).collect();
    match names.len() == rows::ALL.len() {
        true => "bench.json".into(),
        false => format!("{}.json", names.join("+")),
    }
}

fn report<'a>(context: &Context, measured: &'a Measured) -> Report<'a> {
    let told = |row: &'a Row| Told {
        row,
        figure: row.figure(),
        spread: row::spread(&row.runs),
        reference_figure: row.reference.as_ref().and_then(|r| row::median(&r.runs)),
        ratio: row.ratio(),
        reached: row.reached(),
    };
    Report {
        meaningful: measured.machine.warnings().is_empty(),
        measured_at: chrono::Utc::now().to_rfc3339(),
        machine: &measured.machine,
        data: DATA,
        options: Options {
            runs: context.runs,
            seconds: context.seconds.as_secs_f64(),
            sustained_seconds: context.sustained.as_secs_f64(),
            full: context.full,
        },
        rows: measured.rows.iter().map(told).collect(),
        failed: &measured.failed,
        took_seconds: measured.took.iter().map(|(n, d)| (*n, d.as_secs_f64())).collect(),
    }
}

/// With a comma between thousands, and as many decimals as three figures need.
fn number(value: Option<f64>) -> String {
    let Some(value) = value.filter(|v| v.is_finite()) else {
        return "-".into();
    };
    let decimals = match value.abs() {
        v if v >= 100.0 || v == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        v if v >= 0.1 => 3,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, digits) = whole.split_at(whole.len() - whole.trim_start_matches('-').len());
    let mut grouped = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// `>= 150,000`, or `>= 0.50 x` the reference.
fn goal(row: &Row) -> String {
    let sign = match row.better {
        row::Better::Higher => ">=",
        row::Better::Lower => "<=",
    };
    match row.goal {
        None => "-".into(),
        Some(Goal::Figure(figure)) => format!("{sign} {}", number(Some(figure))),
        Some(Goal::Ratio(ratio)) => format!("{sign} {ratio:.2} x"),
    }
}

fn reached(row: &Row) -> &'static str {
    match row.reached() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    }
}

/// Notes and what is left out of the lines of each row, each said once, in their order.
fn remarks(rows: &[Row]) -> Vec<(&'static str, Vec<&str>)> {
    let mut all: Vec<(&'static str, Vec<&str>)> = Vec::new();
    for row in rows {
        if all.last().is_none_or(|(name, _)| *name != row.row) {
            all.push((row.row, Vec::new()));
        }
        let said = all.last_mut().map(|(_, said)| said);
        said.into_iter().for_each(|said| {
            for note in &row.notes {
                if !said.contains(&note.as_str()) {
                    said.push(note);
                }
            }
        });
    }
    all
}

fn left_out(rows: &[Row]) -> Vec<(&'static str, &str)> {
    let mut all = Vec::new();
    for row in rows {
        for what in &row.left_out {
            if !all.contains(&(row.row, what.as_str())) {
                all.push((row.row, what.as_str()));
            }
        }
    }
    all
}

fn print(text: &str) {
    // Whoever closed the pipe has seen enough.
    let _ = writeln!(std::io::stdout(), "{text}");
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::row::{Better, Durability, Reference};

    pub fn row() -> Row {
        Row {
            row: "ingest",
            what: "events acknowledged a second and core".into(),
            unit: "events/s",
            better: Better::Higher,
            durability: Durability::D2,
            runs: vec![160_000.0, 150_000.0, 158_000.0],
            reference: Some(Reference {
                what: "InfluxDB 1.6, line protocol over HTTP".into(),
                durability: Durability::D2,
                runs: vec![100_000.0, 98_000.0, 101_000.0],
            }),
            goal: Some(Goal::Ratio(1.0)),
            notes: vec!["8 connections".into()],
            left_out: vec!["TLS".into()],
        }
    }

    pub fn measured() -> Measured {
        Measured {
            machine: Machine {
                debug_assertions: false,
                server_profile: "release".into(),
                processor: "a processor".into(),
                cores: 2,
                memory_mb: 16_000,
                kernel: "6".into(),
                load_average: "0.1".into(),
                file_system: "ext4".into(),
                versions: vec![],
            },
            rows: vec![row(), row()],
            failed: vec![Failed {
                row: "single",
                why: "counted wrong".into(),
            }],
            took: vec![],
        }
    }

    #[test]
    fn numbers_have_three_figures() {
        for (value, text) in [
            (1_234_567.8, "1,234,568"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.2345, "0.234"),
            (0.012_34, "0.0123"),
            (-1_234.0, "-1,234"),
            (0.0, "0"),
        ] {
            assert_eq!(number(Some(value)), text);
        }
        assert_eq!(number(None), "-");
        assert_eq!(number(Some(f64::NAN)), "-");
    }

    #[test]
    fn a_remark_is_said_once_for_a_row() {
        let rows = [row(), row()];
        assert_eq!(remarks(&rows), [("ingest", vec!["8 connections"])]);
        assert_eq!(left_out(&rows), [("ingest", "TLS")]);
    }
}
