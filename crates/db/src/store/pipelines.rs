//! Pipelines and their mapping versions.

use chrono::{DateTime, Utc};
use dash_model::{
    MappingVersionId, OrganizationId, PipelineId, TeamId,
    mapping::Mapping,
    pipeline::{MappingVersion, Pipeline, PipelineDefinition},
};
use dash_vault::Vault;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, JoinOnDsl, NullableExpressionMethods, OptionalExtension,
    QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use secrecy::SecretSlice;
use uuid::Uuid;

use super::{
    audit::{self, By, NewEntry},
    json, keys, micros, read, secrets,
};
use crate::{
    DbError,
    schema::{mapping_versions, pipelines},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = pipelines, check_for_backend(Pg))]
struct PipelineRow {
    id: Uuid,
    organization_id: Uuid,
    slug: String,
    name: String,
    description: String,
    source: serde_json::Value,
    created_at: DateTime<Utc>,
    team_id: Option<Uuid>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = mapping_versions, check_for_backend(Pg))]
struct VersionRow {
    id: i64,
    number: i32,
    mapping: serde_json::Value,
}

#[derive(Insertable)]
#[diesel(table_name = pipelines)]
struct NewPipeline<'a> {
    id: Uuid,
    organization_id: Uuid,
    slug: &'a str,
    name: &'a str,
    description: &'a str,
    source: serde_json::Value,
}

#[derive(Insertable)]
#[diesel(table_name = mapping_versions)]
struct NewVersion {
    organization_id: Uuid,
    pipeline_id: Uuid,
    number: i32,
    mapping: serde_json::Value,
}

/// Pipelines beside their active version. A macro, as diesel's type of it fills a page.
macro_rules! with_version {
    () => {
        pipelines::table
            .inner_join(mapping_versions::table.on(pipelines::active_version_id.eq(mapping_versions::id.nullable())))
            .select((PipelineRow::as_select(), VersionRow::as_select()))
    };
}

/// What a pipeline is made with so that events can be sent to it.
pub struct Credentials<'a> {
    /// SHA-256 of the ingest key.
    pub hash: &'a [u8; 32],
    /// By which people tell keys apart.
    pub hint: &'a str,
    /// Where the source is signed.
    pub signing_secret: Option<&'a SecretSlice<u8>>,
}

/// [`create`] with its credentials and an entry in the audit log, in one transaction: a pipeline without them could never be sent to.
///
/// # Errors
/// As [`create`].
pub async fn create_with(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    organization: OrganizationId,
    definition: &PipelineDefinition,
    credentials: &Credentials<'_>,
    by: &By,
) -> Result<Pipeline, DbError> {
    let write = async |conn: &mut AsyncPgConnection| {
        let pipeline = create(conn, organization, definition).await?;
        keys::insert(conn, organization, pipeline.id, credentials.hash, credentials.hint).await?;
        if let Some(secret) = credentials.signing_secret {
            secrets::set_signing(conn, vault, organization, pipeline.id, secret).await?;
        }
        let entry = NewEntry {
            actor: by.actor.clone(),
            action: "pipeline.create".into(),
            target: format!("pipeline {}", pipeline.slug),
            before: None,
            // A definition holds no secret.
            after: Some(json("the definition", definition)?),
        };
        audit::append(conn, organization, by.at, entry).await?;
        Ok(pipeline)
    };
    conn.transaction(write).await
}

/// Makes a pipeline with version 1 of its mapping, in one transaction (a savepoint within the caller's).
///
/// # Errors
/// [`DbError::Definition`] when the definition does not hold, [`DbError::SlugTaken`] when the organization has the slug.
pub async fn create(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    definition: &PipelineDefinition,
) -> Result<Pipeline, DbError> {
    let slug = definition.validate()?;
    let pipeline = NewPipeline {
        id: Uuid::now_v7(),
        organization_id: organization.0,
        slug: &slug,
        name: &definition.name,
        description: &definition.description,
        source: json("the source", &definition.source)?,
    };
    let mapping = json("the mapping", &definition.mapping)?;
    let write = async |conn: &mut AsyncPgConnection| {
        let row: PipelineRow = diesel::insert_into(pipelines::table)
            .values(&pipeline)
            .returning(PipelineRow::as_returning())
            .get_result(conn)
            .await
            .map_err(|e| DbError::of_slug(e, &slug))?;
        let version: VersionRow = diesel::insert_into(mapping_versions::table)
            .values(NewVersion {
                organization_id: organization.0,
                pipeline_id: row.id,
                number: 1,
                mapping,
            })
            .returning(VersionRow::as_returning())
            .get_result(conn)
            .await?;
        diesel::update(pipelines::table.find(row.id))
            .set(pipelines::active_version_id.eq(version.id))
            .execute(conn)
            .await?;
        pipeline_of((row, version))
    };
    conn.transaction(write).await
}

/// The organization's pipelines, by name.
pub async fn list(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<Vec<Pipeline>, DbError> {
    let rows: Vec<(PipelineRow, VersionRow)> = with_version!()
        .filter(pipelines::organization_id.eq(organization.0))
        .order((pipelines::name, pipelines::id))
        .load(conn)
        .await?;
    rows.into_iter().map(pipeline_of).collect()
}

/// The organization's pipeline of this id or slug. An id is never shadowed by another pipeline's slug that reads like it.
pub async fn get(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    slug_or_id: &str,
) -> Result<Option<Pipeline>, DbError> {
    let id = slug_or_id.parse::<Uuid>().ok();
    let rows: Vec<(PipelineRow, VersionRow)> = with_version!()
        .filter(pipelines::organization_id.eq(organization.0))
        .filter(
            pipelines::slug
                .eq(slug_or_id)
                .or(pipelines::id.eq(id.unwrap_or_default())),
        )
        .load(conn)
        .await?;
    let best = rows.into_iter().min_by_key(|(row, _)| Some(row.id) != id);
    best.map(pipeline_of).transpose()
}

/// The pipeline of this id, of whatever organization: for the inner stages, which know events and no viewers.
pub async fn by_id(conn: &mut AsyncPgConnection, id: PipelineId) -> Result<Option<Pipeline>, DbError> {
    let row: Option<(PipelineRow, VersionRow)> = with_version!()
        .filter(pipelines::id.eq(id.0))
        .first(conn)
        .await
        .optional()?;
    row.map(pipeline_of).transpose()
}

/// Gives a pipeline to a team, or to the whole organization; answers whether the organization has it.
///
/// # Errors
/// [`DbError::Query`] for a team of another organization.
pub async fn set_team(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    id: PipelineId,
    team: Option<TeamId>,
) -> Result<bool, DbError> {
    let own = pipelines::table
        .find(id.0)
        .filter(pipelines::organization_id.eq(organization.0));
    let changed = diesel::update(own)
        .set(pipelines::team_id.eq(team.map(|t| t.0)))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Every pipeline of every organization, for the processor's start.
pub async fn all(conn: &mut AsyncPgConnection) -> Result<Vec<Pipeline>, DbError> {
    let rows: Vec<(PipelineRow, VersionRow)> = with_version!().order(pipelines::id).load(conn).await?;
    rows.into_iter().map(pipeline_of).collect()
}

fn pipeline_of((row, version): (PipelineRow, VersionRow)) -> Result<Pipeline, DbError> {
    let mapping: Mapping = read(|| format!("the mapping of pipeline {}", row.slug), version.mapping)?;
    Ok(Pipeline {
        source: read(|| format!("the source of pipeline {}", row.slug), row.source)?,
        id: PipelineId(row.id),
        organization: OrganizationId(row.organization_id),
        team: row.team_id.map(TeamId),
        slug: row.slug,
        name: row.name,
        description: row.description,
        active_version: MappingVersion {
            id: MappingVersionId(version.id),
            number: version.number,
            mapping,
        },
        created_at: micros(row.created_at),
    })
}
