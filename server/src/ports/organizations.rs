//! The organization itself.

use std::time::Duration;

use app::{
    AppError,
    form::Done,
    ports::{Organizations, Viewer},
};
use async_trait::async_trait;
use dash_accounts::policy::Action;
use dash_db::{
    AsyncConnection as _, AsyncPgConnection, DbError, RowConnection, store,
    store::{
        audit::{Entry, Filter},
        organizations::Organization,
        users::User,
    },
};
use dash_model::{
    DEFAULT_ORGANIZATION, Micros, PipelineId, TeamId,
    account::OrganizationRole,
    dashboard::Dashboard,
    people::{AuditEntry, AuditFilter, Letter, Limit},
    pipeline::{Pipeline, slugify},
};
use serde_json::json;

use super::{Asked, dashboards};
use crate::{
    access::{allow, caller::Caller},
    accounts::{self, invalid, post},
    config::Mail,
    failure::Failure,
    state::State,
};

/// Entries of a page.
const MANY: i64 = 100;
/// How long an owner may change their mind about deleting.
const GRACE: Duration = Duration::from_secs(14 * 86_400);
/// Letters that the mailbox shows.
const LETTERS: i64 = 50;
/// Organizations that one person may make their own: each of them may have what `DASH_MAX_*` say. One that is to be deleted counts until then.
const MOST_OWNED: i64 = 10;

#[async_trait]
impl Organizations for Asked {
    async fn usage(&self, viewer: &Viewer) -> Result<Vec<Limit>, AppError> {
        allow(viewer, Action::SeePeople, None, ("organization", ""))?;
        Ok(self.state.quotas.of(viewer.organization).await?)
    }

    async fn audit(&self, viewer: &Viewer, filter: AuditFilter) -> Result<Vec<AuditEntry>, AppError> {
        allow(viewer, Action::SeeAudit, None, ("audit log", ""))?;
        let mut connection = self.connection().await?;
        let entries = store::audit::list(&mut connection, viewer.organization, &of(filter), MANY).await;
        Ok(entries.map_err(Failure::from)?.into_iter().map(shown).collect())
    }

    async fn make(&self, _viewer: &Viewer, name: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        self.state.rates.organization(user.id)?;
        let made = make(&self.state, &self.caller, user, &name).await?;
        self.look_at(made.id).await?;
        Ok(Done::go("/organization").and_say(format!("{} is made, and you own it.", made.name)))
    }

    async fn rename(&self, viewer: &Viewer, name: String) -> Result<Done, AppError> {
        allow(viewer, Action::ManageOrganization, None, ("organization", ""))?;
        let name = accounts::name(&name)?;
        let before = self.organization(viewer).await?.name;
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::organizations::rename(conn, viewer.organization, &name).await?;
            let change = (Some(json!({"name": before})), Some(json!({"name": name})));
            self.caller
                .record(conn, "organization.rename", format!("organization {name}"), change)
                .await
        };
        connection.transaction(write).await?;
        Ok(Done::say("Saved."))
    }

    async fn delete(&self, viewer: &Viewer, name: String) -> Result<Done, AppError> {
        allow(viewer, Action::DeleteOrganization, None, ("organization", ""))?;
        let organization = self.organization(viewer).await?;
        if organization.name != name.trim() {
            return Err(invalid("name", "this is not its name; type it as it is written"));
        }
        let at = crate::clock::now().plus(GRACE);
        self.delete_at(viewer, &organization, Some(at)).await?;
        Ok(Done::say(
            "It will be deleted in 14 days. Until then an owner can keep it.",
        ))
    }

    async fn keep(&self, viewer: &Viewer) -> Result<Done, AppError> {
        allow(viewer, Action::DeleteOrganization, None, ("organization", ""))?;
        let organization = self.organization(viewer).await?;
        self.delete_at(viewer, &organization, None).await?;
        Ok(Done::say("It is kept."))
    }

    async fn share(&self, viewer: &Viewer, slug: String, public: bool) -> Result<Done, AppError> {
        let board = dashboards::find(&self.state, viewer, &slug).await?;
        dashboards::may(viewer, Action::Change, &board)?;
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            if public {
                may_share(conn, viewer, &board).await?;
            }
            store::dashboards::set_public(conn, viewer.organization, board.id, public).await?;
            let change = (Some(json!({"shared": board.public})), Some(json!({"shared": public})));
            self.caller
                .record(conn, "dashboard.share", format!("dashboard {}", board.slug), change)
                .await
        };
        connection.transaction(write).await?;
        self.state.access.forget_shares();
        Ok(Done::say(match public {
            true => "Everybody who reaches this server sees this dashboard now.",
            false => "This dashboard is no longer shared.",
        }))
    }

    async fn give_pipeline(&self, viewer: &Viewer, pipeline: String, team: Option<TeamId>) -> Result<Done, AppError> {
        let entry = self.state.access.pipeline(viewer, Action::Change, &pipeline).await?;
        let name = self.may_have(viewer, team).await?;
        let (id, before) = (entry.pipeline.id, entry.pipeline.team);
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            if team.is_some() && team != before {
                may_hide(conn, viewer, &entry.pipeline).await?;
            }
            store::pipelines::set_team(conn, viewer.organization, id, team).await?;
            let change = (Some(json!({"team": before})), Some(json!({"team": team})));
            let target = format!("pipeline {}", entry.pipeline.slug);
            self.caller.record(conn, "pipeline.team", target, change).await
        };
        connection.transaction(write).await?;
        drop(connection);
        self.state.catalog.reload().await?;
        Ok(Done::say(format!("The pipeline belongs to {name} now.")))
    }

    async fn give_dashboard(&self, viewer: &Viewer, slug: String, team: Option<TeamId>) -> Result<Done, AppError> {
        let board = dashboards::find(&self.state, viewer, &slug).await?;
        dashboards::may(viewer, Action::Change, &board)?;
        let name = self.may_have(viewer, team).await?;
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::dashboards::set_team(conn, viewer.organization, board.id, team).await?;
            let change = (Some(json!({"team": board.team})), Some(json!({"team": team})));
            self.caller
                .record(conn, "dashboard.team", format!("dashboard {}", board.slug), change)
                .await
        };
        connection.transaction(write).await?;
        Ok(Done::say(format!("The dashboard belongs to {name} now.")))
    }

    async fn letters(&self, _viewer: &Viewer) -> Result<Vec<Letter>, AppError> {
        // Whoever sits at the machine of a server that nobody else reaches: there is nobody to keep them from.
        if !matches!(self.state.config.accounts.mail, Mail::Mailbox) {
            return Err(AppError::NotFound {
                what: "page".into(),
                name: "mailbox".into(),
            });
        }
        let mut connection = self.connection().await?;
        let mails = store::mails::newest(&mut connection, &self.state.vault, LETTERS).await;
        let letters = mails.map_err(Failure::from)?.into_iter().map(|mail| {
            let message = post::read(&mail)?;
            Ok(Letter {
                id: mail.id,
                to: mail.recipient,
                subject: message.subject,
                text: message.text,
                created_at: mail.created_at,
            })
        });
        Ok(letters.collect::<Result<Vec<_>, Failure>>()?)
    }
}

impl Asked {
    /// The name of a team that something may be given to: whoever gives must be one who may change what it has.
    async fn may_have(&self, viewer: &Viewer, team: Option<TeamId>) -> Result<String, AppError> {
        allow(viewer, Action::Change, team, ("team", "of another organization"))?;
        match team {
            Some(team) => self.team_name(viewer, team).await,
            None => Ok("the whole organization".into()),
        }
    }

    async fn organization(&self, viewer: &Viewer) -> Result<Organization, AppError> {
        let found = store::organizations::get(&mut *self.connection().await?, viewer.organization).await;
        found.map_err(Failure::from)?.ok_or_else(|| AppError::NotFound {
            what: "organization".into(),
            name: viewer.organization.to_string(),
        })
    }

    async fn delete_at(
        &self,
        viewer: &Viewer,
        organization: &Organization,
        at: Option<Micros>,
    ) -> Result<(), AppError> {
        let action = if at.is_some() {
            "organization.delete"
        } else {
            "organization.keep"
        };
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::organizations::set_delete_at(conn, viewer.organization, at).await?;
            let change = (
                Some(json!({"delete_at": organization.delete_at})),
                Some(json!({"delete_at": at})),
            );
            self.caller
                .record(conn, action, format!("organization {}", organization.name), change)
                .await
        };
        Ok(connection.transaction(write).await?)
    }
}

/// Whether somebody may share a dashboard with everybody: what it asks must be theirs to see. Until the transaction ends no pipeline of the
/// organization is given away.
async fn may_share(conn: &mut AsyncPgConnection, viewer: &Viewer, board: &Dashboard) -> Result<(), Failure> {
    // Whoever is not signed in looks at the first organization, and at no other.
    if viewer.organization != DEFAULT_ORGANIZATION {
        let reason = "only dashboards of this server's first organization can be seen without an account; \
                      invite whoever is to see this one";
        return Err(invalid("public", reason).into());
    }
    store::members::lock(conn, viewer.organization).await?;
    let all = store::pipelines::list(conn, viewer.organization).await?;
    // One that is not there is no better: somebody may make it later. It is not told which of both it is.
    let is_hidden = |name: &str| {
        let mut named = all.iter().filter(|p| is_named(p, name)).peekable();
        named.peek().is_none() || named.any(|p| allow(viewer, Action::See, p.team, ("pipeline", name)).is_err())
    };
    let mut widgets = board.widgets.iter();
    match widgets.find(|widget| widget.queries.iter().any(|asked| is_hidden(&asked.query.pipeline))) {
        None => Ok(()),
        Some(widget) => {
            let reason = format!(
                "the widget {:?} asks a pipeline that you do not see, so you cannot show it to everybody; \
                 ask an admin to share this dashboard",
                widget.title
            );
            Err(invalid("public", &reason).into())
        }
    }
}

/// Whether a pipeline may become what only a team sees: not while a dashboard shows everybody what it says. Until the transaction ends no
/// dashboard of the organization is shared.
async fn may_hide(conn: &mut AsyncPgConnection, viewer: &Viewer, pipeline: &Pipeline) -> Result<(), Failure> {
    store::members::lock(conn, viewer.organization).await?;
    let boards = store::dashboards::list(conn, viewer.organization).await?;
    let asks = |board: &Dashboard| {
        let mut asked = board.widgets.iter().flat_map(|widget| &widget.queries);
        asked.any(|asked| is_named(pipeline, &asked.query.pipeline))
    };
    let shared = boards.into_iter().filter(|board| board.public && asks(board));
    let titles: Vec<String> = shared.map(|board| format!("{:?}", board.title)).collect();
    if titles.is_empty() {
        return Ok(());
    }
    let reason = format!(
        "everybody sees this pipeline's metrics on shared dashboards; stop sharing {} first",
        titles.join(", ")
    );
    Err(invalid("team", &reason).into())
}

/// Whether a question that names this means the pipeline. Of two that could be meant, by slug and by id, both are.
fn is_named(pipeline: &Pipeline, name: &str) -> bool {
    pipeline.slug == name || name.parse::<PipelineId>().is_ok_and(|id| id == pipeline.id)
}

/// Makes an organization that somebody owns.
///
/// # Errors
/// [`AppError::Forbidden`] when they own as many as they may.
pub async fn make(state: &State, caller: &Caller, user: &User, name: &str) -> Result<Organization, AppError> {
    let name = accounts::name(name)?;
    let mut connection = state.db.diesel().await.map_err(Failure::from)?;
    let write = async |conn: &mut RowConnection| {
        if store::members::owned(conn, user.id, crate::clock::now()).await? >= MOST_OWNED {
            return Err(owns_enough().into());
        }
        let made = create(conn, &name).await?;
        store::members::add(conn, made.id, user.id, OrganizationRole::Owner).await?;
        let (of, target) = ((made.id, user), format!("organization {name}"));
        let owner = Some(json!({"owner": user.email}));
        caller
            .record_as(conn, of, "organization.create", target, (None, owner))
            .await?;
        Ok::<_, Failure>(made)
    };
    Ok(connection.transaction(write).await?)
}

fn owns_enough() -> AppError {
    AppError::Forbidden {
        needs: format!(
            "you to own fewer organizations: {MOST_OWNED} are the most. Hand one on; one that you delete counts for 14 days more"
        ),
    }
}

/// Slugs are unique over all organizations, names are not: whoever comes second gets a number.
async fn create(connection: &mut AsyncPgConnection, name: &str) -> Result<Organization, Failure> {
    let slug = match slugify(name) {
        slug if slug.is_empty() => "organization".to_owned(),
        slug => slug,
    };
    for n in 1..=3 {
        let tried = match n {
            1 => slug.clone(),
            // Not counted up: that would tell how many there are.
            _ => format!("{slug}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8]),
        };
        let made = async |conn: &mut AsyncPgConnection| store::organizations::create(conn, &tried, name).await;
        match connection.transaction(made).await {
            Err(DbError::SlugTaken { .. }) => {}
            other => return Ok(other?),
        }
    }
    Err(Failure::internal(format!("no slug is free for {name:?}")))
}

/// What somebody typed; what is empty does not count.
pub fn of(filter: AuditFilter) -> Filter {
    let typed = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Filter {
        before: filter.before,
        action: typed(filter.action),
        actor: typed(filter.actor),
        target: typed(filter.target),
    }
}

fn shown(entry: Entry) -> AuditEntry {
    AuditEntry {
        number: entry.number,
        at: entry.at,
        actor: entry.actor,
        actor_name: entry.actor_name,
        address: entry.address,
        action: entry.action,
        target: entry.target,
        before: entry.before,
        after: entry.after,
    }
}
