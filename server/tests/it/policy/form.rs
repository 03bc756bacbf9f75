//! What the functions are asked with.

use dash_db::store;
use dash_model::{
    DEFAULT_ORGANIZATION as OWN, UserId,
    account::{OrganizationRole as Role, TeamRole},
};
use uuid::Uuid;

use super::world::{Whose, World};
use crate::util::Member;

/// The form of a function that is about somebody or something, made anew so that it is there.
pub async fn form(world: &World, path: &str, whose: Whose, nth: usize) -> Vec<(&'static str, String)> {
    let db = world.app.database.db();
    let team = world.team_of(whose).to_string();
    let new_member = async || -> Member {
        let name = format!("m{}", Uuid::new_v4().simple());
        world.app.member(OWN, Role::Member, &name).await
    };
    match path {
        "/api/keys/make" => vec![
            ("name", format!("key {nth}")),
            ("scope", "read".into()),
            ("service", "true".into()),
        ],
        "/api/keys/revoke" => vec![("id", Uuid::now_v7().to_string()), ("service", "true".into())],
        "/api/people/invite" => vec![("email", format!("new{nth}@example.org")), ("role", "member".into())],
        "/api/people/revoke-invitation" => {
            let email = format!("open{}@example.org", Uuid::new_v4().simple());
            let new = store::invitations::NewInvitation {
                email: &email,
                email_key: &email,
                role: Role::Member,
                invited_by: None,
                hash: &rand_hash(),
                now: server::clock::now(),
                expires_at: dash_model::Micros(server::clock::now().0 + 60_000_000),
            };
            let made = store::invitations::create(&mut db.diesel().await.unwrap(), OWN, &new)
                .await
                .unwrap();
            vec![("id", made.id.to_string())]
        }
        "/api/people/role" => vec![("user", new_member().await.user.to_string()), ("role", "member".into())],
        "/api/people/remove" => vec![("user", new_member().await.user.to_string())],
        // Nobody: an owner would be none afterwards. Who may is told so.
        "/api/people/hand-on" => vec![("user", UserId(Uuid::now_v7()).to_string())],
        "/api/teams/make" => vec![("name", format!("Team {nth}"))],
        "/api/teams/delete" => {
            let organization = if whose == Whose::Foreign { world.other } else { OWN };
            let slug = Uuid::new_v4().simple().to_string();
            let made = store::teams::create(&mut db.diesel().await.unwrap(), organization, &slug, &slug).await;
            vec![("team", made.unwrap().id.to_string())]
        }
        "/api/teams/member" => vec![
            ("team", team),
            ("user", new_member().await.user.to_string()),
            ("role", "viewer".into()),
        ],
        "/api/teams/remove-member" => {
            let member = new_member().await;
            if whose != Whose::Foreign {
                let team = world.team_of(whose);
                let mut conn = db.diesel().await.unwrap();
                store::teams::set_member(&mut conn, OWN, team, member.user, TeamRole::Viewer)
                    .await
                    .unwrap();
            }
            vec![("team", team), ("user", member.user.to_string())]
        }
        "/api/organization/name" => vec![("name", "Renamed".into())],
        // The wrong name: nothing is deleted.
        "/api/organization/delete" => vec![("name", "wrong".into())],
        "/api/organization/keep" | "/api/people/leave" => vec![],
        other => panic!("{other} is a new function: say here what its form is"),
    }
}

fn rand_hash() -> [u8; 32] {
    let (a, b) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
    let mut hash = [0; 32];
    hash[..16].copy_from_slice(&a);
    hash[16..].copy_from_slice(&b);
    hash
}
