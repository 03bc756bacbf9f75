//! Brings the database's schema to that of this program.

use std::{thread, time::Duration};

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Bool};
use diesel_async::{AsyncPgConnection, async_connection_wrapper::AsyncConnectionWrapper};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use secrecy::SecretString;

use crate::{
    DbError,
    pool::{config, open, target},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations");

/// The advisory lock that one migrating node holds: "dash" and the purpose.
const LOCK: i64 = 0x6461_7368_0000_0001;

type Connection = AsyncConnectionWrapper<AsyncPgConnection>;

/// Applies what is missing and answers the versions that were applied, oldest first. Several nodes may call it at
/// once: one works, the others wait and find nothing left to do.
///
/// # Errors
/// [`DbError::Url`], [`DbError::Connect`], and [`DbError::Migrate`] with the name of the migration that failed; those
/// before it stay applied, it is rolled back.
pub async fn migrate(url: &SecretString) -> Result<Vec<String>, DbError> {
    locked(url, |connection| {
        let applied = connection.run_pending_migrations(MIGRATIONS).map_err(failed)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
    .await
}

/// Takes every migration back, newest first, and answers their versions. All data is lost.
pub async fn revert_all(url: &SecretString) -> Result<Vec<String>, DbError> {
    locked(url, |connection| {
        let reverted = connection.revert_all_migrations(MIGRATIONS).map_err(failed)?;
        Ok(reverted.iter().map(ToString::to_string).collect())
    })
    .await
}

/// diesel's migrations are blocking: they run on the blocking pool, on a connection of their own.
async fn locked<T: Send + 'static>(
    url: &SecretString,
    work: impl FnOnce(&mut Connection) -> Result<T, DbError> + Send + 'static,
) -> Result<T, DbError> {
    let config = config(url)?;
    let target = target(&config);
    let connection = open(config).await.map_err(|e| DbError::Connect {
        target,
        reason: e.to_string(),
    })?;
    let run = move || {
        let mut connection = Connection::from(connection);
        // Asked again and again instead of waited for: a session that waits inside a statement holds a snapshot, for
        // which a migration that builds an index concurrently would wait in turn. The lock ends with the connection.
        while !take_lock(&mut connection)? {
            thread::sleep(Duration::from_millis(50));
        }
        work(&mut connection)
    };
    tokio::task::spawn_blocking(run)
        .await
        .map_err(|e| DbError::Migrate(e.to_string()))?
}

fn take_lock(connection: &mut Connection) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Answer {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    let answer: Answer = sql_query(format!("SELECT pg_try_advisory_lock({LOCK}) AS taken")).get_result(connection)?;
    Ok(answer.taken)
}

fn failed(error: Box<dyn std::error::Error + Send + Sync>) -> DbError {
    DbError::Migrate(error.to_string())
}
