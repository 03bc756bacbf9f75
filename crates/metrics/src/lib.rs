//! Silver: points in PostgreSQL, written exactly once, read at the resolution a chart needs.
//!
//! - [`Silver::write`] puts points, ledger, totals, quarantine and idempotency keys down in one transaction.
//! - [`Silver::rollup`] brings the rollups of changed hours up to date.
//! - [`Silver::query`] answers a [`QuerySpec`] from raw points and rollups, equal to the raw points at any moment.
//!
//! On TimescaleDB `metrics` is a hypertable and `metrics_1m`, `metrics_1h`, `metrics_1d` are continuous aggregates; on plain
//! PostgreSQL they are monthly partitions and views over tables. Names and columns are the same.

mod aggregates;
mod books;
mod copy;
mod cover;
mod dictionary;
mod error;
mod ledger;
mod lock;
mod partitions;
mod query;
mod resolution;
mod rollup;
mod set;
mod setup;
mod snapshot;
mod write;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use dash_db::Db;
use dash_model::{
    EventSeq, MappingVersionId, Micros, PipelineId,
    query::{QueryResult, QuerySpec},
};

pub use books::{
    BookedObject, Books, BooksOptions, BucketDifference, Buckets, DeepBooks, Extent, Floor, LedgerRange, LedgerSums,
    Piece, PipelineBooks, Place, Places,
};
pub use error::{DatabaseError, QueryError, SetupError, WriteError};
pub use query::{Known, Parts};
pub use set::{AnsweredKey, Covered, RecordLookup, WriteSet, Written};

/// Silver over one database. Cheap to clone.
#[derive(Clone)]
pub struct Silver {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    options: SilverOptions,
    mode: Mode,
    dictionary: dictionary::Dictionary,
    partitions: partitions::Partitions,
}

/// Limits; the defaults suit one machine.
#[derive(Clone, Debug)]
pub struct SilverOptions {
    /// Most series a mapping version may have; records that need more go to quarantine. Default 100,000.
    pub max_series: u32,
    /// Longest a query may run. Default 10 s.
    pub query_timeout: Duration,
    /// Hours that were written to within this time are rolled up later, but no later than an hour. Default 10 s.
    pub hot: Duration,
    /// What keeps the points, where there is no table of them yet. Default `Auto`.
    pub engine: Engine,
}

/// Which kind of tables to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// TimescaleDB where the server has it loaded, plain PostgreSQL elsewhere.
    #[default]
    Auto,
    Plain,
}

impl Default for SilverOptions {
    fn default() -> Self {
        Self {
            max_series: 100_000,
            query_timeout: Duration::from_secs(10),
            hot: Duration::from_secs(10),
            engine: Engine::Auto,
        }
    }
}

/// What keeps the points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Timescale { version: String },
    Plain,
}

/// What one pass of [`Silver::rollup`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RolledUp {
    /// Hours (of a mapping version) brought up to date.
    pub hours: u64,
    /// Hours left for later because they are still written to.
    pub hot: u64,
    /// Hours that could not be rolled up; they are read from raw points.
    pub failed: u64,
    /// Another pass is at work; this one did nothing.
    pub busy: bool,
}

/// Size of Silver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SilverStats {
    /// Series in the dictionary.
    pub series: u64,
    /// Hours whose rollups are out of date.
    pub pending_hours: u64,
}

impl Silver {
    /// Makes the tables if they are missing, and opens them.
    ///
    /// # Errors
    /// [`SetupError`]; the migrations must have run before.
    pub async fn new(db: Db, options: SilverOptions) -> Result<Self, SetupError> {
        let mode = setup::setup(&db, options.engine).await?;
        let inner = Inner {
            db,
            options,
            mode,
            dictionary: dictionary::Dictionary::default(),
            partitions: partitions::Partitions::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes `metrics` and its rollups if they are missing. Idempotent; nodes may do it at once.
    ///
    /// # Errors
    /// [`SetupError`]; the migrations must have run before.
    pub async fn setup(db: &Db) -> Result<Mode, SetupError> {
        setup::setup(db, Engine::Auto).await
    }

    /// What keeps the points.
    pub fn mode(&self) -> &Mode {
        &self.inner.mode
    }

    /// Writes all sets in one transaction: all or nothing, and never twice. It goes on when the caller is dropped.
    ///
    /// # Errors
    /// [`WriteError`]; nothing is written then, save that after a broken connection the commit may have come through, which a
    /// repetition finds out.
    pub async fn write(&self, sets: impl Into<Arc<[WriteSet]>>) -> Result<Written, WriteError> {
        let (inner, sets) = (self.inner.clone(), sets.into());
        let task = tokio::spawn(async move { write::write(&inner, &sets).await });
        task.await.map_err(DatabaseError::from)?
    }

    /// What is done between two events (inclusive), by mapping version and first event; runs that touch are one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn covered(&self, from: EventSeq, to: EventSeq) -> Result<Vec<Covered>, DatabaseError> {
        ledger::covered(&self.inner.db.client().await?, from, to).await
    }

    /// Answers from the series of `version`; `unit` is passed through. See [`query`](mod@crate::query) for what is exact.
    ///
    /// # Errors
    /// [`QueryError`]: an empty range, a query that takes too long, a sum that overflows, a database that does not answer.
    pub async fn query(
        &self,
        version: MappingVersionId,
        unit: Option<String>,
        spec: &QuerySpec,
        now: Micros,
    ) -> Result<QueryResult, QueryError> {
        let question = query::Question {
            version,
            unit,
            spec,
            now,
            follow: query::Follow::No,
        };
        Ok(query::query(&self.inner, question).await?.result)
    }

    /// As [`Self::query`], for a question that is asked again and again: reads only the buckets that changed since an earlier
    /// answer. The second part of the answer is what the next one may go on from.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn follow(
        &self,
        version: MappingVersionId,
        unit: Option<String>,
        spec: &QuerySpec,
        now: Micros,
        known: Option<Known<'_>>,
    ) -> Result<(QueryResult, Option<Parts>), QueryError> {
        let question = query::Question {
            version,
            unit,
            spec,
            now,
            follow: query::Follow::Yes(known),
        };
        let answer = query::query(&self.inner, question).await?;
        Ok((answer.result, answer.parts))
    }

    /// One pass over the hours that were written to and have cooled down. The server calls it every few seconds; it goes on
    /// when the caller is dropped, and does nothing while another node is at it.
    ///
    /// # Errors
    /// When the database does not answer; what is done so far stays.
    pub async fn rollup(&self) -> Result<RolledUp, DatabaseError> {
        let inner = self.inner.clone();
        tokio::spawn(async move { rollup::pass(&inner).await }).await?
    }

    /// What the books of these pipelines say at one moment, in one snapshot, for a reconciliation.
    ///
    /// # Errors
    /// When the database does not answer, or takes longer than the options allow.
    pub async fn books(&self, pipelines: &[PipelineId], options: &BooksOptions) -> Result<Books, DatabaseError> {
        books::read(&self.inner, pipelines, options).await
    }

    /// Counts, of one version or of all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stats(&self, version: Option<MappingVersionId>) -> Result<SilverStats, DatabaseError> {
        let sql = "SELECT
            (SELECT count(*) FROM series WHERE $1::bigint IS NULL OR mapping_version_id = $1),
            (SELECT count(*) FROM (SELECT DISTINCT mapping_version_id, hour FROM rollup_invalidations
                WHERE $1::bigint IS NULL OR mapping_version_id = $1) h)";
        let row = self
            .inner
            .db
            .client()
            .await?
            .query_one(sql, &[&version.map(|v| v.0)])
            .await?;
        let count = |i| row.get::<_, i64>(i).cast_unsigned();
        Ok(SilverStats {
            series: count(0),
            pending_hours: count(1),
        })
    }
}

/// Microseconds since 1970 as the driver takes them. Those who call have checked the years.
fn timestamp(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}
