//! `server organizations ...`

use anyhow::Context;
use clap::Args;
use dash_db::{
    AsyncConnection as _, AsyncPgConnection, RowConnection,
    store::{
        self,
        audit::Actor,
        organizations::{Limits, Organization},
    },
};
use dash_model::{DEFAULT_ORGANIZATION, OrganizationId};
use serde_json::{Value, json};

use super::{database, print};
use crate::{access::record::recorded, config::Config, failure::Failure};

#[derive(Args)]
pub struct SetLimits {
    /// Slug of the organization; the first one when absent.
    #[arg(long)]
    organization: Option<String>,
    #[arg(long)]
    pipelines: Option<u32>,
    /// In a calendar month.
    #[arg(long)]
    events: Option<u64>,
    /// Bytes.
    #[arg(long)]
    lake: Option<u64>,
    #[arg(long)]
    members: Option<u32>,
}

/// All, as JSON.
pub async fn list(config: &Config) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let all = store::organizations::list(&mut *opened.db.diesel().await?).await;
    opened.close().await?;
    let rows: Vec<Value> = all?.iter().map(shown).collect();
    print(&serde_json::to_string_pretty(&rows)?)
}

/// Gives an organization limits of its own; those that are not named are the server's again.
pub async fn limits(config: &Config, arguments: &SetLimits) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let mut connection = opened.db.diesel().await?;
    let set = set(&mut connection, arguments).await;
    drop(connection);
    opened.close().await?;
    print(&serde_json::to_string_pretty(&set?)?)
}

async fn set(connection: &mut RowConnection, arguments: &SetLimits) -> anyhow::Result<Value> {
    let organization = named(connection, arguments.organization.as_deref()).await?;
    let count = |n: Option<u64>| n.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    let limits = Limits {
        pipelines: arguments.pipelines.map(i64::from),
        events_a_month: count(arguments.events),
        lake_bytes: count(arguments.lake),
        members: arguments.members.map(i64::from),
    };
    let write = async |conn: &mut RowConnection| {
        let before = store::organizations::get(conn, organization).await?;
        store::organizations::set_limits(conn, organization, limits).await?;
        let after = store::organizations::get(conn, organization).await?;
        let (before, after) = (before.as_ref().map(shown), after.as_ref().map(shown));
        let (of, target) = ((organization, Actor::operator()), "organization".to_owned());
        recorded(conn, of, "organization.limits", target, (before, after.clone())).await?;
        Ok::<_, Failure>(after)
    };
    Ok(connection.transaction(write).await?.unwrap_or_default())
}

fn shown(organization: &Organization) -> Value {
    json!({
        "slug": organization.slug, "name": organization.name, "delete_at": organization.delete_at,
        "limits": {
            "pipelines": organization.limits.pipelines, "events_a_month": organization.limits.events_a_month,
            "lake_bytes": organization.limits.lake_bytes, "members": organization.limits.members,
        },
    })
}

/// The organization of this slug, or the first one.
pub async fn named(connection: &mut AsyncPgConnection, slug: Option<&str>) -> anyhow::Result<OrganizationId> {
    let Some(slug) = slug else {
        return Ok(DEFAULT_ORGANIZATION);
    };
    let all = store::organizations::list(connection).await?;
    let found = all.iter().find(|organization| organization.slug == slug);
    let known = || all.iter().map(|o| o.slug.as_str()).collect::<Vec<_>>().join(", ");
    found.map(|organization| organization.id).with_context(|| {
        format!(
            "--organization: there is none with the slug {slug:?}; there are {}",
            known()
        )
    })
}
