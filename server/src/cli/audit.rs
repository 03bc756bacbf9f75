//! `server audit ...`

use std::process::ExitCode;

use dash_db::{DbError, RowConnection, store};
use serde_json::{Value, json};

use super::{database, print};
use crate::config::Config;

/// Checks the chain of every organization's log; 1 when one does not hold.
pub async fn verify(config: &Config) -> anyhow::Result<ExitCode> {
    let opened = database::open(config).await?;
    let mut connection = opened.db.diesel().await?;
    let checked = check(&mut connection).await;
    drop(connection);
    opened.close().await?;
    let (holds, logs) = checked?;
    print(&serde_json::to_string_pretty(&logs)?)?;
    Ok(match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

async fn check(connection: &mut RowConnection) -> Result<(bool, Vec<Value>), DbError> {
    let mut holds = true;
    let mut logs = Vec::new();
    for organization in store::organizations::list(connection).await? {
        let verified = store::audit::verify(connection, organization.id).await?;
        holds &= verified.broken.is_none();
        let head: String = verified.head.iter().map(|byte| format!("{byte:02x}")).collect();
        let broken = verified
            .broken
            .map(|(entry, why)| json!({"entry": entry, "why": why.to_string()}));
        logs.push(json!({
            "organization": organization.slug, "entries": verified.entries, "head": head, "broken": broken,
        }));
    }
    Ok((holds, logs))
}
