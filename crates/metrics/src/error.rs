//! What can go wrong, and what to do about it.

/// A write that left nothing behind.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The ledger already covers events of these sets: they are done. Ask [`crate::Silver::covered`] what is missing.
    #[error("events of sets {sets:?} are already written")]
    AlreadyWritten {
        /// Indices into the sets of the call.
        sets: Vec<usize>,
    },
    /// The set contradicts itself: a fault of the caller that a retry does not mend.
    #[error("set {set}: {reason}")]
    Invalid { set: usize, reason: String },
    /// The outcome may be unknown when the connection broke during commit; a retry then says `AlreadyWritten`.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl WriteError {
    /// Whether the same sets may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Database(e) if e.is_transient())
    }
}

/// A question that has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("range: from ({from_ms}) must be before to ({to_ms}); give milliseconds since 1970 UTC")]
    EmptyRange { from_ms: i64, to_ms: i64 },
    #[error("the query took longer than {seconds} s; take a shorter range or fewer series")]
    TooSlow { seconds: u64 },
    #[error("agg: the sum of metric {metric:?} exceeds the largest number; use min, max, first, last or count")]
    Overflow { metric: String },
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Preparing the database failed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("table metrics exists but is neither partitioned nor a hypertable; move it away, then start again")]
    ForeignTable,
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// PostgreSQL did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("{0}")]
    Pool(#[from] dash_db::DbError),
    #[error("PostgreSQL: {}", describe(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("chunks of metrics changed their state during each of several reads; try again")]
    Unsettled,
    #[error("the task that talked to PostgreSQL ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl DatabaseError {
    /// Broken connections, lock time-outs, conflicts and shortages pass; wrong data does not.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Pool(_) | Self::Unsettled => true,
            Self::Task(_) => false,
            Self::Postgres(e) => match e.code() {
                None => true,
                // Connection, transaction rollback, resources, operator intervention, lock not available, system error.
                Some(code) => ["08", "40", "53", "55", "57", "58"].contains(&&code.code()[..2]),
            },
        }
    }

    pub(crate) fn code(&self) -> Option<&tokio_postgres::error::SqlState> {
        match self {
            Self::Postgres(e) => e.code(),
            _ => None,
        }
    }
}

/// The server's own words; `Display` of the driver says only "db error".
fn describe(e: &tokio_postgres::Error) -> String {
    e.as_db_error().map_or_else(
        || e.to_string(),
        |db| format!("{} ({})", db.message(), db.code().code()),
    )
}
