//! Dashboards.

use dash_model::{
    DashboardId, OrganizationId, TeamId,
    dashboard::{Dashboard, Widget},
    query::TimeRange,
};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg,
    query_dsl::methods::FilterDsl as _, upsert::excluded,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{json, read};
use crate::{DbError, schema::dashboards};

#[derive(Queryable, Selectable)]
#[diesel(table_name = dashboards, check_for_backend(Pg))]
struct Row {
    id: Uuid,
    organization_id: Uuid,
    slug: String,
    title: String,
    description: String,
    definition: serde_json::Value,
    team_id: Option<Uuid>,
    public: bool,
}

#[derive(Insertable)]
#[diesel(table_name = dashboards)]
struct NewRow<'a> {
    id: Uuid,
    organization_id: Uuid,
    slug: &'a str,
    title: &'a str,
    description: &'a str,
    definition: serde_json::Value,
    position: i32,
    team_id: Option<Uuid>,
    public: bool,
}

/// What column `definition` holds.
#[derive(Serialize, Deserialize)]
struct Definition {
    range: TimeRange,
    widgets: Vec<Widget>,
}

/// Makes the dashboard or, when its id is there, changes it. Lists are ordered by `position`.
///
/// # Errors
/// [`DbError::SlugTaken`] when another dashboard of the organization has the slug. [`DbError::Query`] (not found) when the
/// id is that of another organization's dashboard, which stays as it is.
pub async fn upsert(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    dashboard: &Dashboard,
    position: i32,
) -> Result<(), DbError> {
    let definition = Definition {
        range: dashboard.range,
        widgets: dashboard.widgets.clone(),
    };
    let row = NewRow {
        id: dashboard.id.0,
        organization_id: organization.0,
        slug: &dashboard.slug,
        title: &dashboard.title,
        description: &dashboard.description,
        definition: json("the dashboard", &definition)?,
        position,
        team_id: dashboard.team.map(|t| t.0),
        public: dashboard.public,
    };
    let _: Uuid = diesel::insert_into(dashboards::table)
        .values(&row)
        .on_conflict(dashboards::id)
        .do_update()
        .set((
            dashboards::slug.eq(excluded(dashboards::slug)),
            dashboards::title.eq(excluded(dashboards::title)),
            dashboards::description.eq(excluded(dashboards::description)),
            dashboards::definition.eq(excluded(dashboards::definition)),
            dashboards::position.eq(excluded(dashboards::position)),
            dashboards::team_id.eq(excluded(dashboards::team_id)),
            dashboards::public.eq(excluded(dashboards::public)),
        ))
        .filter(dashboards::organization_id.eq(organization.0))
        .returning(dashboards::id)
        .get_result(conn)
        .await
        .map_err(|e| DbError::of_slug(e, &dashboard.slug))?;
    Ok(())
}

/// The organization's dashboards, by position and title.
pub async fn list(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<Vec<Dashboard>, DbError> {
    let rows: Vec<Row> = QueryDsl::filter(dashboards::table, dashboards::organization_id.eq(organization.0))
        .order((dashboards::position, dashboards::title, dashboards::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(dashboard_of).collect()
}

/// The organization's dashboard of this id or slug. An id is never shadowed by another's slug that reads like it.
pub async fn get(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    slug_or_id: &str,
) -> Result<Option<Dashboard>, DbError> {
    let id = slug_or_id.parse::<Uuid>().ok();
    let wanted = dashboards::slug
        .eq(slug_or_id)
        .or(dashboards::id.eq(id.unwrap_or_default()));
    let rows: Vec<Row> = QueryDsl::filter(
        dashboards::table,
        dashboards::organization_id.eq(organization.0).and(wanted),
    )
    .select(Row::as_select())
    .load(conn)
    .await?;
    let best = rows.into_iter().min_by_key(|row| Some(row.id) != id);
    best.map(dashboard_of).transpose()
}

/// What is shared with everybody, of all organizations.
pub async fn public(conn: &mut AsyncPgConnection) -> Result<Vec<(OrganizationId, Dashboard)>, DbError> {
    let rows: Vec<Row> = QueryDsl::filter(dashboards::table, dashboards::public)
        .order(dashboards::id)
        .select(Row::as_select())
        .load(conn)
        .await?;
    let all = rows
        .into_iter()
        .map(|row| Ok((OrganizationId(row.organization_id), dashboard_of(row)?)));
    all.collect()
}

/// Shares a dashboard with everybody, or no more; answers whether the organization has it.
pub async fn set_public(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    id: DashboardId,
    public: bool,
) -> Result<bool, DbError> {
    let own = dashboards::id
        .eq(id.0)
        .and(dashboards::organization_id.eq(organization.0));
    let changed = diesel::update(QueryDsl::filter(dashboards::table, own))
        .set(dashboards::public.eq(public))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Gives a dashboard to a team, or to the whole organization; answers whether the organization has it.
///
/// # Errors
/// [`DbError::Query`] for a team of another organization.
pub async fn set_team(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    id: DashboardId,
    team: Option<TeamId>,
) -> Result<bool, DbError> {
    let own = dashboards::id
        .eq(id.0)
        .and(dashboards::organization_id.eq(organization.0));
    let changed = diesel::update(QueryDsl::filter(dashboards::table, own))
        .set(dashboards::team_id.eq(team.map(|t| t.0)))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

fn dashboard_of(row: Row) -> Result<Dashboard, DbError> {
    let Definition { range, widgets } = read(|| format!("dashboard {}", row.slug), row.definition)?;
    Ok(Dashboard {
        id: DashboardId(row.id),
        slug: row.slug,
        title: row.title,
        description: row.description,
        range,
        widgets,
        team: row.team_id.map(TeamId),
        public: row.public,
    })
}
