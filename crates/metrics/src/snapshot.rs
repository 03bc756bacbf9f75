//! One snapshot for all statements of an answer, and the one case in which TimescaleDB does not keep to it.
//!
//! TimescaleDB plans by what the catalog says now, not by what the snapshot saw. When late points of a compressed chunk are
//! compressed too, the chunk stops being marked as partial, and a plan made after that reads its compressed part alone. To a
//! snapshot from before, that part does not hold the late points yet: they would be missing from the answer. And what a chunk's
//! first compression writes is seen by every snapshot, points that are newer than it included. So the states of
//! the chunks are read at the beginning and, anew, after the end; where one of these things happened, what was read is thrown away.

use std::{collections::BTreeMap, ops::Deref, time::Duration};

use deadpool_postgres::{Client, GenericClient, Transaction};
use tokio_postgres::{IsolationLevel, SimpleQueryMessage};

use crate::{DatabaseError, Inner, Mode};

/// How often to read anew. Chunks are compressed a few times a day, so that the second time should do.
pub const ATTEMPTS: u32 = 5;

/// Compressed chunks, each with the transaction that marked it as partial if it is: `12 13:4711`. The bits of `status` are those of
/// `CHUNK_STATUS_*` in TimescaleDB's src/chunk.h.
const CHUNKS: &str = "SELECT string_agg(CASE WHEN status & 8 = 0 THEN id::text ELSE id || ':' || xmin END, ' ')
    FROM _timescaledb_catalog.chunk WHERE status & 1 = 1";

/// A transaction that reads.
pub struct Snapshot<'a> {
    tx: Transaction<'a>,
    /// Nothing on plain PostgreSQL.
    chunks: Option<Chunks>,
}

impl<'a> Snapshot<'a> {
    /// Statements that take longer than `timeout` are cancelled.
    pub async fn begin(
        client: &'a mut Client,
        inner: &Inner,
        timeout: Option<Duration>,
    ) -> Result<Self, DatabaseError> {
        let tx = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        // Plans are made for the range at hand, to leave out what lies outside; compiling them costs more than it gains.
        let settings = format!(
            "SET LOCAL statement_timeout = {}; SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off",
            timeout.map_or(0, |t| t.as_millis())
        );
        let chunks = match inner.mode {
            Mode::Plain => {
                tx.batch_execute(&settings).await?;
                None
            }
            Mode::Timescale { .. } => Some(Chunks::read(&tx.simple_query(&format!("{settings}; {CHUNKS}")).await?)),
        };
        Ok(Self { tx, chunks })
    }

    /// Ends it. False: a chunk changed its state meanwhile, so read again.
    pub async fn end(self) -> Result<bool, DatabaseError> {
        let Self { tx, chunks } = self;
        let held = match chunks {
            None => true,
            // The chained transaction has a snapshot of its own.
            Some(before) => before.hold(&Chunks::read(
                &tx.simple_query(&format!("COMMIT AND CHAIN; {CHUNKS}")).await?,
            )),
        };
        tx.commit().await?;
        Ok(held)
    }
}

impl<'a> Deref for Snapshot<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

/// Compressed chunks, and which transaction marked them as partial.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chunks(BTreeMap<String, Option<String>>);

impl Chunks {
    fn read(messages: &[SimpleQueryMessage]) -> Self {
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        Self::parse(row.unwrap_or_default())
    }

    fn parse(text: &str) -> Self {
        let chunk = |chunk: &str| match chunk.split_once(':') {
            Some((id, partial)) => (id.to_owned(), Some(partial.to_owned())),
            None => (chunk.to_owned(), None),
        };
        Self(text.split_whitespace().map(chunk).collect())
    }

    /// Whether nothing happened from here to `later` that a snapshot does not survive.
    fn hold(&self, later: &Self) -> bool {
        let still = |(id, partial): (&String, &Option<String>)| match later.0.get(id) {
            None => false,
            Some(now) => partial.is_none() || partial == now,
        };
        self.0.len() == later.0.len() && self.0.iter().all(still)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_snapshot_survives_and_what_not() {
        let hold = |before: &str, after: &str| Chunks::parse(before).hold(&Chunks::parse(after));
        assert!(hold("", ""));
        assert!(hold("1 2:10", "2:10 1"));
        assert!(hold("1 2", "1:11 2"), "late points that the snapshot does not see");
        assert!(!hold("1 2:10", "1 2"), "late points were compressed");
        assert!(
            !hold("1 2:10", "1 2:12"),
            "late points were compressed, and others came"
        );
        assert!(!hold("1", "1 2"), "a chunk was compressed");
        assert!(!hold("1 2", "1"), "a chunk is gone");
        assert!(!hold("1 2", "1 3"));
    }
}
