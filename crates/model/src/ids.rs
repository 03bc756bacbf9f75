//! Identities. Each has its own type, so that a batch is never taken for an event.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }
    };
}

uuid_id!(
    /// The tenant that every row belongs to.
    OrganizationId
);
uuid_id!(
    /// A pipeline; people name it by its slug.
    PipelineId
);
uuid_id!(
    /// A dashboard; people name it by its slug.
    DashboardId
);

uuid_id!(
    /// A person, who may belong to several organizations.
    UserId
);
uuid_id!(
    /// A team of an organization.
    TeamId
);

/// The organization of an installation that has no accounts yet.
pub const DEFAULT_ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(1));

/// An immutable mapping version, unique over all pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MappingVersionId(pub i64);

/// The place of an event in everything that a node ever accepted.
///
/// A 63-bit number: the node in the 8 bits above, a counter in the lowest 55. Sequences of a node are dense
/// and never reused, so a batch is named by its first event and an event of it by
/// `batch + row`. JSON carries it as text: it can exceed the 2^53 that JavaScript counts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EventSeq(pub i64);

impl EventSeq {
    /// Bits of the counter; what is above them is the node.
    pub const COUNTER_BITS: u32 = 55;

    /// The first sequence that `node` hands out.
    pub const fn first_of_node(node: u8) -> Self {
        Self((node as i64) << Self::COUNTER_BITS)
    }

    /// The node that accepted this event.
    pub const fn node(self) -> u8 {
        (self.0 >> Self::COUNTER_BITS) as u8
    }

    /// The event `rows` places further.
    pub const fn offset(self, rows: usize) -> Self {
        Self(self.0 + rows as i64)
    }
}

impl fmt::Display for EventSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<EventSeq> for String {
    fn from(seq: EventSeq) -> Self {
        seq.0.to_string()
    }
}

impl TryFrom<String> for EventSeq {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// A batch is named by the sequence of its first event.
pub type BatchId = EventSeq;

/// Microseconds since 1970-01-01 UTC: PostgreSQL's own resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn from_millis(ms: i64) -> Self {
        Self(ms * 1_000)
    }

    /// So much later; at the latest the end of the type.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(micros(time)))
    }

    /// So much earlier; at the earliest the beginning of the type.
    #[must_use]
    pub fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(micros(time)))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
