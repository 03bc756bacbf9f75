//! What holds for every request.

use std::net::SocketAddr;

use axum::{
    extract::{Request, State as Shared},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use dash_ingest::{Problem, ProblemKind};

use url::Url;

use super::{identify, live, problem::ProblemResponse};
use crate::state::State;

/// A request in the log: never its query, its headers or its body, which may hold secrets.
pub fn span(request: &Request) -> tracing::Span {
    tracing::debug_span!("request", method = %request.method(), path = request.uri().path())
}

/// Takes only requests that name this server. Without it any web page could reach the loopback of its reader through a name of its own (DNS
/// rebinding). What changes something, or opens a websocket, is refused when a page of another site sent it; and when it comes with a cookie, which
/// only browsers send by themselves, it must say which page did.
pub async fn own_host(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    match refused(&state, &request) {
        Some(detail) => ProblemResponse(Problem::new(ProblemKind::Forbidden, detail)).into_response(),
        None => next.run(request).await,
    }
}

fn refused(state: &State, request: &Request) -> Option<String> {
    let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok());
    let host = text("host").or_else(|| request.uri().authority().map(|a| a.as_str()));
    let url = &state.config.accounts.url;
    if !host.is_some_and(|h| is_loopback(h, state.config.address()) || is_host_of(url, h)) {
        let detail = format!(
            "this server answers at {}; open it there",
            url.as_str().trim_end_matches('/')
        );
        return Some(detail);
    }
    let upgrade = request.headers().contains_key(header::UPGRADE);
    let changes = upgrade || !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let other = is_of_another_site(text("origin"), text("sec-fetch-site"), host, text("cookie").is_some());
    (changes && other).then(|| "this request comes from a page of another site".to_owned())
}

fn is_of_another_site(origin: Option<&str>, fetch_site: Option<&str>, host: Option<&str>, cookie: bool) -> bool {
    match (origin, fetch_site) {
        (Some(origin), _) => !is_own_origin(origin, host),
        (None, Some(site)) => !matches!(site, "same-origin" | "none"),
        (None, None) => cookie,
    }
}

/// A host as requests name it: without the port where it is the scheme's own.
fn is_host_of(url: &Url, host: &str) -> bool {
    let named = match (url.host_str(), url.port()) {
        (Some(name), Some(port)) => format!("{name}:{port}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => return false,
    };
    host.eq_ignore_ascii_case(&named)
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
pub async fn security_headers(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    );
    if state.config.accounts.is_secure() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    // Files say for themselves how long they are good; all else is of whoever asked.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Counts requests of programs that come without a key or signature that holds, by where they come from, and answers 429 to whoever has sent too
/// many. One that holds is let in all the same: senders may share an address, and none of them is to lock out the others.
pub async fn wrong_keys(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    if !is_for_programs(request.uri().path()) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let address = identify::address(&state, &parts);
    let response = next.run(Request::from_parts(parts, body)).await;
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    match state.rates.wrong_key(address) {
        Ok(()) => response,
        Err(too_many) => ProblemResponse::from(too_many).into_response(),
    }
}

/// Whether keys are what lets in: at pages a 401 asks somebody to sign in.
fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/v1/") || path == live::PATH
}

/// What the API answers is of whoever's key came, and no page.
pub async fn private_answers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
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
    fn the_name_that_people_reach_it_by_is_answered_and_no_other() {
        let url = |text: &str| text.parse::<Url>().expect("an address");
        assert!(is_host_of(&url("https://dash.example.org"), "Dash.Example.org"));
        assert!(!is_host_of(&url("https://dash.example.org"), "dash.example.org:8443"));
        assert!(is_host_of(
            &url("https://dash.example.org:8443"),
            "dash.example.org:8443"
        ));
        assert!(!is_host_of(
            &url("https://dash.example.org"),
            "dash.example.org.evil.test"
        ));
    }

    #[test]
    fn what_a_browser_sends_for_another_site_is_refused() {
        let host = Some("127.0.0.1:3000");
        let of = |origin, site, cookie| is_of_another_site(origin, site, host, cookie);
        assert!(!of(Some("http://127.0.0.1:3000"), None, true));
        assert!(of(Some("http://evil.test"), Some("same-origin"), false));
        assert!(of(Some("null"), None, true));
        assert!(of(None, Some("cross-site"), false) && of(None, Some("same-site"), true));
        assert!(!of(None, Some("same-origin"), true) && !of(None, Some("none"), true));
        // A websocket without an Origin is no browser's: with a cookie it is somebody who has taken one.
        assert!(of(None, None, true));
        assert!(!of(None, None, false), "programs have keys, and no cookies");
    }

    #[test]
    fn another_site_is_another_origin() {
        assert!(is_own_origin("http://127.0.0.1:3000", Some("127.0.0.1:3000")));
        assert!(!is_own_origin("http://127.0.0.1:3001", Some("127.0.0.1:3000")));
        assert!(!is_own_origin("null", Some("127.0.0.1:3000")));
        assert!(!is_own_origin("http://evil.test", Some("127.0.0.1:3000")));
    }
}
