//! Requests against a server that answers what it is told.

mod dns;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use dash_egress::{Client, EgressError, Ground, read};
use dns::{Script, guard};
use reqwest::{
    Method, Request,
    header::{AUTHORIZATION, COOKIE, HeaderName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers by path, on one connection each; keeps the heads of what it was sent.
struct Server {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: &[(&'static str, String)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let answers: BTreeMap<_, _> = answers.iter().cloned().collect();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("a request"));
                }
                let head = String::from_utf8(head).expect("text");
                let path = head.split(' ').nth(1).unwrap_or_default();
                let answer = answers.get(path).cloned().unwrap_or_else(|| plain("it works"));
                seen.lock().expect("not poisoned").push(head);
                // Whoever does not read on goes.
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { address, heads }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("not poisoned").clone()
    }
}

fn plain(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn redirect(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\nLocation: {to}\r\n\r\n")
}

fn client(policy: &str) -> Client {
    guard(policy, &Script::new(&[])).http().expect("a client")
}

fn get(url: &str) -> Request {
    Request::new(Method::GET, url.parse().expect("a URL"))
}

fn ground<T: std::fmt::Debug>(result: Result<T, EgressError>) -> Ground {
    match result {
        Err(EgressError::Refused(refused)) => refused.ground,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn literals_are_judged_before_anything_is_sent() {
    let server = Server::start(&[]).await;
    let port = server.address.port();
    let client = client("");
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "127.0.0.1.",
        "127.0.0.1..",
        "%31%32%37.0.0.1",
        "１２７.０.０.１",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
    ] {
        let refused = client.execute(get(&format!("http://{host}:{port}/"))).await;
        assert_eq!(ground(refused), Ground::Loopback, "{host}");
    }
    for (url, scheme) in [
        ("file:///etc/passwd", "file"),
        ("ftp://1.1.1.1/", "ftp"),
        ("gopher://1.1.1.1/", "gopher"),
    ] {
        let error = client.execute(get(url)).await.expect_err("not HTTP");
        assert_eq!(
            error,
            EgressError::Scheme {
                scheme: scheme.to_owned()
            }
        );
    }
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn names_are_judged_with_the_port_of_the_request_and_once() {
    let server = Server::start(&[]).await;
    let port = server.address.port();
    let dns = Script::new(&[&["127.0.0.1"], &["10.0.0.7"], &["127.0.0.1"]]);
    let client = guard(&server.address.to_string(), &dns).http().expect("a client");
    let url = format!("http://rebind.test:{port}/");
    let response = client.execute(get(&url)).await.expect("the first answer is allowed");
    assert_eq!(response.remote_addr(), Some(server.address));
    assert_eq!(read(response, 100).await.expect("a body"), b"it works");
    assert_eq!(dns.asked(), 1);
    assert_eq!(ground(client.execute(get(&url)).await), Ground::Private);
    let elsewhere = client.execute(get("http://rebind.test:1/")).await;
    assert_eq!(ground(elsewhere), Ground::Loopback);
    assert_eq!(server.heads().len(), 1);
}

#[tokio::test]
async fn a_redirect_inside_is_refused() {
    let inner = Server::start(&[]).await;
    let outer = [
        ("/port", redirect(302, &inner.url("/"))),
        ("/trick", redirect(307, "http://0xa9fea9fe/latest/meta-data")),
        ("/name", redirect(301, "http://localhost./")),
        ("/file", redirect(308, "file:///etc/passwd")),
    ];
    let server = Server::start(&outer).await;
    let client = guard(&server.address.to_string(), &Script::new(&[&["127.0.0.1"]]))
        .http()
        .expect("a client");
    for (path, expected) in [
        ("/port", Ground::Loopback),
        ("/trick", Ground::Metadata),
        ("/name", Ground::Loopback),
    ] {
        assert_eq!(
            ground(client.follow(get(&server.url(path)), 5).await),
            expected,
            "{path}"
        );
    }
    let error = client.follow(get(&server.url("/file")), 5).await.expect_err("a file");
    assert!(matches!(error, EgressError::Scheme { .. }), "{error:?}");
    assert!(inner.heads().is_empty());
    // Not followed, it is an answer like others.
    let response = client.execute(get(&server.url("/port"))).await.expect("an answer");
    assert_eq!(response.status(), 302);
}

#[tokio::test]
async fn secrets_stay_with_the_origin_that_they_are_for() {
    let other = Server::start(&[]).await;
    let answers = [
        ("/away", redirect(302, &other.url("/"))),
        ("/here", redirect(302, "/end")),
    ];
    let server = Server::start(&answers).await;
    let client = client(&format!("{},{}", server.address, other.address));
    let request = |path: &str| {
        let mut request = get(&server.url(path).replace("http://", "http://ada:pass%20word@"));
        request
            .headers_mut()
            .insert(COOKIE, "a=secret".parse().expect("a value"));
        let key = HeaderName::from_static("x-api-key");
        request.headers_mut().insert(key, "secret".parse().expect("a value"));
        request
    };
    for path in ["/here", "/away"] {
        let response = client.follow(request(path), 1).await.expect("followed");
        assert_eq!(response.status(), 200, "{path}");
    }
    for head in server.heads() {
        // ada:pass word
        assert!(head.contains("authorization: Basic YWRhOnBhc3Mgd29yZA=="), "{head}");
        assert!(
            head.contains("cookie: a=secret") && head.contains("x-api-key: secret"),
            "{head}"
        );
        assert!(!head.contains("ada:pass"), "{head}");
    }
    assert_eq!(server.heads().len(), 3);
    let heads = other.heads();
    assert_eq!(heads.len(), 1);
    assert!(
        !heads[0].contains("secret") && !heads[0].contains("authorization"),
        "{heads:?}"
    );
    assert!(heads[0].contains("user-agent: Dash/"), "{heads:?}");
}

#[tokio::test]
async fn a_header_that_is_given_wins_over_the_url() {
    let server = Server::start(&[]).await;
    let mut request = get(&server.url("/").replace("http://", "http://ada:pw@"));
    request
        .headers_mut()
        .insert(AUTHORIZATION, "Bearer x".parse().expect("a value"));
    let client = client(&server.address.to_string());
    client.execute(request).await.expect("an answer");
    assert!(server.heads()[0].contains("authorization: Bearer x"));
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = Server::start(&[("/", redirect(302, "/"))]).await;
    let client = client(&server.address.to_string());
    let error = client.follow(get(&server.url("/")), 3).await.expect_err("a circle");
    assert!(matches!(error, EgressError::Hops { most: 3, .. }), "{error:?}");
    assert_eq!(server.heads().len(), 4);
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit() {
    let body = "x".repeat(1_000);
    let unannounced = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
    let chunked =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n{body}\r\n0\r\n\r\n");
    let server = Server::start(&[
        ("/announced", plain(&body)),
        ("/open", unannounced),
        ("/chunked", chunked),
    ])
    .await;
    let client = client(&server.address.to_string());
    for path in ["/announced", "/open", "/chunked"] {
        let response = client.execute(get(&server.url(path))).await.expect("an answer");
        assert_eq!(read(response, 1_000).await.expect("it fits").len(), 1_000, "{path}");
        let response = client.execute(get(&server.url(path))).await.expect("an answer");
        let error = read(response, 999).await.expect_err("too large");
        assert!(matches!(error, EgressError::TooLarge { limit: 999, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn errors_say_nothing_that_could_be_secret() {
    // Listened to by nobody: the port was ours a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("bound");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let open = silent.local_addr().expect("bound");
    let client = client(&format!("{closed},{open}"));
    let mut errors = Vec::new();
    for address in [closed.to_string(), "10.0.0.1".to_owned(), "unknown.test".to_owned()] {
        let url = format!("http://ada:hunter2@{address}/path?key=hunter3");
        errors.push(client.follow(get(&url), 2).await.expect_err("no answer"));
    }
    let mut slow = get(&format!("http://ada:hunter2@{open}/path?key=hunter3"));
    *slow.timeout_mut() = Some(Duration::from_millis(50));
    errors.push(client.follow(slow, 2).await.expect_err("no answer"));
    assert!(matches!(errors[0], EgressError::Http { .. }), "{errors:?}");
    assert!(matches!(errors[1], EgressError::Refused(_)), "{errors:?}");
    assert!(matches!(errors[2], EgressError::Unresolved { .. }), "{errors:?}");
    assert!(matches!(errors[3], EgressError::Timeout { .. }), "{errors:?}");
    for error in errors {
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter") && !text.contains("ada"), "{text}");
    }
}
