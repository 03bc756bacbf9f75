//! What pages show of people, their organizations and their ways in.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Micros, OrganizationId, TeamId, UserId,
    account::{OrganizationRole, Scope, TeamRole},
};

/// Who looks at a page, and what this server offers to those who are not signed in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Me {
    pub person: Option<Person>,
    pub ways: Ways,
}

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    pub id: UserId,
    pub name: String,
    pub email: String,
    /// The one that they look at; nothing while they belong to none.
    pub organization: Option<Seat>,
    /// All that they belong to, by name.
    pub organizations: Vec<Seat>,
}

impl Person {
    /// Whether they may do what an admin does.
    pub fn is_admin(&self) -> bool {
        let role = self.organization.as_ref().map(|seat| seat.role);
        role.is_some_and(|role| role >= OrganizationRole::Admin)
    }

    pub fn is_owner(&self) -> bool {
        let role = self.organization.as_ref().map(|seat| seat.role);
        role == Some(OrganizationRole::Owner)
    }
}

/// Somebody's place in an organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seat {
    pub id: OrganizationId,
    pub slug: String,
    pub name: String,
    pub role: OrganizationRole,
    /// When everything of it is deleted.
    pub delete_at: Option<Micros>,
    /// Limits that are nearly reached, in words.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// What this server offers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// Nobody has an account yet: the link on the console makes the first.
    pub set_up: bool,
    /// Anybody may make an account.
    pub sign_up: bool,
    /// It sends letters, or shows them.
    pub mail: bool,
    /// Letters are shown on a page instead of being sent.
    pub mailbox: bool,
    pub passkeys: bool,
    pub providers: Vec<Provider>,
}

/// Where somebody may have an account that signs them in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provider {
    pub slug: String,
    pub name: String,
}

/// What came of a way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// Signed in; go there.
    In { to: String },
    /// The second factor is asked for; go there.
    Code { to: String },
}

impl Entry {
    pub fn path(&self) -> &str {
        match self {
            Self::In { to } | Self::Code { to } => to,
        }
    }
}

/// What a one-time link does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LinkState {
    Works,
    /// Of an invitation.
    Invitation {
        organization: String,
        email: String,
        role: OrganizationRole,
        /// Somebody has an account of that address.
        has_account: bool,
    },
    /// Used, replaced, expired, or never there.
    Gone,
}

/// Somebody's account, for its page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub name: String,
    pub email: String,
    pub has_password: bool,
    pub second_factor: SecondFactorState,
    pub devices: Vec<Device>,
    pub passkeys: Vec<Passkey>,
    /// Accounts elsewhere: issuer, subject, address.
    pub identities: Vec<Identity>,
}

/// Where somebody is signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub id: Uuid,
    /// In words, such as "Firefox on Linux".
    pub agent: String,
    pub address: Option<String>,
    pub created_at: Micros,
    pub seen_at: Micros,
    /// The one that asks.
    pub this: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passkey {
    pub id: Uuid,
    pub name: String,
    pub created_at: Micros,
    pub last_used_at: Option<Micros>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
}

/// Whether sign-in asks for a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SecondFactorState {
    Off,
    /// Until a code of it was typed.
    Begun(SecondFactorStart),
    On {
        /// That are left.
        recovery_codes: u32,
    },
}

/// A second factor that is about to be switched on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorStart {
    /// For apps that take no picture, in groups of four.
    pub secret: String,
    /// A picture of the `otpauth:` address, as SVG.
    pub picture: String,
}

/// An API key as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyInfo {
    pub id: Uuid,
    pub name: String,
    /// `dash_` and the part that is no secret.
    pub public: String,
    pub scope: Scope,
    /// The team that it is bound to; nothing: all of them.
    pub team: Option<String>,
    pub created_at: Micros,
    pub expires_at: Option<Micros>,
    pub last_used_at: Option<Micros>,
}

/// A new key: the only time that it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewKey {
    pub name: String,
    pub key: String,
}

/// People, invitations and teams of an organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct People {
    pub members: Vec<Member>,
    /// Nothing for those who may not invite.
    pub invitations: Option<Vec<Invitation>>,
    pub teams: Vec<Team>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    pub user: UserId,
    pub name: String,
    pub email: String,
    pub role: OrganizationRole,
    pub joined_at: Micros,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    pub id: Uuid,
    pub email: String,
    pub role: OrganizationRole,
    pub expires_at: Micros,
}

/// An invitation that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    pub email: String,
    /// To hand over by oneself, where this server sends no letters; shown once.
    pub link: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub members: Vec<TeamMember>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TeamMember {
    pub user: UserId,
    pub name: String,
    pub email: String,
    pub role: TeamRole,
}

/// One limit of an organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    pub what: Limited,
    pub used: u64,
    /// Nothing: as much as there is room for.
    pub allowed: Option<u64>,
}

impl Limit {
    /// 0.8 is near, 1 is reached.
    pub fn share(&self) -> Option<f64> {
        self.allowed.map(|allowed| match allowed {
            0 => 1.0,
            allowed => self.used as f64 / allowed as f64,
        })
    }

    pub fn is_near(&self) -> bool {
        self.share().is_some_and(|share| share >= 0.8)
    }

    pub fn is_reached(&self) -> bool {
        self.share().is_some_and(|share| share >= 1.0)
    }
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limited {
    Pipelines,
    EventsAMonth,
    LakeBytes,
    Members,
}

impl Limited {
    pub const ALL: [Self; 4] = [Self::Pipelines, Self::EventsAMonth, Self::LakeBytes, Self::Members];

    /// As a sentence names it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pipelines => "pipelines",
            Self::EventsAMonth => "events in this month",
            Self::LakeBytes => "bytes in the lake",
            Self::Members => "members, invited ones included",
        }
    }
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    pub number: i64,
    pub at: Micros,
    /// person, key, operator or system
    pub actor: String,
    pub actor_name: String,
    pub address: Option<String>,
    pub action: String,
    pub target: String,
    /// JSON, without secrets
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Which entries of the audit log to show; what is empty does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    pub before: Option<i64>,
    pub action: String,
    pub actor: String,
    pub target: String,
}

/// A letter in the mailbox of a server that sends none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    pub id: Uuid,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub created_at: Micros,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_near_and_then_reached() {
        let of = |used, allowed| Limit {
            what: Limited::Members,
            used,
            allowed,
        };
        assert!(!of(7, Some(10)).is_near());
        assert!(of(8, Some(10)).is_near() && !of(8, Some(10)).is_reached());
        assert!(of(10, Some(10)).is_reached() && of(12, Some(10)).is_reached());
        assert!(of(0, Some(0)).is_reached(), "nothing is allowed");
        assert!(!of(u64::MAX, None).is_near());
    }
}
