//! The organization itself.

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
        audit::{Entry, Filter, NewEntry},
        organizations::Organization,
        users::User,
    },
};
use dash_model::{
    Micros,
    account::OrganizationRole,
    people::{AuditEntry, AuditFilter, Letter, Limit},
    pipeline::slugify,
};
use serde_json::json;

use super::{Asked, dashboards};
use crate::{
    access::{
        allow,
        caller::Caller,
        session::{SIGNED_IN, SignedIn},
    },
    accounts::{self, invalid, post},
    config::Mail,
    failure::Failure,
    state::State,
};

/// Entries of a page.
const MANY: i64 = 100;
/// How long an owner may change their mind about deleting, in microseconds.
const GRACE: i64 = 14 * 86_400 * 1_000_000;
/// Letters that the mailbox shows.
const LETTERS: i64 = 50;

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
        let made = make(&self.state, &self.caller, user, &name).await?;
        let session = self.caller.session()?;
        if let Some(signed_in) = session.get::<SignedIn>(SIGNED_IN).await.map_err(Failure::from)? {
            session.cycle_id().await.map_err(Failure::from)?;
            let signed_in = SignedIn {
                organization: Some(made.id),
                ..signed_in
            };
            session.insert(SIGNED_IN, signed_in).await.map_err(Failure::from)?;
        }
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
        let at = Micros(crate::clock::now().0 + GRACE);
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

/// Makes an organization that somebody owns.
pub async fn make(state: &State, caller: &Caller, user: &User, name: &str) -> Result<Organization, AppError> {
    let name = accounts::name(name)?;
    let mut connection = state.db.diesel().await.map_err(Failure::from)?;
    let write = async |conn: &mut RowConnection| {
        let made = create(conn, &name).await?;
        store::members::add(conn, made.id, user.id, OrganizationRole::Owner).await?;
        let entry = NewEntry {
            actor: caller.acting(user),
            action: "organization.create".into(),
            target: format!("organization {name}"),
            before: None,
            after: Some(json!({"owner": user.email})),
        };
        store::audit::append(conn, made.id, crate::clock::now(), entry).await?;
        Ok::<_, Failure>(made)
    };
    Ok(connection.transaction(write).await?)
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
