//! What is said, and what is made of the answers.

use std::time::Duration;

use dash_egress::{EgressError, Guard, Policy};
use dash_mail::{MailError, Mailer};

use crate::{
    FROM, mailer, message,
    server::{LATE, Server},
};

async fn failure(server: &Server) -> MailError {
    let url = format!("smtp://ada:hunter2@127.0.0.1:{}?tls=none", server.port);
    let error = mailer(&url).send(&message()).await.expect_err("it is not taken");
    let text = format!("{error} {error:?}");
    // Also not as it is sent.
    for secret in ["hunter2", "AGFkYQBodW50ZXIy", "token"] {
        assert!(!text.contains(secret), "{text}");
    }
    error
}

#[tokio::test]
async fn a_letter_is_handed_over() {
    let server = Server::start(&[]).await;
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    mailer(&url).send(&message()).await.expect("it is taken");
    let said = server.said();
    assert_eq!(
        said[..4],
        [
            "EHLO example.org",
            "MAIL FROM:<dash@example.org>",
            "RCPT TO:<charles@example.org>",
            "DATA"
        ]
    );
    assert_eq!(said.last().map(String::as_str), Some("QUIT"));
    let end = said.iter().position(String::is_empty).expect("an end of the headers");
    let headers = &said[4..end];
    for header in [
        "From: Dash <dash@example.org>",
        "To: charles@example.org",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(headers.iter().any(|h| h == header), "{header}: {headers:#?}");
    }
    let starts = |start: &str| headers.iter().filter(|h| h.starts_with(start)).count();
    assert_eq!(starts("Date: "), 1, "{headers:#?}");
    assert_eq!(starts("Subject: "), 1, "{headers:#?}");
    assert_eq!(starts("Content-Type: multipart/alternative;"), 1, "{headers:#?}");
    let id = headers.iter().find(|h| h.starts_with("Message-ID: <")).expect("an id");
    assert!(id.ends_with("@example.org>"), "{id}");
    assert!(!said.iter().any(|l| l.starts_with("Bcc") || !l.is_ascii()), "{said:#?}");
    let parts = ["text/plain", "text/html"].map(|kind| said.iter().filter(|l| l.contains(kind)).count());
    assert_eq!(parts, [1, 1]);
}

#[tokio::test]
async fn it_signs_in_when_it_has_a_password() {
    let server = Server::start(&[("EHLO", "250-test\r\n250 AUTH PLAIN LOGIN")]).await;
    let url = format!("smtp://ada:hunter2@127.0.0.1:{}?tls=none", server.port);
    mailer(&url).send(&message()).await.expect("it is taken");
    // \0ada\0hunter2
    assert_eq!(server.said()[1], "AUTH PLAIN AGFkYQBodW50ZXIy");
}

#[tokio::test]
async fn what_the_server_says_of_the_letter_is_told_apart() {
    let auth = ("EHLO", "250-test\r\n250 AUTH PLAIN");
    for (step, reply, permanent) in [
        ("RCPT", "550 5.1.1 no such user", true),
        ("RCPT", "451 4.7.1 try again later", false),
        ("RCPT", "530 5.7.0 sign in first", false),
        ("RCPT", "554 5.7.1 <dash>: Client host rejected", false),
        ("RCPT", "554-5.7.1 <charles>:\r\n554 5.7.1 Relay access denied", false),
        (
            "RCPT",
            "553 5.7.1 Sender address rejected: not owned by user ada",
            false,
        ),
        ("RCPT", "550 5.7.26 unauthenticated", false),
        ("RCPT", "550 5.1.7 bad sender", false),
        ("RCPT", "550 5.1.8 Sender address rejected: Domain not found", false),
        ("RCPT", "550 relay not permitted", false),
        ("RCPT", "550 Relay not permitted: sign in", false),
        ("RCPT", "550 5.1.1 5.7.1 is no such user", true),
        ("RCPT", "553 5.1.3 bad recipient", true),
        ("RCPT", "550 no such user 5.1.8", true),
        ("MAIL", "550 5.7.1 not your address", false),
        ("MAIL", "452 4.3.1 full", false),
        ("DATA", "554 5.6.0 no", true),
        (".", "554 5.7.1 looks like spam", true),
        (".", "421 4.3.2 going down", false),
        (".", "554 5.7.1 bad link {link}", true),
        (".", "554-5.7.1 bad link\r\n554 {link}", true),
        (".", "554 {link}", true),
        (".", "451 4.7.1 {link} is looked at", false),
        (".", "{link}", false),
        (".", "554={link}", false),
        ("AUTH", "535 5.7.8 AGFkYQBodW50ZXIy is wrong", false),
        ("AUTH", "454 4.7.0 later", false),
        ("AUTH", "454 4.7.0 AGFkYQBodW50ZXIy later", false),
        ("AUTH", "what is AGFkYQBodW50ZXIy", false),
        ("GREETING", "554 5.3.2 closed", false),
        ("GREETING", "421 busy", false),
    ] {
        let server = Server::start(&[auth, (step, reply)]).await;
        let error = failure(&server).await;
        assert_eq!(error.is_permanent(), permanent, "{step} {reply}: {error:?}");
        let said = server.said();
        assert!(
            !said.iter().any(|l| l.starts_with("Subject")) || step == ".",
            "{said:?}"
        );
        // The server has what it repeats.
        assert_eq!(said.iter().any(|l| l.ends_with("/i/token")), step == ".", "{said:?}");
    }
}

#[tokio::test]
async fn errors_name_what_to_look_at() {
    let auth = ("EHLO", "250-test\r\n250 AUTH PLAIN");
    for (replies, expected) in [
        (vec![auth, ("AUTH", "535 no")], "DASH_SMTP_URL: 127.0.0.1:"),
        (vec![auth, ("MAIL", "550 no")], "DASH_MAIL_FROM: 127.0.0.1:"),
        (vec![("EHLO", "250 test")], "does not take this user and password"),
        (
            vec![("EHLO", "250-test\r\n250 AUTH GSSAPI")],
            "does not take this user and password",
        ),
        (
            vec![auth, ("RCPT", "550 no\u{1b}[2J such user")],
            "does not take the letter: 550 no [2J such user",
        ),
        (
            vec![auth, ("RCPT", "554 5.7.1 relay access denied")],
            "DASH_SMTP_URL: 127.0.0.1:",
        ),
        (
            vec![auth, ("RCPT", "550 5.1.8 domain not found")],
            "DASH_MAIL_FROM: 127.0.0.1:",
        ),
        (
            vec![auth, (".", "554-5.7.1 bad link\r\n554 {link}")],
            "does not take the letter: 554 5.7.1",
        ),
        (vec![auth, ("MAIL", "hello")], "broke off"),
    ] {
        let server = Server::start(&replies).await;
        let error = failure(&server).await.to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn nothing_is_said_to_a_server_without_tls() {
    let server = Server::start(&[("EHLO", "250-test\r\n250 AUTH PLAIN")]).await;
    let error = mailer(&format!("smtp://ada:hunter2@127.0.0.1:{}", server.port))
        .send(&message())
        .await;
    assert!(matches!(error, Err(MailError::NoTls { .. })), "{error:?}");
    assert_eq!(server.said(), ["EHLO example.org", "QUIT"]);
    let error = mailer(&format!("smtps://ada:hunter2@127.0.0.1:{}", server.port))
        .send(&message())
        .await;
    assert!(matches!(error, Err(MailError::Unreachable { .. })), "{error:?}");
    assert!(!server.said().iter().any(|l| l.starts_with("AUTH")));
}

#[tokio::test]
async fn a_server_that_is_silent_or_away_is_tried_later() {
    let server = Server::start(&[("GREETING", "")]).await;
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    let error = mailer(&url)
        .within(Duration::from_millis(100))
        .send(&message())
        .await
        .expect_err("silence");
    assert!(
        matches!(error, MailError::Timeout { .. }) && !error.is_permanent(),
        "{error:?}"
    );
    // The port was ours a moment ago.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let error = mailer(&format!("smtp://127.0.0.1:{port}?tls=none"))
        .send(&message())
        .await
        .expect_err("nobody");
    assert!(
        matches!(error, MailError::Unreachable { .. }) && !error.is_permanent(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_letter_is_looked_at_for_as_long_as_it_takes() {
    let server = Server::start(&[(".", "late 250 ok")]).await;
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    let mailer = mailer(&url).within(LATE * 2 / 3);
    mailer.send(&message()).await.expect("it is taken");
    let mailer = mailer.patience(Duration::from_millis(100));
    let error = mailer.send(&message()).await.expect_err("too long");
    assert!(
        matches!(error, MailError::Timeout { .. }) && !error.is_permanent(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_letter_that_is_sent_again_is_the_same_letter() {
    let server = Server::start(&[(".", "451 4.3.0 later")]).await;
    let mailer = mailer(&format!("smtp://127.0.0.1:{}?tls=none", server.port));
    let (one, other) = (message(), message());
    for message in [&one, &one, &other] {
        mailer.send(message).await.expect_err("later");
    }
    let said = server.said();
    let ids: Vec<_> = said.iter().filter(|l| l.starts_with("Message-ID: ")).collect();
    let id = |of: &dash_mail::Message| format!("Message-ID: <{}@example.org>", of.id.simple());
    assert_eq!(ids, [&id(&one), &id(&one), &id(&other)]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test]
async fn what_is_taken_is_taken_whatever_comes_after() {
    for bye in ["", "421 no", "nonsense"] {
        let server = Server::start(&[("QUIT", bye)]).await;
        let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
        let sent = mailer(&url).within(Duration::from_millis(500)).send(&message()).await;
        assert_eq!(sent, Ok(()), "{bye}");
    }
}

#[tokio::test]
async fn a_guard_has_a_say() {
    let server = Server::start(&[]).await;
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    let with = |policy: Policy| Mailer::smtp(&url.as_str().into(), FROM, Some(Guard::new(policy))).expect("a mailer");
    let error = with(Policy::default()).send(&message()).await;
    assert!(
        matches!(error, Err(MailError::Egress(EgressError::Refused(_)))),
        "{error:?}"
    );
    assert!(server.said().is_empty());
    let allowed = format!("127.0.0.1:{}", server.port).parse().expect("a policy");
    with(allowed).send(&message()).await.expect("it is taken");
}

#[tokio::test]
async fn addresses_beyond_ascii_need_a_server_that_knows_them() {
    let mut message = message();
    message.to = "ü@bücher.example".to_owned();
    let server = Server::start(&[]).await;
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    let error = mailer(&url).send(&message).await.expect_err("it does not know them");
    assert!(error.is_permanent(), "{error:?}");
    let server = Server::start(&[("EHLO", "250-test\r\n250-8BITMIME\r\n250 SMTPUTF8")]).await;
    let url = format!("smtp://127.0.0.1:{}?tls=none", server.port);
    mailer(&url).send(&message).await.expect("it is taken");
    assert!(
        server.said()[1].starts_with("MAIL FROM:<dash@example.org> SMTPUTF8"),
        "{:?}",
        server.said()
    );
    assert_eq!(server.said()[2], "RCPT TO:<ü@xn--bcher-kva.example>");
}
