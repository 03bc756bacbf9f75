//! What is written into the audit log, by whomever.

use dash_db::{
    AsyncPgConnection,
    store::audit::{self, Actor, NewEntry},
};
use dash_model::OrganizationId;
use serde_json::Value;

use crate::failure::Failure;

/// What was before, and what is after.
pub type Change = (Option<Value>, Option<Value>);

/// Writes down, as of now, what an actor did in an organization.
pub async fn recorded(
    connection: &mut AsyncPgConnection,
    (organization, actor): (OrganizationId, Actor),
    action: &str,
    target: String,
    (before, after): Change,
) -> Result<(), Failure> {
    let entry = NewEntry {
        actor,
        action: action.into(),
        target,
        before,
        after,
    };
    audit::append(connection, organization, crate::clock::now(), entry).await?;
    Ok(())
}
