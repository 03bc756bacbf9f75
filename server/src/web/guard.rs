//! What holds for every request.

use std::net::SocketAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use dash_ingest::{Problem, ProblemKind};

use super::problem::ProblemResponse;

/// A request in the log: never its query, its headers or its body, which may hold secrets.
pub fn span(request: &Request) -> tracing::Span {
    tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
}

/// Takes only requests that name this machine. Without it any web page could reach the loopback of its reader through a name of
/// its own (DNS rebinding). Requests from other sites' pages are refused as well, websocket upgrades among them.
pub async fn own_host(State(address): State<SocketAddr>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|a| a.as_str()));
    if !host.is_some_and(|h| is_loopback(h, address)) {
        let detail =
            "this server answers only on the loopback: open it as http://127.0.0.1 or http://localhost with its port";
        return ProblemResponse(Problem::new(ProblemKind::Forbidden, detail)).into_response();
    }
    let origin = request.headers().get(header::ORIGIN).and_then(|o| o.to_str().ok());
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let changes = upgrade || !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && origin.is_some_and(|o| !is_own_origin(o, host)) {
        let detail = "this request comes from a page of another site";
        return ProblemResponse(Problem::new(ProblemKind::Forbidden, detail)).into_response();
    }
    next.run(request).await
}

fn is_loopback(host: &str, address: SocketAddr) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip == address.ip())
}

fn is_own_origin(origin: &str, host: Option<&str>) -> bool {
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some() && authority == host
}

/// Headers that every page and file carries; the policy for scripts is set where the nonce is made.
pub async fn security_headers(request: Request, next: Next) -> Response {
    let is_function = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if is_function {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let address: SocketAddr = "127.0.0.1:3000".parse().expect("address");
        for host in [
            "127.0.0.1:3000",
            "localhost",
            "LOCALHOST:8080",
            "[::1]:3000",
            "127.0.0.1",
        ] {
            assert!(is_loopback(host, address), "{host}");
        }
        for host in [
            "evil.test",
            "evil.test:3000",
            "127.0.0.1.evil.test",
            "localhost.evil.test:3000",
            "10.0.0.1",
            "",
        ] {
            assert!(!is_loopback(host, address), "{host}");
        }
    }

    #[test]
    fn another_site_is_another_origin() {
        assert!(is_own_origin("http://127.0.0.1:3000", Some("127.0.0.1:3000")));
        assert!(!is_own_origin("http://127.0.0.1:3001", Some("127.0.0.1:3000")));
        assert!(!is_own_origin("null", Some("127.0.0.1:3000")));
        assert!(!is_own_origin("http://evil.test", Some("127.0.0.1:3000")));
    }
}
