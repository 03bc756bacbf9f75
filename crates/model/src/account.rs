//! People, organizations and teams: who somebody is there.

use crate::words::words;

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
