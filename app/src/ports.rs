//! What pages may ask of the server: one small trait for each area. `server` implements them and provides a [`Ports`] by context.

use std::sync::Arc;

use async_trait::async_trait;
use dash_accounts::policy::Who;
use leptos::prelude::use_context;
use uuid::Uuid;

use crate::{
    AppError,
    api::{GettingStarted, PipelineOverview, QuarantineEntry},
    form::{Done, KeyForm, NewPerson, SignInForm},
    here::Here,
    model::{
        OrganizationId, TeamId, UserId,
        account::{OrganizationRole, TeamRole},
        dashboard::Dashboard,
        people::{Account, AuditEntry, AuditFilter, KeyInfo, Letter, Limit, LinkState, People as PeopleList},
        query::{QueryResult, QuerySpec},
        reconcile::Reconciliation,
        stats::RecentEvent,
    },
};

/// Who asks, and for which organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Signed in, though perhaps a member of no organization.
    pub user: Option<UserId>,
    /// The one that is looked at. Of those who are not signed in it is the one whose shared dashboards they see.
    pub organization: OrganizationId,
    pub who: Who,
}

impl Viewer {
    /// Somebody who is not signed in.
    pub fn nobody(organization: OrganizationId) -> Self {
        Self {
            user: None,
            organization,
            who: Who::Nobody,
        }
    }
}

#[async_trait]
pub trait Pipelines: Send + Sync {
    /// All pipelines with their figures, by name.
    async fn list(&self, viewer: &Viewer) -> Result<Vec<PipelineOverview>, AppError>;
    /// One pipeline by slug or id.
    async fn get(&self, viewer: &Viewer, pipeline: &str) -> Result<PipelineOverview, AppError>;
    /// Its newest events beside what became of them, newest first, at most 100.
    async fn recent(&self, viewer: &Viewer, pipeline: &str) -> Result<Vec<RecentEvent>, AppError>;
    /// Its newest events in quarantine, newest first, at most 100.
    async fn quarantine(&self, viewer: &Viewer, pipeline: &str) -> Result<Vec<QuarantineEntry>, AppError>;
    /// What a newcomer needs to send data of their own.
    async fn getting_started(&self, viewer: &Viewer) -> Result<GettingStarted, AppError>;
}

#[async_trait]
pub trait Dashboards: Send + Sync {
    async fn list(&self, viewer: &Viewer) -> Result<Vec<Dashboard>, AppError>;
    async fn get(&self, viewer: &Viewer, slug: &str) -> Result<Dashboard, AppError>;
}

#[async_trait]
pub trait Metrics: Send + Sync {
    /// Answers in the order of the questions; one failing question does not fail the others.
    async fn query(&self, viewer: &Viewer, specs: Vec<QuerySpec>) -> Vec<Result<QueryResult, AppError>>;
}

#[async_trait]
pub trait Reconcile: Send + Sync {
    /// Holds the books of one pipeline, by slug or id, or of all against each other, as far as that does not read every row.
    async fn reconcile(&self, viewer: &Viewer, pipeline: Option<&str>) -> Result<Reconciliation, AppError>;
}

/// In and out.
#[async_trait]
pub trait Ways: Send + Sync {
    async fn sign_in(&self, viewer: &Viewer, form: SignInForm) -> Result<Done, AppError>;
    /// The second factor, or a recovery code.
    async fn code(&self, viewer: &Viewer, code: String) -> Result<Done, AppError>;
    async fn sign_out(&self, viewer: &Viewer) -> Result<Done, AppError>;
    async fn sign_up(&self, viewer: &Viewer, name: String, email: String) -> Result<Done, AppError>;
    /// Makes the first owner, by the link of the console.
    async fn set_up(
        &self,
        viewer: &Viewer,
        token: String,
        form: NewPerson,
        organization: String,
    ) -> Result<Done, AppError>;
    async fn switch(&self, viewer: &Viewer, organization: OrganizationId) -> Result<Done, AppError>;
}

/// One-time links.
#[async_trait]
pub trait Links: Send + Sync {
    /// Before its button is pressed: scanners of mail open links.
    async fn state(&self, viewer: &Viewer, purpose: &str, token: String) -> Result<LinkState, AppError>;
    /// Sends a link that signs in.
    async fn ask_sign_in(&self, viewer: &Viewer, email: String, to: Option<String>) -> Result<Done, AppError>;
    async fn ask_reset(&self, viewer: &Viewer, email: String) -> Result<Done, AppError>;
    async fn sign_in(&self, viewer: &Viewer, token: String, to: Option<String>) -> Result<Done, AppError>;
    /// Makes a new account ready. Its password is chosen here and not before: whoever signed up with an address that is not theirs has none.
    async fn confirm(&self, viewer: &Viewer, token: String, password: String) -> Result<Done, AppError>;
    async fn reset(&self, viewer: &Viewer, token: String, password: String) -> Result<Done, AppError>;
    /// Of those who are signed in as the invited one.
    async fn accept(&self, viewer: &Viewer, token: String) -> Result<Done, AppError>;
    /// Of those who have no account yet.
    async fn join(&self, viewer: &Viewer, token: String, name: String, password: String) -> Result<Done, AppError>;
}

/// Passkeys. Options and responses are JSON as browsers have it.
#[async_trait]
pub trait Passkeys: Send + Sync {
    /// Options for a new one.
    async fn begin(&self, viewer: &Viewer) -> Result<String, AppError>;
    async fn add(&self, viewer: &Viewer, name: String, response: String) -> Result<Done, AppError>;
    async fn remove(&self, viewer: &Viewer, id: Uuid) -> Result<Done, AppError>;
    /// Options for signing in, without a name.
    async fn begin_sign_in(&self, viewer: &Viewer) -> Result<String, AppError>;
    async fn sign_in(&self, viewer: &Viewer, response: String, to: Option<String>) -> Result<Done, AppError>;
}

/// Somebody's own account.
#[async_trait]
pub trait Profile: Send + Sync {
    async fn get(&self, viewer: &Viewer) -> Result<Account, AppError>;
    async fn rename(&self, viewer: &Viewer, name: String) -> Result<Done, AppError>;
    async fn change_password(&self, viewer: &Viewer, current: String, password: String) -> Result<Done, AppError>;
    async fn end_device(&self, viewer: &Viewer, id: Uuid) -> Result<Done, AppError>;
    async fn end_other_devices(&self, viewer: &Viewer) -> Result<Done, AppError>;
    /// An account elsewhere no longer signs in.
    async fn unlink(&self, viewer: &Viewer, issuer: String, subject: String) -> Result<Done, AppError>;
    async fn begin_second_factor(&self, viewer: &Viewer) -> Result<Done, AppError>;
    async fn confirm_second_factor(&self, viewer: &Viewer, code: String) -> Result<Done, AppError>;
    async fn stop_second_factor(&self, viewer: &Viewer, code: String) -> Result<Done, AppError>;
    async fn new_recovery_codes(&self, viewer: &Viewer, code: String) -> Result<Done, AppError>;
}

/// Keys of programs: one's own, and those of services.
#[async_trait]
pub trait Keys: Send + Sync {
    async fn list(&self, viewer: &Viewer, service: bool) -> Result<Vec<KeyInfo>, AppError>;
    async fn make(&self, viewer: &Viewer, form: KeyForm) -> Result<Done, AppError>;
    async fn revoke(&self, viewer: &Viewer, id: Uuid, service: bool) -> Result<Done, AppError>;
}

/// Who belongs to the organization, and to its teams.
#[async_trait]
pub trait People: Send + Sync {
    async fn list(&self, viewer: &Viewer) -> Result<PeopleList, AppError>;
    async fn invite(&self, viewer: &Viewer, email: String, role: OrganizationRole) -> Result<Done, AppError>;
    async fn revoke_invitation(&self, viewer: &Viewer, id: Uuid) -> Result<Done, AppError>;
    async fn set_role(&self, viewer: &Viewer, user: UserId, role: OrganizationRole) -> Result<Done, AppError>;
    async fn remove(&self, viewer: &Viewer, user: UserId) -> Result<Done, AppError>;
    async fn leave(&self, viewer: &Viewer) -> Result<Done, AppError>;
    async fn hand_on(&self, viewer: &Viewer, user: UserId) -> Result<Done, AppError>;
    async fn make_team(&self, viewer: &Viewer, name: String) -> Result<Done, AppError>;
    async fn delete_team(&self, viewer: &Viewer, team: TeamId) -> Result<Done, AppError>;
    async fn set_team_member(
        &self,
        viewer: &Viewer,
        team: TeamId,
        user: UserId,
        role: TeamRole,
    ) -> Result<Done, AppError>;
    async fn remove_team_member(&self, viewer: &Viewer, team: TeamId, user: UserId) -> Result<Done, AppError>;
}

/// The organization itself.
#[async_trait]
pub trait Organizations: Send + Sync {
    async fn usage(&self, viewer: &Viewer) -> Result<Vec<Limit>, AppError>;
    async fn audit(&self, viewer: &Viewer, filter: AuditFilter) -> Result<Vec<AuditEntry>, AppError>;
    async fn make(&self, viewer: &Viewer, name: String) -> Result<Done, AppError>;
    async fn rename(&self, viewer: &Viewer, name: String) -> Result<Done, AppError>;
    /// `name` is typed once more, so that nobody deletes the wrong one.
    async fn delete(&self, viewer: &Viewer, name: String) -> Result<Done, AppError>;
    async fn keep(&self, viewer: &Viewer) -> Result<Done, AppError>;
    /// Shares a dashboard with everybody, or no more.
    async fn share(&self, viewer: &Viewer, slug: String, public: bool) -> Result<Done, AppError>;
    /// Gives a pipeline to a team, or to the whole organization.
    async fn give_pipeline(&self, viewer: &Viewer, pipeline: String, team: Option<TeamId>) -> Result<Done, AppError>;
    /// Gives a dashboard to a team, or to the whole organization.
    async fn give_dashboard(&self, viewer: &Viewer, slug: String, team: Option<TeamId>) -> Result<Done, AppError>;
    /// Letters of a server that sends none.
    async fn letters(&self, viewer: &Viewer) -> Result<Vec<Letter>, AppError>;
}

/// Everything that pages may ask, and who asks.
#[derive(Clone)]
pub struct Ports {
    pub viewer: Viewer,
    /// What the page that is rendered knows before it asks anything.
    pub here: Here,
    pub pipelines: Arc<dyn Pipelines>,
    pub dashboards: Arc<dyn Dashboards>,
    pub metrics: Arc<dyn Metrics>,
    pub reconcile: Arc<dyn Reconcile>,
    pub ways: Arc<dyn Ways>,
    pub links: Arc<dyn Links>,
    pub passkeys: Arc<dyn Passkeys>,
    pub profile: Arc<dyn Profile>,
    pub keys: Arc<dyn Keys>,
    pub people: Arc<dyn People>,
    pub organizations: Arc<dyn Organizations>,
}

/// The ports of this request. Route generation runs the app without any, hence an error and not a panic.
pub fn ports() -> Result<Ports, AppError> {
    use_context().ok_or_else(|| AppError::Unavailable {
        what: "The server".into(),
    })
}
