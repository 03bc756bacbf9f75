//! `server config`

use crate::config::{Config, Row};

/// A line for each variable: name, value (secrets masked), source, meaning.
pub fn print(config: &Config) -> anyhow::Result<()> {
    let rows: Vec<[String; 4]> = config.table().iter().map(cells).collect();
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let (name, value, source) = (width(0), width(1), width(2));
    let lines: Vec<String> = rows
        .iter()
        .map(|[n, v, s, m]| format!("{n:name$}  {v:value$}  {s:source$}  {m}"))
        .collect();
    super::print(&lines.join("\n"))
}

fn cells(row: &Row) -> [String; 4] {
    [
        row.variable.to_owned(),
        shown(&row.value),
        row.source.to_string(),
        row.meaning.to_owned(),
    ]
}

fn shown(value: &str) -> String {
    match value {
        "" => "-".into(),
        value => value.into(),
    }
}
