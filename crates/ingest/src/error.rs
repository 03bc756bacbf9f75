//! Why a whole body was not taken.

use dash_model::receipt::Rejection;

use crate::{
    limits::size,
    problem::{Problem, ProblemKind},
};

/// Nothing of the body was taken. The text says what was found and the remedy; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IngestError {
    /// 400: it is not what its Content-Type or Content-Encoding says.
    #[error("{0}")]
    Malformed(String),
    /// 400.
    #[error("the Idempotency-Key {0}; use 1 to 255 visible ASCII characters without spaces, such as a UUID")]
    InvalidKey(&'static str),
    /// 413.
    #[error("{found} came, {} are allowed; send several smaller bodies", size(*.allowed))]
    BodyTooLarge { found: String, allowed: usize },
    /// 413.
    #[error("it is more than {} when {as_what}; send several smaller bodies", size(*.allowed))]
    InflatedTooLarge { as_what: &'static str, allowed: usize },
    /// 413: the only record of the body.
    #[error("the record has {}, {} are allowed", size(*.found), size(*.allowed))]
    RecordTooLarge { found: usize, allowed: usize },
    /// 413.
    #[error("it holds more than {allowed} records; send several smaller bodies")]
    TooManyRecords { allowed: u32 },
    /// 415.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// 415.
    #[error("Content-Encoding {0:?} is not supported; use gzip, zstd or none")]
    UnsupportedEncoding(String),
    /// 422: well-formed, but no record came through.
    #[error("{}", all_rejected(*.rejected_total, .rejected))]
    AllRejected {
        /// The first [`dash_model::receipt::MAX_LISTED`].
        rejected: Vec<Rejection>,
        rejected_total: u32,
    },
}

fn all_rejected(total: u32, rejected: &[Rejection]) -> String {
    match rejected.first() {
        Some(first) => format!(
            "all {total} records were rejected; record {}: {}",
            first.index, first.reason
        ),
        None => "the body holds no records; send at least one JSON object, line or row".into(),
    }
}

impl IngestError {
    /// What the counters of rejected records rise by.
    pub fn rejected_total(&self) -> u32 {
        match self {
            Self::AllRejected { rejected_total, .. } => *rejected_total,
            Self::RecordTooLarge { .. } => 1,
            _ => 0,
        }
    }

    /// The answer.
    pub fn problem(&self) -> Problem {
        let kind = match self {
            Self::Malformed(_) => ProblemKind::MalformedBody,
            Self::InvalidKey(_) => ProblemKind::InvalidRequest,
            Self::BodyTooLarge { .. } => ProblemKind::BodyTooLarge,
            Self::InflatedTooLarge { .. } => ProblemKind::InflatedTooLarge,
            Self::RecordTooLarge { .. } => ProblemKind::RecordTooLarge,
            Self::TooManyRecords { .. } => ProblemKind::TooManyRecords,
            Self::UnsupportedMediaType(_) => ProblemKind::UnsupportedMediaType,
            Self::UnsupportedEncoding(_) => ProblemKind::UnsupportedEncoding,
            Self::AllRejected { .. } => ProblemKind::Unprocessable,
        };
        let problem = Problem::new(kind, self.to_string());
        match self {
            Self::BodyTooLarge { allowed, .. }
            | Self::InflatedTooLarge { allowed, .. }
            | Self::RecordTooLarge { allowed, .. } => problem.member("allowed_bytes", *allowed),
            Self::TooManyRecords { allowed } => problem.member("allowed_records", *allowed),
            Self::AllRejected {
                rejected,
                rejected_total,
            } => problem
                .member("rejected", serde_json::json!(rejected))
                .member("rejected_total", *rejected_total),
            _ => problem,
        }
    }
}
