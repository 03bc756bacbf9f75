//! Makes Silver's tables, on TimescaleDB or on plain PostgreSQL.

use dash_db::Db;
use deadpool_postgres::{Client, GenericClient};

use crate::{
    Engine, Mode,
    aggregates::{OF_POINTS, OF_ROLLUPS},
    error::{DatabaseError, SetupError},
    lock, partitions,
};

const COMMON: &str = include_str!("../sql/common.sql");
const PLAIN: &str = include_str!("../sql/plain.sql");
const TIMESCALE: &str = include_str!("../sql/timescale.sql");

/// Makes what is missing. What is there decides the mode: tables are never moved from one to the other.
pub async fn setup(db: &Db, engine: Engine) -> Result<Mode, SetupError> {
    let mut client = db.client().await.map_err(DatabaseError::from)?;
    if engine == Engine::Auto && !exists(&client).await? {
        create_extension(&client).await?;
    }
    create(&mut client, engine).await
}

async fn create(client: &mut Client, engine: Engine) -> Result<Mode, SetupError> {
    let tx = client.transaction().await.map_err(DatabaseError::from)?;
    // Several nodes may start at once.
    lock::in_transaction(&tx, lock::SETUP, 0).await?;
    let extension = version(&tx).await?;
    let mode = match (kind(&tx).await?, extension) {
        (None, Some(version)) if engine == Engine::Auto => Mode::Timescale { version },
        (None, _) => Mode::Plain,
        (Some('p'), _) => return Ok(Mode::Plain),
        (Some('r'), Some(version)) if is_hypertable(&tx).await? => return Ok(Mode::Timescale { version }),
        _ => return Err(SetupError::ForeignTable),
    };
    let tables = match mode {
        Mode::Plain => PLAIN,
        Mode::Timescale { .. } => TIMESCALE,
    };
    let sql = format!("{COMMON}{tables}")
        .replace("{aggregates}", OF_POINTS)
        .replace("{rolled}", OF_ROLLUPS);
    tx.batch_execute(&sql).await.map_err(DatabaseError::from)?;
    if mode == Mode::Plain {
        partitions::make_outer(&tx).await?;
    }
    tx.commit().await.map_err(DatabaseError::from)?;
    tracing::info!(?mode, "made the tables of metrics");
    Ok(mode)
}

/// TimescaleDB works only where the server has preloaded it. A refusal (a missing right) leaves plain PostgreSQL.
async fn create_extension(client: &impl GenericClient) -> Result<(), DatabaseError> {
    let loaded: bool = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
                AND current_setting('shared_preload_libraries') LIKE '%timescaledb%'",
            &[],
        )
        .await?
        .get(0);
    if loaded && let Err(e) = client.batch_execute("CREATE EXTENSION IF NOT EXISTS timescaledb").await {
        let error = DatabaseError::from(e);
        if error.is_transient() {
            return Err(error);
        }
        tracing::warn!(%error, "TimescaleDB is installed but cannot be used; metrics go to plain PostgreSQL");
    }
    Ok(())
}

async fn exists(client: &impl GenericClient) -> Result<bool, DatabaseError> {
    Ok(kind(client).await?.is_some())
}

/// What `metrics` is: `p` partitioned, `r` an ordinary table (which a hypertable is, too).
async fn kind(client: &impl GenericClient) -> Result<Option<char>, DatabaseError> {
    let row = client
        .query_opt("SELECT relkind FROM pg_class WHERE oid = to_regclass('metrics')", &[])
        .await?;
    Ok(row.map(|r| char::from(r.get::<_, i8>(0).cast_unsigned())))
}

async fn version(client: &impl GenericClient) -> Result<Option<String>, DatabaseError> {
    let row = client
        .query_opt("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'", &[])
        .await?;
    Ok(row.map(|r| r.get(0)))
}

async fn is_hypertable(client: &impl GenericClient) -> Result<bool, DatabaseError> {
    let sql = "SELECT EXISTS (SELECT FROM timescaledb_information.hypertables WHERE hypertable_name = 'metrics')";
    Ok(client.query_one(sql, &[]).await?.get(0))
}
