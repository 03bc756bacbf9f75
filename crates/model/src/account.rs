//! People, organizations and teams: who somebody is there.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$case_doc])* $case),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// As it is written in addresses and in the database.
            pub fn word(self) -> &'static str {
                match self { $(Self::$case => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|case| case.word() == text).ok_or_else(|| UnknownWord {
                    found: text.to_owned(),
                    allowed: Self::ALL.iter().map(|case| case.word()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

/// A word that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {found:?}; allowed are {allowed}")]
pub struct UnknownWord {
    pub found: String,
    pub allowed: String,
}

words!(
    /// What somebody may do in an organization; a greater role includes the lesser ones.
    OrganizationRole {
        /// Sees what belongs to the whole organization, and the teams they are in.
        Member = "member",
        /// Sees and does everything in every team; invites and removes people.
        Admin = "admin",
        /// As an admin; hands ownership on and deletes the organization.
        Owner = "owner",
    }
);

words!(
    /// What somebody may do with what belongs to a team; a greater role includes the lesser one.
    TeamRole {
        Viewer = "viewer",
        Editor = "editor",
    }
);

words!(
    /// What an API key may do.
    Scope {
        /// Send events to pipelines, and nothing else.
        Ingest = "ingest",
        /// Read what a viewer of its team reads.
        Read = "read",
        /// Also change what an editor changes.
        Write = "write",
        /// Also what an admin does.
        Admin = "admin",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for role in OrganizationRole::ALL {
            assert_eq!(role.to_string().parse(), Ok(*role));
            assert_eq!(serde_json::to_string(role).expect("json"), format!("{:?}", role.word()));
        }
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(*scope));
        }
        let error = "king".parse::<TeamRole>().expect_err("no role");
        assert_eq!(error.to_string(), r#"found "king"; allowed are viewer, editor"#);
    }

    #[test]
    fn greater_roles_include_lesser_ones() {
        assert!(
            OrganizationRole::Owner > OrganizationRole::Admin && OrganizationRole::Admin > OrganizationRole::Member
        );
        assert!(TeamRole::Editor > TeamRole::Viewer);
        assert!(Scope::Admin > Scope::Write && Scope::Write > Scope::Read);
    }
}
