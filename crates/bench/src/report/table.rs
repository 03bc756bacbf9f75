//! The table as text, at most 160 columns wide.

use super::{goal, left_out, number, reached, remarks};
use crate::{
    row::{self, Row},
    run::Measured,
};

const WIDTH: usize = 160;
const HEADS: [&str; 12] = [
    "row",
    "what",
    "unit",
    "dur",
    "figure",
    "±",
    "reference",
    "dur",
    "figure",
    "ratio",
    "goal",
    "reached",
];
/// Widest that a cell may be; longer words go on in the next line.
const MOST: [usize; 12] = [12, 40, 12, 3, 11, 5, 24, 3, 11, 7, 12, 7];
/// Columns of numbers are aligned at their right.
const RIGHT: [bool; 12] = [
    false, false, false, false, true, true, false, false, true, true, true, false,
];

pub(super) fn render(measured: &Measured) -> String {
    let mut lines = vec![String::new()];
    for line in measured.machine.lines() {
        lines.extend(wrapped(&line, "", "  "));
    }
    lines.push("Figures are medians of interleaved runs, ± the distance of lowest and highest. D0 in memory, D1 written, D2 fsynced, D3 in the object store.".into());
    lines.push(String::new());
    lines.extend(grid(&measured.rows));
    for failed in &measured.failed {
        lines.extend(wrapped(&failed.why, &format!("{} FAILED: ", failed.row), "    "));
    }
    let remarks = remarks(&measured.rows);
    if remarks.iter().any(|(_, said)| !said.is_empty()) {
        lines.extend([String::new(), "How it was measured:".into()]);
    }
    for (row, said) in remarks {
        for note in said {
            lines.extend(wrapped(note, &format!("  {row}: "), "      "));
        }
    }
    let left_out = left_out(&measured.rows);
    if !left_out.is_empty() {
        lines.extend([String::new(), "What is left out:".into()]);
    }
    for (row, what) in left_out {
        lines.extend(wrapped(what, &format!("  {row}: "), "      "));
    }
    lines.push(String::new());
    lines.extend(measured.machine.warnings());
    let took: f64 = measured.took.iter().map(|(_, d)| d.as_secs_f64()).sum();
    lines.push(format!("{} rows in {:.0} s", measured.took.len(), took));
    lines.join("\n")
}

fn grid(rows: &[Row]) -> Vec<String> {
    let mut cells = vec![HEADS.map(str::to_owned)];
    cells.extend(rows.iter().map(of));
    let wraps: Vec<Vec<Vec<String>>> = cells
        .iter()
        .map(|line| line.iter().zip(MOST).map(|(cell, most)| words(cell, most)).collect())
        .collect();
    let width = |column: usize| {
        let of_line = |line: &Vec<Vec<String>>| line[column].iter().map(|c| c.chars().count()).max();
        wraps.iter().filter_map(of_line).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let mut lines = Vec::new();
    for (i, line) in wraps.iter().enumerate() {
        for nth in 0..line.iter().map(Vec::len).max().unwrap_or(0) {
            let mut text = String::new();
            for (column, cell) in line.iter().enumerate() {
                let part = cell.get(nth).map_or("", String::as_str);
                let width = widths[column];
                match RIGHT[column] {
                    true => text.push_str(&format!("{part:>width$}")),
                    false => text.push_str(&format!("{part:<width$}")),
                }
                text.push(' ');
            }
            lines.push(text.trim_end().to_owned());
        }
        if i == 0 {
            lines.push("-".repeat(widths.iter().map(|w| w + 1).sum::<usize>() - 1));
        }
    }
    lines
}

fn of(row: &Row) -> [String; 12] {
    let spread = row::spread(&row.runs).filter(|_| row.runs.len() > 1);
    let spread = spread.map_or("-".into(), |s| format!("{:.0} %", s * 100.0));
    let reference = row.reference.as_ref();
    [
        row.row.to_owned(),
        row.what.clone(),
        row.unit.to_owned(),
        row.durability.label().to_owned(),
        number(row.figure()),
        spread,
        reference.map_or("-".into(), |r| r.what.clone()),
        reference.map_or("", |r| r.durability.label()).to_owned(),
        reference.map_or(String::new(), |r| number(row::median(&r.runs))),
        row.ratio().map_or("-".into(), |r| number(Some(r))),
        goal(row),
        reached(row).to_owned(),
    ]
}

/// Lines of at most so many characters; a word that is longer has one of its own, cut to fit.
fn words(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last().map_or(0, |l| l.chars().count());
            let gap = usize::from(line > 0);
            if line + gap + word.len() <= most {
                let Some(last) = lines.last_mut() else { break };
                last.extend(std::iter::repeat_n(' ', gap).chain(word));
                break;
            }
            if line > 0 {
                lines.push(String::new());
                continue;
            }
            let rest = word.split_off(most.min(word.len()));
            lines.pop();
            lines.push(word.into_iter().collect());
            lines.push(String::new());
            word = rest;
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A paragraph: its first line begins with `first`, the others with `next`.
fn wrapped(text: &str, first: &str, next: &str) -> Vec<String> {
    let indent = first.chars().count().max(next.chars().count());
    let parts = words(text, WIDTH - indent);
    let lead = |i: usize| if i == 0 { first } else { next };
    parts
        .iter()
        .enumerate()
        .map(|(i, p)| format!("{}{p}", lead(i)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::measured;

    #[test]
    fn it_fits() {
        let mut measured = measured();
        let long = &mut measured.rows[0];
        long.what = "words ".repeat(40) + &"Ж".repeat(100);
        long.unit = "messages/s/core";
        long.row = "a-long-name-of-a-row";
        long.runs = vec![123_456_789.0, 1.0];
        long.notes.push("note ".repeat(100));
        long.left_out.push("matter ".repeat(100));
        let text = render(&measured);
        for line in text.lines() {
            assert!(
                line.chars().count() <= WIDTH,
                "{} columns: {line}",
                line.chars().count()
            );
        }
        assert_eq!(text.matches('Ж').count(), 100);
    }

    #[test]
    fn a_line_says_figure_reference_ratio_goal_and_whether_it_is_reached() {
        let text = render(&measured());
        let line = text.lines().find(|l| l.starts_with("ingest ")).unwrap();
        let cells: Vec<_> = line.split_whitespace().collect();
        assert_eq!(
            cells,
            "ingest events acknowledged a second and core events/s D2 158,000 6 % InfluxDB 1.6, line D2 100,000 1.58 >= 1.00 x yes"
                .split(' ')
                .collect::<Vec<_>>()
        );
        assert!(text.contains("single FAILED: counted wrong"));
        assert_eq!(text.matches("8 connections").count(), 1);
        assert_eq!(text.matches("ingest: TLS").count(), 1);
    }

    #[test]
    fn words_are_wrapped_and_long_ones_cut() {
        assert_eq!(words("one two three", 7), ["one two", "three"]);
        assert_eq!(words("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert!(words("", 4).is_empty());
    }
}
