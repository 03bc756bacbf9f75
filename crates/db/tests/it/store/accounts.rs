//! People, organizations, teams, invitations, links and keys.

use dash_db::{
    AccountError, AsyncPgConnection, DbError,
    store::{
        api_keys::{self, NewApiKey},
        invitations::{self, NewInvitation},
        members, organizations, teams, tokens,
        users::{self, User},
    },
    test_support::TestDatabase,
};
use dash_model::{
    DEFAULT_ORGANIZATION as OWN, Micros, OrganizationId, TeamId, UserId,
    account::{OrganizationRole as Role, Scope, TeamRole},
};
use uuid::Uuid;

use super::another_organization;

const NOW: Micros = Micros(1_800_000_000_000_000);

fn later(seconds: i64) -> Micros {
    Micros(NOW.0 + seconds * 1_000_000)
}

async fn user(conn: &mut AsyncPgConnection, name: &str) -> User {
    let email = format!("{name}@example.org");
    users::create(conn, &email, &email.to_lowercase(), name, None)
        .await
        .unwrap()
}

async fn member(conn: &mut AsyncPgConnection, organization: OrganizationId, name: &str, role: Role) -> UserId {
    let user = user(conn, name).await;
    members::add(conn, organization, user.id, role).await.unwrap();
    user.id
}

fn refused<T: std::fmt::Debug>(result: Result<T, DbError>) -> AccountError {
    match result {
        Err(DbError::Account(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_address_has_one_account_however_it_is_written() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let ada = users::create(conn, "Ada@Example.org", "ada@example.org", "Ada", Some("hash"))
        .await
        .unwrap();
    let again = users::create(conn, "ada@example.org", "ada@example.org", "Eve", None).await;
    assert_eq!(refused(again), AccountError::EmailTaken);
    assert_eq!(
        users::by_email(conn, "ada@example.org").await.unwrap(),
        Some(ada.clone())
    );
    assert_eq!(
        users::by_email(conn, "Ada@Example.org").await.unwrap(),
        None,
        "only by the key"
    );
    users::set_password(conn, ada.id, "new").await.unwrap();
    users::confirm_email(conn, ada.id, NOW).await.unwrap();
    users::confirm_email(conn, ada.id, later(9)).await.unwrap();
    let read = users::get(conn, ada.id).await.unwrap().unwrap();
    assert_eq!(read.password_hash.as_deref(), Some("new"));
    assert_eq!(read.email_confirmed_at, Some(NOW), "the first time counts");
    assert_eq!(read.email, "Ada@Example.org");
}

#[tokio::test]
async fn an_organization_counts_for_its_owners_until_it_is_deleted() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    let ada = member(conn, OWN, "ada", Role::Owner).await;
    members::add(conn, other, ada, Role::Admin).await.unwrap();
    assert_eq!(members::owned(conn, ada, NOW).await.unwrap(), 1);
    members::set_role(conn, other, ada, Role::Owner).await.unwrap();
    organizations::set_delete_at(conn, other, Some(later(60)))
        .await
        .unwrap();
    assert_eq!(members::owned(conn, ada, NOW).await.unwrap(), 2);
    assert_eq!(members::owned(conn, ada, later(60)).await.unwrap(), 1);
}

#[tokio::test]
async fn an_organization_keeps_an_owner() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    let (ada, bob) = (
        member(conn, OWN, "ada", Role::Owner).await,
        member(conn, OWN, "bob", Role::Member).await,
    );
    // An owner elsewhere does not count.
    let eve = member(conn, other, "eve", Role::Owner).await;
    assert_eq!(refused(members::remove(conn, OWN, ada).await), AccountError::LastOwner);
    assert_eq!(
        refused(members::set_role(conn, OWN, ada, Role::Admin).await),
        AccountError::LastOwner
    );
    assert_eq!(
        members::set_role(conn, OWN, ada, Role::Owner).await.unwrap(),
        Role::Owner,
        "nothing changes"
    );
    assert_eq!(refused(members::remove(conn, OWN, eve).await), AccountError::NotMember);
    assert_eq!(
        refused(members::hand_on(conn, OWN, ada, eve).await),
        AccountError::NotMember
    );
    assert_eq!(
        members::role(conn, OWN, ada).await.unwrap(),
        Some(Role::Owner),
        "all or nothing"
    );
    assert_eq!(
        refused(members::hand_on(conn, OWN, bob, ada).await),
        AccountError::NotMember,
        "is no owner"
    );

    members::hand_on(conn, OWN, ada, bob).await.unwrap();
    let found: Vec<_> = members::list(conn, OWN)
        .await
        .unwrap()
        .into_iter()
        .map(|m| (m.name, m.role))
        .collect();
    assert_eq!(
        found,
        [("bob".to_owned(), Role::Owner), ("ada".to_owned(), Role::Admin)]
    );
    assert_eq!(members::remove(conn, OWN, ada).await.unwrap(), Role::Admin);
    assert_eq!(refused(members::remove(conn, OWN, bob).await), AccountError::LastOwner);
    assert_eq!(
        refused(members::add(conn, OWN, bob, Role::Admin).await),
        AccountError::AlreadyMember
    );
    let belongs = users::organizations(conn, bob, NOW).await.unwrap();
    assert_eq!(belongs.len(), 1);
    assert_eq!((belongs[0].organization, belongs[0].role), (OWN, Role::Owner));
    organizations::set_delete_at(conn, OWN, Some(later(60))).await.unwrap();
    let belongs = users::organizations(conn, bob, NOW).await.unwrap();
    assert_eq!(
        belongs[0].delete_at,
        Some(later(60)),
        "there is time to change one's mind"
    );
    assert!(users::organizations(conn, bob, later(60)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_owners_who_leave_at_once_one_stays() {
    let db = TestDatabase::new().await;
    for _ in 0..5 {
        let conn = &mut db.diesel().await.unwrap();
        let organization = OrganizationId(Uuid::now_v7());
        let sql = format!(
            "INSERT INTO organizations (id, slug, name) VALUES ('{0}', '{0}', 'o')",
            organization.0
        );
        db.client().await.unwrap().batch_execute(&sql).await.unwrap();
        let mut owners = Vec::new();
        for name in ["a", "b"] {
            owners.push(member(conn, organization, &format!("{name}{}", Uuid::now_v7()), Role::Owner).await);
        }
        let leave = owners.into_iter().map(|owner| {
            let db = db.db().clone();
            async move { members::remove(&mut db.diesel().await.unwrap(), organization, owner).await }
        });
        let left = futures::future::join_all(leave).await;
        assert_eq!(left.iter().filter(|l| l.is_ok()).count(), 1, "{left:?}");
        assert_eq!(members::list(conn, organization).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn teams_are_of_one_organization_and_so_are_their_members() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    let (ada, eve) = (
        member(conn, OWN, "ada", Role::Member).await,
        member(conn, other, "eve", Role::Owner).await,
    );
    let team = teams::create(conn, OWN, "ops", "Operations").await.unwrap();
    let theirs = teams::create(conn, other, "ops", "Operations").await.unwrap();
    assert_eq!(
        refused(teams::create(conn, OWN, "ops", "Again").await),
        AccountError::TeamTaken
    );

    teams::set_member(conn, OWN, team.id, ada, TeamRole::Viewer)
        .await
        .unwrap();
    teams::set_member(conn, OWN, team.id, ada, TeamRole::Editor)
        .await
        .unwrap();
    let of_ada = teams::of_user(conn, OWN, ada).await.unwrap();
    assert_eq!(of_ada, [(team.id, TeamRole::Editor)].into());
    for (organization, team, user, why) in [
        (OWN, team.id, eve, AccountError::NotMember),
        (OWN, theirs.id, ada, AccountError::NoTeam),
        (other, team.id, eve, AccountError::NoTeam),
        (other, team.id, ada, AccountError::NoTeam),
        (other, theirs.id, ada, AccountError::NotMember),
        (OWN, TeamId(Uuid::now_v7()), ada, AccountError::NoTeam),
    ] {
        let set = teams::set_member(conn, organization, team, user, TeamRole::Viewer).await;
        assert_eq!(refused(set), why);
    }
    assert_eq!(
        teams::of_user(conn, OWN, ada).await.unwrap(),
        of_ada,
        "nothing has changed"
    );
    assert_eq!(
        refused(teams::remove_member(conn, other, team.id, ada).await),
        AccountError::NotMember
    );
    assert_eq!(refused(teams::delete(conn, other, team.id).await), AccountError::NoTeam);

    // Who leaves the organization leaves the team.
    members::remove(conn, OWN, ada).await.unwrap();
    assert!(teams::of_user(conn, OWN, ada).await.unwrap().is_empty());
    teams::delete(conn, OWN, team.id).await.unwrap();
    assert!(teams::list(conn, OWN).await.unwrap().is_empty());
    assert_eq!(teams::list(conn, other).await.unwrap(), [theirs]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_once_for_its_purpose_until_it_expires_or_another_is_sent() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let ada = user(conn, "ada").await.id;
    tokens::issue(conn, &[1; 32], "magic_link", Some(ada), NOW, later(900))
        .await
        .unwrap();
    let gone = AccountError::LinkGone;
    assert_eq!(refused(tokens::take(conn, &[1; 32], "reset_password", NOW).await), gone);
    assert_eq!(refused(tokens::take(conn, &[2; 32], "magic_link", NOW).await), gone);
    assert_eq!(
        refused(tokens::take(conn, &[1; 32], "magic_link", later(900)).await),
        gone
    );
    assert!(tokens::works(conn, &[1; 32], "magic_link", later(899)).await.unwrap());
    let race = (0..8).map(|_| {
        let db = db.db().clone();
        async move { tokens::take(&mut db.diesel().await.unwrap(), &[1; 32], "magic_link", later(899)).await }
    });
    let taken = futures::future::join_all(race).await;
    assert_eq!(taken.iter().filter(|t| t.is_ok()).count(), 1, "{taken:?}");
    assert!(!tokens::works(conn, &[1; 32], "magic_link", later(899)).await.unwrap());

    tokens::issue(conn, &[3; 32], "magic_link", Some(ada), NOW, later(900))
        .await
        .unwrap();
    tokens::issue(conn, &[4; 32], "magic_link", Some(ada), later(1), later(901))
        .await
        .unwrap();
    tokens::issue(conn, &[5; 32], "reset_password", Some(ada), later(1), later(901))
        .await
        .unwrap();
    assert_eq!(
        refused(tokens::take(conn, &[3; 32], "magic_link", later(2)).await),
        gone,
        "a newer one was sent"
    );
    assert_eq!(
        tokens::take(conn, &[4; 32], "magic_link", later(2)).await.unwrap(),
        Some(ada)
    );
    // The link of the first owner is nobody's yet, and there is one of them, too.
    for hash in [[6; 32], [7; 32]] {
        tokens::issue(conn, &hash, "set_up", None, NOW, later(900))
            .await
            .unwrap();
    }
    assert_eq!(refused(tokens::take(conn, &[6; 32], "set_up", later(2)).await), gone);
    assert_eq!(tokens::take(conn, &[7; 32], "set_up", later(2)).await.unwrap(), None);
    assert_eq!(tokens::forget(conn, later(902)).await.unwrap(), 3);
    assert_eq!(
        refused(tokens::take(conn, &[5; 32], "reset_password", later(2)).await),
        gone
    );
}

fn invitation<'a>(email: &'a str, hash: &'a [u8; 32]) -> NewInvitation<'a> {
    NewInvitation {
        email,
        email_key: email,
        role: Role::Admin,
        invited_by: None,
        hash,
        now: NOW,
        expires_at: later(1_000),
    }
}

#[tokio::test]
async fn an_invitation_is_for_one_address_and_can_be_taken_back() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    let (ada, eve) = (user(conn, "ada").await, user(conn, "eve").await);
    let gone = AccountError::LinkGone;
    let sent = invitations::create(conn, OWN, &invitation(&ada.email, &[1; 32]))
        .await
        .unwrap();
    assert_eq!(
        invitations::list(conn, OWN, NOW).await.unwrap(),
        std::slice::from_ref(&sent)
    );
    assert!(
        invitations::list(conn, OWN, later(1_000)).await.unwrap().is_empty(),
        "expired"
    );
    assert!(invitations::list(conn, other, NOW).await.unwrap().is_empty());

    let accept = async |conn: &mut AsyncPgConnection, hash: u8, user: &User, now| {
        invitations::accept(conn, &[hash; 32], user.id, &user.email, now).await
    };
    assert_eq!(refused(accept(conn, 1, &eve, NOW).await), gone, "sent to somebody else");
    assert_eq!(refused(accept(conn, 1, &ada, later(1_000)).await), gone, "expired");
    assert_eq!(refused(invitations::revoke(conn, other, sent.id, NOW).await), gone);
    let newer = invitations::create(conn, OWN, &invitation(&ada.email, &[2; 32]))
        .await
        .unwrap();
    assert_eq!(refused(accept(conn, 1, &ada, NOW).await), gone, "a newer one was sent");
    invitations::revoke(conn, OWN, newer.id, NOW).await.unwrap();
    assert_eq!(refused(accept(conn, 2, &ada, NOW).await), gone, "taken back");

    invitations::create(conn, OWN, &invitation(&ada.email, &[3; 32]))
        .await
        .unwrap();
    assert_eq!(accept(conn, 3, &ada, NOW).await.unwrap().role, Role::Admin);
    assert_eq!(members::role(conn, OWN, ada.id).await.unwrap(), Some(Role::Admin));
    assert_eq!(refused(accept(conn, 3, &ada, NOW).await), gone, "works once");
    invitations::create(conn, OWN, &invitation(&ada.email, &[4; 32]))
        .await
        .unwrap();
    assert_eq!(refused(accept(conn, 4, &ada, NOW).await), AccountError::AlreadyMember);
    assert_eq!(
        invitations::list(conn, OWN, NOW).await.unwrap().len(),
        1,
        "and stays open"
    );
}

#[tokio::test]
async fn keys_end_by_time_by_hand_and_with_their_owner() {
    let db = TestDatabase::new().await;
    let conn = &mut db.diesel().await.unwrap();
    let other = another_organization(&db).await;
    member(conn, OWN, "root", Role::Owner).await;
    let ada = member(conn, OWN, "ada", Role::Member).await;
    let team = teams::create(conn, OWN, "ops", "Operations").await.unwrap();
    let new = |public: &'static str, user, team, expires_at| NewApiKey {
        team,
        user,
        name: "a key",
        public,
        hash: &[7; 32],
        scope: Scope::Write,
        now: NOW,
        expires_at,
    };
    let service = api_keys::create(conn, OWN, &new("service", None, None, Some(later(10))))
        .await
        .unwrap();
    api_keys::create(conn, OWN, &new("personal", Some(ada), None, None))
        .await
        .unwrap();
    api_keys::create(conn, OWN, &new("team", None, Some(team.id), None))
        .await
        .unwrap();
    assert!(
        api_keys::create(conn, other, &new("stolen", Some(ada), None, None))
            .await
            .is_err()
    );
    assert!(
        api_keys::create(conn, other, &new("stolen", None, Some(team.id), None))
            .await
            .is_err()
    );

    let find = async |conn: &mut AsyncPgConnection, public: &str, now| {
        api_keys::find(conn, public, now).await.unwrap().map(|k| k.public)
    };
    assert_eq!(find(conn, "service", later(9)).await.as_deref(), Some("service"));
    assert_eq!(find(conn, "service", later(10)).await, None, "expired");
    assert_eq!(find(conn, "nobody", NOW).await, None);
    api_keys::touch(conn, service.id, later(5)).await.unwrap();
    api_keys::touch(conn, service.id, later(3)).await.unwrap();
    let listed = api_keys::list(conn, OWN, None).await.unwrap();
    assert_eq!(listed.len(), 2);
    let used = listed.iter().find(|k| k.id == service.id).unwrap();
    assert_eq!(
        (used.last_used_at, used.scope, used.hash),
        (Some(later(5)), Scope::Write, [7; 32])
    );
    assert_eq!(api_keys::list(conn, OWN, Some(ada)).await.unwrap().len(), 1);

    assert_eq!(
        refused(api_keys::revoke(conn, other, service.id, NOW).await),
        AccountError::NoKey
    );
    api_keys::revoke(conn, OWN, service.id, NOW).await.unwrap();
    assert_eq!(
        refused(api_keys::revoke(conn, OWN, service.id, NOW).await),
        AccountError::NoKey
    );
    assert_eq!(find(conn, "service", NOW).await, None, "revoked");
    members::remove(conn, OWN, ada).await.unwrap();
    assert_eq!(find(conn, "personal", NOW).await, None, "its owner has left");
    teams::delete(conn, OWN, team.id).await.unwrap();
    assert_eq!(find(conn, "team", NOW).await, None, "its team is gone");
}
