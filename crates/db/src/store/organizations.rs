//! Organizations.

use dash_model::OrganizationId;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{DbError, schema::organizations};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub id: OrganizationId,
    pub slug: String,
    pub name: String,
}

/// By name.
pub async fn list(conn: &mut AsyncPgConnection) -> Result<Vec<Organization>, DbError> {
    let rows: Vec<(Uuid, String, String)> = organizations::table
        .order((organizations::name, organizations::id))
        .select((organizations::id, organizations::slug, organizations::name))
        .load(conn)
        .await?;
    let all = rows.into_iter().map(|(id, slug, name)| Organization {
        id: OrganizationId(id),
        slug,
        name,
    });
    Ok(all.collect())
}
