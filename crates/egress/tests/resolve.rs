//! Names, and what they resolve to a moment later.

mod dns;

use std::time::Duration;

use dash_egress::{Answer, EgressError, Ground, Guard, Policy, Resolve, Timeouts};
use dns::{Script, guard};
use tokio::net::TcpListener;

fn ground(result: Result<impl std::fmt::Debug, EgressError>) -> Ground {
    match result {
        Err(EgressError::Refused(refused)) => refused.ground,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn every_address_of_an_answer_must_be_allowed() {
    let dns = Script::new(&[&["1.1.1.1", "10.0.0.7"], &["1.1.1.1", "2606:4700::1111"], &[]]);
    let guard = guard("", &dns);
    assert_eq!(ground(guard.resolve("mixed.test", 443).await), Ground::Private);
    let public = guard.resolve("Public.test.", 443).await.expect("both are public");
    let expected = ["1.1.1.1:443", "[2606:4700::1111]:443"].map(|a| a.parse().expect("an address"));
    assert_eq!(public, expected);
    let empty = guard.resolve("empty.test", 443).await.expect_err("no address");
    assert!(
        matches!(&empty, EgressError::Unresolved { host, .. } if host == "empty.test"),
        "{empty:?}"
    );
    assert!(empty.is_transient());
}

#[tokio::test]
async fn addresses_are_judged_without_asking_anybody() {
    let dns = Script::new(&[]);
    let guard = guard("127.0.0.1:80", &dns);
    let allowed = guard.resolve("0x7f.1", 80).await.expect("allowed");
    assert_eq!(allowed, ["127.0.0.1:80".parse().expect("an address")]);
    for trick in ["2130706433", "127.1", "[::ffff:127.0.0.1]", "[::1]", "127.0.0.1.."] {
        assert_eq!(ground(guard.connect(trick, 81).await), Ground::Loopback, "{trick}");
    }
    assert!(matches!(guard.connect("a b", 80).await, Err(EgressError::Host(_))));
    assert_eq!(dns.asked(), 0);
}

#[tokio::test]
async fn names_of_this_machine_are_not_even_resolved() {
    let dns = Script::new(&[]);
    let guard = guard("", &dns);
    for (name, expected) in [
        ("localhost", Ground::Loopback),
        ("x.LocalHost.", Ground::Loopback),
        ("metadata.google.internal", Ground::Metadata),
    ] {
        assert_eq!(ground(guard.connect(name, 80).await), expected, "{name}");
    }
    assert_eq!(dns.asked(), 0);
}

#[tokio::test]
async fn the_connection_is_to_what_was_checked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let dns = Script::new(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let guard = guard(&address.to_string(), &dns);
    let stream = guard.connect("rebind.test", address.port()).await.expect("checked");
    assert_eq!(stream.peer_addr().expect("connected"), address);
    assert_eq!(dns.asked(), 1);
    assert_eq!(
        ground(guard.connect("rebind.test", address.port()).await),
        Ground::Metadata
    );
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    // Nobody listens at the first.
    let dns = Script::new(&[&["127.0.0.2", "127.0.0.1"], &["127.0.0.2"]]);
    let guard = guard("127.0.0.0/8", &dns);
    let stream = guard.connect("two.test", address.port()).await.expect("the second");
    assert_eq!(stream.peer_addr().expect("connected"), address);
    let error = guard.connect("two.test", address.port()).await.expect_err("nobody");
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_name_that_never_resolves_is_given_up() {
    struct Never;
    impl Resolve for Never {
        fn resolve<'a>(&'a self, _: &'a str) -> Answer<'a> {
            Box::pin(std::future::pending())
        }
    }
    let timeouts = Timeouts {
        connect: Duration::from_millis(50),
        ..Timeouts::default()
    };
    let guard = Guard::with(Policy::default(), timeouts, Never);
    let error = guard.connect("never.test", 80).await.expect_err("no answer");
    assert_eq!(
        error,
        EgressError::Timeout {
            host: "never.test".to_owned()
        }
    );
}

#[tokio::test]
async fn the_system_resolves_names() {
    let guard = Guard::new("127.0.0.0/8, ::1".parse().expect("a policy"));
    let addresses = guard.resolve("localhost", 80).await.expect("this machine");
    assert!(addresses.iter().all(|a| a.ip().is_loopback()), "{addresses:?}");
}
