//! What can fail inside the server, and how each shows: to a page as [`AppError`], to a script as [`Problem`].
//! The cause of a 5xx goes to the log here and never to whoever asked.

use app::AppError;
use dash_db::{AccountError, DbError, DieselError};
use dash_ingest::{IngestError, Problem, ProblemKind};
use dash_metrics::QueryError;
use dash_model::mapping::MappingError;
use dash_spool::AppendError;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Definition(#[from] MappingError),
    #[error(transparent)]
    Ingest(#[from] IngestError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Database(#[from] DbError),
    #[error(transparent)]
    Session(#[from] tower_sessions::session::Error),
    /// Already the answer.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal(what.into())
    }

    pub fn problem(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self::Problem(Box::new(Problem::new(kind, detail)))
    }
}

/// A transaction that could not begin or end.
impl From<DieselError> for Failure {
    fn from(error: DieselError) -> Self {
        Self::Database(error.into())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<Failure> for AppError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::App(error) => error,
            Failure::Definition(e) => Self::Invalid {
                field: e.field,
                reason: e.reason,
            },
            Failure::Query(QueryError::Database(e)) => {
                tracing::error!(error = %e, "a query failed");
                Self::Unavailable {
                    what: "The database".into(),
                }
            }
            Failure::Query(e) => Self::Invalid {
                field: "query".into(),
                reason: e.to_string(),
            },
            Failure::Database(DbError::SlugTaken { slug }) => Self::Invalid {
                field: "slug".into(),
                reason: format!("{slug:?} is taken; choose another"),
            },
            Failure::Database(DbError::Account(e)) => of_account(&e),
            Failure::Session(e) => {
                tracing::error!(error = %e, "a session could not be read or written");
                Self::Unavailable {
                    what: "The database".into(),
                }
            }
            Failure::Database(e) => {
                tracing::error!(error = %e, "the database failed");
                if e.is_transient() {
                    Self::Unavailable {
                        what: "The database".into(),
                    }
                } else {
                    Self::Internal
                }
            }
            other => {
                tracing::error!(error = %other, "internal failure");
                Self::Internal
            }
        }
    }
}

/// What people may not do, at the field where they did it.
fn of_account(error: &AccountError) -> AppError {
    let words = error.to_string();
    let field = match error {
        AccountError::LinkGone => return AppError::Gone,
        AccountError::EmailTaken => "email",
        AccountError::TeamTaken => "name",
        _ => "person",
    };
    let reason = words.trim_start_matches("email: ").trim_start_matches("name: ");
    AppError::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Problem(problem) => *problem,
            Failure::Ingest(e) => e.problem(),
            Failure::Append(e) => append_problem(&e),
            other => match AppError::from(other) {
                e @ AppError::NotFound { .. } => Self::new(ProblemKind::NotFound, e.to_string()),
                e @ AppError::Invalid { .. } => Self::new(ProblemKind::InvalidDefinition, e.to_string()),
                e @ (AppError::Unavailable { .. } | AppError::Transport(_)) => {
                    Self::new(ProblemKind::Unavailable, e.to_string()).retry_after(std::time::Duration::from_secs(1))
                }
                e @ AppError::SignIn => Self::new(
                    ProblemKind::Unauthorized,
                    format!("{e} Send the header Authorization: Bearer <key>."),
                ),
                e @ (AppError::Forbidden { .. } | AppError::Limit { .. }) => {
                    Self::new(ProblemKind::Forbidden, e.to_string())
                }
                e @ AppError::Gone => Self::new(ProblemKind::NotFound, e.to_string()),
                e @ AppError::TooMany { seconds } => Self::new(ProblemKind::RateLimited, e.to_string())
                    .retry_after(std::time::Duration::from_secs(seconds.into())),
                e @ AppError::Internal => Self::new(ProblemKind::Internal, e.to_string()),
            },
        }
    }
}

fn append_problem(error: &AppendError) -> Problem {
    let kind = match error {
        AppendError::TooLarge { .. } => ProblemKind::BodyTooLarge,
        AppendError::Busy { .. } => ProblemKind::RateLimited,
        _ => ProblemKind::Unavailable,
    };
    let problem = Problem::new(kind, error.to_string());
    match error.retry_after() {
        Some(wait) => problem.retry_after(wait),
        None => problem,
    }
}
