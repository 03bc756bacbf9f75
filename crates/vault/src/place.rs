//! Where a sealed value belongs.

use std::fmt;

/// One value in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub table: &'a str,
    pub column: &'a str,
    /// The primary key.
    pub row: &'a str,
}

impl Place<'_> {
    /// Each part with its length before it: no two places are the same bytes.
    pub(crate) fn authenticated(&self) -> Vec<u8> {
        let parts = [self.table, self.column, self.row];
        let with_length = |part: &str| [&(part.len() as u64).to_le_bytes()[..], part.as_bytes()].concat();
        parts.into_iter().flat_map(with_length).collect()
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} of {}", self.table, self.column, self.row)
    }
}
