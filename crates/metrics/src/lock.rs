//! Advisory locks of Silver: a class, and a number within it.

use deadpool_postgres::Transaction;

use crate::DatabaseError;

pub const SETUP: i32 = 0x6461_7301;
pub const SERIES: i32 = 0x6461_7302;
pub const LEDGER: i32 = 0x6461_7303;
pub const PARTITIONS: i32 = 0x6461_7304;
pub const ROLLUP: i32 = 0x6461_7305;

/// Waits for a lock that ends with the transaction. Numbers that agree in their lower half share a lock, which costs
/// waiting and nothing else.
pub async fn in_transaction(tx: &Transaction<'_>, class: i32, number: i64) -> Result<(), DatabaseError> {
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    let number = number as i32;
    tx.execute("SELECT pg_advisory_xact_lock($1, $2)", &[&class, &number])
        .await?;
    Ok(())
}
