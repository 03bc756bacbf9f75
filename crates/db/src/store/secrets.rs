//! Secrets that must be known in clear to be used, sealed by a [`Vault`].

use std::collections::BTreeMap;

use dash_model::{OrganizationId, PipelineId};
use dash_vault::{Place, Vault};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretSlice};
use uuid::Uuid;

use super::audit::{self, By, NewEntry};
use crate::{
    DbError,
    schema::{mails, second_factors, signing_secrets},
};

/// What [`renew`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Were in clear.
    pub sealed: usize,
    /// Were sealed with an older key.
    pub renewed: usize,
    /// Were sealed with the newest key.
    pub kept: usize,
}

fn signing(row: &str) -> Place<'_> {
    Place {
        table: "signing_secrets",
        column: "secret",
        row,
    }
}

/// Sets what bodies of this pipeline are signed with, in place of what was set before.
pub async fn set_signing(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    organization: OrganizationId,
    pipeline: PipelineId,
    secret: &SecretSlice<u8>,
) -> Result<(), DbError> {
    let secret = vault.seal(&signing(&pipeline.0.to_string()), secret.expose_secret());
    diesel::insert_into(signing_secrets::table)
        .values((
            signing_secrets::pipeline_id.eq(pipeline.0),
            signing_secrets::organization_id.eq(organization.0),
            signing_secrets::secret.eq(&secret),
            signing_secrets::sealed.eq(true),
        ))
        .on_conflict(signing_secrets::pipeline_id)
        .do_update()
        .set((signing_secrets::secret.eq(&secret), signing_secrets::sealed.eq(true)))
        .execute(conn)
        .await?;
    Ok(())
}

/// What bodies of this pipeline are signed with.
///
/// # Errors
/// [`DbError::Secret`] when it does not open.
pub async fn signing_of(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    pipeline: PipelineId,
) -> Result<Option<SecretSlice<u8>>, DbError> {
    let row: Option<(Vec<u8>, bool)> = signing_secrets::table
        .find(pipeline.0)
        .select((signing_secrets::secret, signing_secrets::sealed))
        .first(conn)
        .await
        .optional()?;
    match row {
        None => Ok(None),
        Some((sealed, true)) => Ok(Some(vault.open(&signing(&pipeline.0.to_string()), &sealed)?)),
        Some((clear, false)) => Ok(Some(clear.into())),
    }
}

/// Seals what an earlier version stored in clear, and answers how many that were.
///
/// # Errors
/// When the database does not answer; nothing is changed then.
pub async fn seal_clear(conn: &mut AsyncPgConnection, vault: &Vault) -> Result<usize, DbError> {
    let work = async |conn: &mut AsyncPgConnection| {
        let rows: Vec<(Uuid, Vec<u8>)> = signing_secrets::table
            .filter(signing_secrets::sealed.eq(false))
            .select((signing_secrets::pipeline_id, signing_secrets::secret))
            .order(signing_secrets::pipeline_id)
            .for_update()
            .load(conn)
            .await?;
        let count = rows.len();
        for (pipeline, secret) in rows {
            let secret = SecretSlice::from(secret);
            let sealed = vault.seal(&signing(&pipeline.to_string()), secret.expose_secret());
            store(conn, pipeline, sealed).await?;
        }
        Ok(count)
    };
    conn.transaction(work).await
}

/// Seals everything with the newest key, all or nothing: afterwards that key is enough. Each organization whose secrets are concerned finds
/// it in its audit log.
///
/// # Errors
/// [`DbError::Secret`] names the first that does not open; nothing is changed then.
pub async fn renew(conn: &mut AsyncPgConnection, vault: &Vault, by: &By) -> Result<Renewed, DbError> {
    let work = async |conn: &mut AsyncPgConnection| {
        let mut renewed = Renewed {
            sealed: seal_clear(conn, vault).await?,
            ..Renewed::default()
        };
        renew_signing(conn, vault, by, &mut renewed).await?;
        renewed.kept -= renewed.sealed;
        renew_people(conn, vault, &mut renewed).await?;
        Ok(renewed)
    };
    conn.transaction(work).await
}

async fn renew_signing(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    by: &By,
    renewed: &mut Renewed,
) -> Result<(), DbError> {
    let rows: Vec<(Uuid, Uuid, Vec<u8>)> = signing_secrets::table
        .select((
            signing_secrets::organization_id,
            signing_secrets::pipeline_id,
            signing_secrets::secret,
        ))
        .order(signing_secrets::pipeline_id)
        // Who sets one meanwhile waits, and is not overwritten.
        .for_update()
        .load(conn)
        .await?;
    let mut by_organization: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (organization, pipeline, sealed) in rows {
        match vault.renew(&signing(&pipeline.to_string()), &sealed)? {
            None => renewed.kept += 1,
            Some(sealed) => {
                store(conn, pipeline, sealed).await?;
                renewed.renewed += 1;
                *by_organization.entry(organization).or_default() += 1;
            }
        }
    }
    for (organization, rotated) in by_organization {
        let entry = NewEntry {
            actor: by.actor.clone(),
            action: "secrets.rotate".into(),
            target: "signing secrets".into(),
            before: None,
            after: Some(serde_json::json!({"rotated": rotated})),
        };
        audit::append(conn, OrganizationId(organization), by.at, entry).await?;
    }
    Ok(())
}

/// What belongs to people and to no organization: second factors, and letters on their way.
async fn renew_people(conn: &mut AsyncPgConnection, vault: &Vault, renewed: &mut Renewed) -> Result<(), DbError> {
    let rows: Vec<(Uuid, Vec<u8>)> = second_factors::table
        .select((second_factors::user_id, second_factors::secret))
        .order(second_factors::user_id)
        .for_update()
        .load(conn)
        .await?;
    for (user, sealed) in rows {
        match vault.renew(&super::second_factors::place(&user.to_string()), &sealed)? {
            None => renewed.kept += 1,
            Some(sealed) => {
                diesel::update(second_factors::table.find(user))
                    .set(second_factors::secret.eq(sealed))
                    .execute(conn)
                    .await?;
                renewed.renewed += 1;
            }
        }
    }
    let rows: Vec<(Uuid, Vec<u8>)> = mails::table
        .select((mails::id, mails::body))
        .order(mails::id)
        .for_update()
        .load(conn)
        .await?;
    for (mail, sealed) in rows {
        match vault.renew(&super::mails::place(&mail.to_string()), &sealed)? {
            None => renewed.kept += 1,
            Some(sealed) => {
                diesel::update(mails::table.find(mail))
                    .set(mails::body.eq(sealed))
                    .execute(conn)
                    .await?;
                renewed.renewed += 1;
            }
        }
    }
    Ok(())
}

async fn store(conn: &mut AsyncPgConnection, pipeline: Uuid, sealed: Vec<u8>) -> Result<(), DbError> {
    diesel::update(signing_secrets::table.find(pipeline))
        .set((signing_secrets::secret.eq(sealed), signing_secrets::sealed.eq(true)))
        .execute(conn)
        .await?;
    Ok(())
}
