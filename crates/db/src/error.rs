//! What can go wrong between Dash and PostgreSQL. No message holds a password.

use dash_model::mapping::MappingError;
use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// What people, teams and their keys may not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("email: somebody with this address has an account already; sign in, or take another")]
    EmailTaken,
    #[error("they belong to this organization already")]
    AlreadyMember,
    #[error("they do not belong to this organization")]
    NotMember,
    #[error("an organization needs an owner; make somebody else an owner first")]
    LastOwner,
    #[error("there is no such organization")]
    NoOrganization,
    #[error("there is no such team in this organization")]
    NoTeam,
    #[error("name: this organization has a team of this name; choose another")]
    TeamTaken,
    /// Used, revoked, expired, or never there.
    #[error("this link does not work any more; ask for a new one")]
    LinkGone,
    #[error("there is no such key, or it is revoked")]
    NoKey,
    /// A passkey, or an account elsewhere.
    #[error("this signs somebody in already")]
    IdentityTaken,
    #[error("this team has pipelines or dashboards; give them to another one first")]
    TeamHasThings,
}

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The parser's own message may quote pieces of the address, so it is not shown.
    #[error("DATABASE_URL is no PostgreSQL address; write it like postgres://user:password@host:5432/database")]
    Url,
    #[error(
        "PostgreSQL at {target} cannot be used: {reason}; start it, or correct DATABASE_URL, or leave DATABASE_URL out to get a private PostgreSQL"
    )]
    Connect { target: String, reason: String },
    #[error("no connection to PostgreSQL became free: {0}")]
    Pool(String),
    #[error("the database could not be migrated: {0}")]
    Migrate(String),
    #[error("slug: {slug:?} is taken; choose another")]
    SlugTaken { slug: String },
    #[error(transparent)]
    Definition(#[from] MappingError),
    /// A stored value that this version of Dash cannot read.
    #[error("{what} in the database cannot be read: {reason}")]
    Stored { what: String, reason: String },
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Secret(#[from] dash_vault::OpenError),
    #[error("the database answered: {0}")]
    Query(DieselError),
    #[error("the database answered: {}", chain(.0))]
    Client(#[from] tokio_postgres::Error),
}

impl From<DieselError> for DbError {
    fn from(error: DieselError) -> Self {
        Self::Query(error)
    }
}

impl DbError {
    /// Names the slug when `error` says that it is taken. PostgreSQL names the constraint after table and columns.
    pub(crate) fn of_slug(error: DieselError, slug: &str) -> Self {
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info)
                if info.constraint_name().is_some_and(|c| c.ends_with("_slug_key")) =>
            {
                Self::SlugTaken { slug: slug.to_owned() }
            }
            _ => Self::Query(error),
        }
    }

    /// `instead` when `error` says that a row like it is there.
    pub(crate) fn of_unique(error: DieselError, instead: AccountError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => instead.into(),
            other => Self::Query(other),
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Pool(_) => true,
            Self::Query(DieselError::DatabaseError(kind, _)) => matches!(
                kind,
                DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::SerializationFailure
                    | DatabaseErrorKind::UnableToSendCommand
            ),
            Self::Client(e) => e.is_closed(),
            _ => false,
        }
    }
}

/// An error and its causes in one line: the outer ones often say no more than "db error".
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}
