//! The one answer to "may they?": pure, so that the whole of it can be tried.
//!
//! | | nobody | member | team viewer | team editor | admin | owner |
//! |---|---|---|---|---|---|---|
//! | see what is public | yes | yes | yes | yes | yes | yes |
//! | see what the whole organization has | no | yes | yes | yes | yes | yes |
//! | see what a team has | no | no | its own | its own | yes | yes |
//! | change what a team has | no | no | no | its own | yes | yes |
//! | change what the whole organization has; people, teams, keys, audit | no | no | no | no | yes | yes |
//! | hand ownership on, delete the organization | no | no | no | no | no | yes |
//!
//! What somebody may not even see does not exist for them: the answer is the same as for a name that nothing has. Keys of programs have the
//! rights of their scope, at most those of an admin, and one for events has no other.

use std::collections::BTreeMap;

use dash_model::{
    OrganizationId, TeamId, UserId,
    account::{OrganizationRole, Scope, TeamRole},
};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Not signed in.
    Nobody,
    Person(Person),
    Key(Key),
}

/// Somebody who is signed in, in the organization that they look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub user: UserId,
    pub organization: OrganizationId,
    pub role: OrganizationRole,
    pub teams: BTreeMap<TeamId, TeamRole>,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub organization: OrganizationId,
    /// Nothing: every team.
    pub team: Option<TeamId>,
    pub scope: Scope,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read a pipeline, dashboard, its events or its metrics.
    See,
    /// Make, change or delete one.
    Change,
    /// Send events.
    Ingest,
    /// Read who belongs to the organization and its teams.
    SeePeople,
    /// Invite, remove, give roles; make and delete teams.
    ManagePeople,
    /// Make and revoke keys of the organization.
    ManageKeys,
    /// Name, quotas, sign-in of the organization.
    ManageOrganization,
    /// Read who did what.
    SeeAudit,
    HandOnOwnership,
    DeleteOrganization,
}

impl Action {
    pub const ALL: [Self; 10] = [
        Self::See,
        Self::Change,
        Self::Ingest,
        Self::SeePeople,
        Self::ManagePeople,
        Self::ManageKeys,
        Self::ManageOrganization,
        Self::SeeAudit,
        Self::HandOnOwnership,
        Self::DeleteOrganization,
    ];
}

/// What it is to be done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub organization: OrganizationId,
    /// Nothing: the whole organization's.
    pub team: Option<TeamId>,
    /// Shared with everybody, for reading.
    pub public: bool,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Answered as if it did not exist.
    #[error("there is no such thing")]
    Hidden,
    #[error("sign in first")]
    SignIn,
    #[error("this needs {needs}")]
    Forbidden { needs: &'static str },
}

/// Whether `who` may do this.
///
/// # Errors
/// [`Denied`]
pub fn decide(who: &Who, action: Action, target: &Target) -> Result<(), Denied> {
    if action == Action::See && target.public {
        // A key for events reads nothing, not even what everybody reads: it lies on devices.
        return match who {
            Who::Key(key) if key.scope == Scope::Ingest => Err(Denied::Forbidden { needs: READING }),
            _ => Ok(()),
        };
    }
    match who {
        Who::Nobody => Err(Denied::SignIn),
        Who::Person(person) if person.organization != target.organization => Err(Denied::Hidden),
        Who::Person(person) => rights_of(person, target).decide(action),
        Who::Key(key) if key.organization != target.organization => Err(Denied::Hidden),
        Who::Key(key) => decide_key(key, action, target),
    }
}

const READING: &str = "a key that may read";

/// From the least to the most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rights {
    None,
    See,
    Change,
    Admin,
    Owner,
}

fn rights_of(person: &Person, target: &Target) -> Rights {
    match (person.role, target.team) {
        (OrganizationRole::Owner, _) => Rights::Owner,
        (OrganizationRole::Admin, _) => Rights::Admin,
        (OrganizationRole::Member, None) => Rights::See,
        (OrganizationRole::Member, Some(team)) => match person.teams.get(&team) {
            None => Rights::None,
            Some(TeamRole::Viewer) => Rights::See,
            Some(TeamRole::Editor) => Rights::Change,
        },
    }
}

impl Rights {
    fn decide(self, action: Action) -> Result<(), Denied> {
        let (least, needs) = match action {
            Action::See | Action::SeePeople => (Self::See, ""),
            Action::Change | Action::Ingest => (Self::Change, "the role of an editor in this team, or of an admin"),
            Action::ManagePeople | Action::ManageKeys | Action::ManageOrganization | Action::SeeAudit => {
                (Self::Admin, "the role of an admin in this organization")
            }
            Action::HandOnOwnership | Action::DeleteOrganization => {
                (Self::Owner, "the role of an owner in this organization")
            }
        };
        match self {
            Self::None => Err(Denied::Hidden),
            has if has >= least => Ok(()),
            _ => Err(Denied::Forbidden { needs }),
        }
    }
}

fn decide_key(key: &Key, action: Action, target: &Target) -> Result<(), Denied> {
    // A key of a team knows of nothing else; what the whole organization has is another's, too.
    if key.team.is_some() && key.team != target.team {
        return Err(Denied::Hidden);
    }
    let rights = match (key.scope, action) {
        (Scope::Ingest, Action::Ingest) => return Ok(()),
        (Scope::Ingest, Action::See) => return Err(Denied::Forbidden { needs: READING }),
        (Scope::Ingest, _) => {
            return Err(Denied::Forbidden {
                needs: "another key than one for events",
            });
        }
        (Scope::Read, _) => Rights::See,
        (Scope::Write, _) => Rights::Change,
        (Scope::Admin, _) => Rights::Admin,
    };
    rights.decide(action).map_err(|denied| match denied {
        Denied::Forbidden { .. } => Denied::Forbidden {
            needs: "a key of a wider scope",
        },
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const OWN: OrganizationId = OrganizationId(Uuid::from_u128(1));
    const OTHER: OrganizationId = OrganizationId(Uuid::from_u128(2));
    const TEAM: TeamId = TeamId(Uuid::from_u128(3));
    const OTHER_TEAM: TeamId = TeamId(Uuid::from_u128(4));

    fn person(role: OrganizationRole, team: Option<TeamRole>) -> Who {
        Who::Person(Person {
            user: UserId(Uuid::from_u128(5)),
            organization: OWN,
            role,
            teams: team.map(|role| (TEAM, role)).into_iter().collect(),
        })
    }

    fn key(scope: Scope, team: Option<TeamId>) -> Who {
        Who::Key(Key {
            organization: OWN,
            team,
            scope,
        })
    }

    fn target(organization: OrganizationId, team: Option<TeamId>) -> Target {
        Target {
            organization,
            team,
            public: false,
        }
    }

    fn everybody() -> Vec<(&'static str, Who)> {
        use OrganizationRole::{Admin, Member, Owner};
        vec![
            ("nobody", Who::Nobody),
            ("member", person(Member, None)),
            ("viewer", person(Member, Some(TeamRole::Viewer))),
            ("editor", person(Member, Some(TeamRole::Editor))),
            ("admin", person(Admin, None)),
            ("owner", person(Owner, None)),
            ("ingest key", key(Scope::Ingest, None)),
            ("read key", key(Scope::Read, None)),
            ("write key", key(Scope::Write, None)),
            ("admin key", key(Scope::Admin, None)),
            ("team's write key", key(Scope::Write, Some(TEAM))),
        ]
    }

    /// `+` may, `-` may not, `.` does not exist, `?` has to sign in. Columns are [`Action::ALL`].
    const EXPECTED: &[(&str, [&str; 4])] = &[
        // See Change Ingest SeePeople People Keys Organization Audit Ownership Delete
        //                    own team      other team    organization  another organization
        ("nobody", ["??????????", "??????????", "??????????", "??????????"]),
        ("member", ["..........", "..........", "+--+------", ".........."]),
        ("viewer", ["+--+------", "..........", "+--+------", ".........."]),
        ("editor", ["++++------", "..........", "+--+------", ".........."]),
        ("admin", ["++++++++--", "++++++++--", "++++++++--", ".........."]),
        ("owner", ["++++++++++", "++++++++++", "++++++++++", ".........."]),
        ("ingest key", ["--+-------", "--+-------", "--+-------", ".........."]),
        ("read key", ["+--+------", "+--+------", "+--+------", ".........."]),
        ("write key", ["++++------", "++++------", "++++------", ".........."]),
        ("admin key", ["++++++++--", "++++++++--", "++++++++--", ".........."]),
        (
            "team's write key",
            ["++++------", "..........", "..........", ".........."],
        ),
    ];

    #[test]
    fn everybody_may_do_what_the_table_says_and_nothing_else() {
        let targets = [
            target(OWN, Some(TEAM)),
            target(OWN, Some(OTHER_TEAM)),
            target(OWN, None),
            target(OTHER, Some(TEAM)),
        ];
        let found: Vec<(&str, Vec<String>)> = everybody()
            .into_iter()
            .map(|(name, who)| {
                let of = |target: &Target| -> String {
                    let answer = |action| match decide(&who, action, target) {
                        Ok(()) => '+',
                        Err(Denied::Forbidden { .. }) => '-',
                        Err(Denied::Hidden) => '.',
                        Err(Denied::SignIn) => '?',
                    };
                    Action::ALL.into_iter().map(answer).collect()
                };
                (name, targets.iter().map(of).collect())
            })
            .collect();
        let expected: Vec<(&str, Vec<String>)> = EXPECTED
            .iter()
            .map(|(name, rows)| (*name, rows.iter().map(|r| (*r).to_owned()).collect()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_public_is_seen_by_everybody_and_changed_by_nobody_else() {
        for organization in [OWN, OTHER] {
            let shared = Target {
                public: true,
                ..target(organization, Some(OTHER_TEAM))
            };
            for (name, who) in everybody() {
                assert_eq!(
                    decide(&who, Action::See, &shared).is_ok(),
                    name != "ingest key",
                    "{name}"
                );
                let mut others = Action::ALL.into_iter().filter(|a| *a != Action::See);
                let hidden = Target {
                    public: false,
                    ..shared
                };
                assert!(
                    others.all(|a| decide(&who, a, &shared) == decide(&who, a, &hidden)),
                    "{name}: sharing allows nothing but reading"
                );
            }
        }
    }

    #[test]
    fn a_refusal_says_what_is_needed_and_nothing_of_what_is_hidden() {
        let of = |who: Who, action, target: Target| decide(&who, action, &target).expect_err("refused").to_string();
        let member = || person(OrganizationRole::Member, Some(TeamRole::Viewer));
        assert!(of(member(), Action::Change, target(OWN, Some(TEAM))).contains("editor"));
        assert!(of(member(), Action::ManagePeople, target(OWN, None)).contains("admin"));
        assert_eq!(
            of(member(), Action::Change, target(OTHER, None)),
            of(member(), Action::DeleteOrganization, target(OWN, Some(OTHER_TEAM)))
        );
    }
}
