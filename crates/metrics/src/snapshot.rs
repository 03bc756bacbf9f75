//! One snapshot for all statements of an answer, and the one case in which TimescaleDB does not keep to it.
//!
//! TimescaleDB plans by what the catalog says now, not by what the snapshot saw. When late points of a compressed chunk are
//! compressed too, the chunk stops being marked as partial, and a plan made after that reads its compressed part alone. To a
//! snapshot from before, that part does not hold the late points yet: they would be missing from the answer. So the states of
//! the chunks are read at the beginning and, anew, after the end; where they differ, what was read is thrown away.

use std::{ops::Deref, time::Duration};

use deadpool_postgres::{Client, GenericClient, Transaction};
use tokio_postgres::{IsolationLevel, SimpleQueryMessage};

use crate::{DatabaseError, Inner, Mode};

/// How often to read anew. Chunks change state a few times a day, so that the second time should do.
pub const ATTEMPTS: u32 = 5;

/// A number that is another one after any chunk was added, dropped, compressed or written to for the first time since.
const CHUNKS: &str = "SELECT sum(hashint8extended(id, xmin::text::bigint)) FROM _timescaledb_catalog.chunk";

/// A transaction that reads.
pub struct Snapshot<'a> {
    tx: Transaction<'a>,
    /// The states of the chunks; nothing on plain PostgreSQL.
    chunks: Option<String>,
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
            Mode::Timescale { .. } => Some(value(&tx.simple_query(&format!("{settings}; {CHUNKS}")).await?)),
        };
        Ok(Self { tx, chunks })
    }

    /// Ends it. False: a chunk changed its state meanwhile, so read again.
    pub async fn end(self) -> Result<bool, DatabaseError> {
        let Self { tx, chunks } = self;
        let held = match chunks {
            None => true,
            // The chained transaction has a snapshot of its own.
            Some(before) => value(&tx.simple_query(&format!("COMMIT AND CHAIN; {CHUNKS}")).await?) == before,
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

fn value(messages: &[SimpleQueryMessage]) -> String {
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.unwrap_or_default().to_owned()
}
