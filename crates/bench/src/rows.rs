//! The rows, one file each. A row is an async function from [`Context`] to lines of the table.

use std::{future::Future, pin::Pin};

use crate::{context::Context, row::Row};

/// A row that `ROW=` can name.
pub struct Named {
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    pub run: fn(&Context) -> Measuring<'_>,
}

/// What a row is while it is measured.
pub type Measuring<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Row>>> + 'a>>;

/// In the order of the table.
pub const ALL: &[Named] = &[];

/// Those that are asked for, in the order of the table; all when none is named.
pub fn choose(names: &[String]) -> anyhow::Result<Vec<&'static Named>> {
    let known = || ALL.iter().map(|r| r.name).collect::<Vec<_>>().join(", ");
    for name in names {
        anyhow::ensure!(
            ALL.iter().any(|row| row.name == name),
            "--row {name}: there is no such row; there are {}",
            known()
        );
    }
    Ok(ALL
        .iter()
        .filter(|row| names.is_empty() || names.iter().any(|n| n == row.name))
        .collect())
}
