//! The database's clock: leases are compared between nodes, whose own clocks differ.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::Utc;
use dash_db::{AsyncPgConnection, DbError};
use dash_model::Micros;
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::RunQueryDsl;

/// How far this node's clock is behind, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn now(&self) -> Micros {
        Micros(own() + AtomicI64::load(&self.0, Ordering::Relaxed))
    }

    /// Compares the clocks; what is left is the half of a round trip.
    pub async fn set(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        #[derive(QueryableByName)]
        struct At {
            #[diesel(sql_type = BigInt)]
            micros: i64,
        }
        let asked = own();
        let at: At = sql_query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS micros")
            .get_result(conn)
            .await?;
        let answered = own();
        self.0.store(at.micros - asked.midpoint(answered), Ordering::Relaxed);
        Ok(())
    }
}

fn own() -> i64 {
    Utc::now().timestamp_micros()
}
