//! `GET /theme?set=light|dark|system&to=/path`: the choice of colours, for browsers without JavaScript too.

use app::theme::Theme;
use axum::{
    extract::Query,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Choice {
    set: String,
    #[serde(default)]
    to: Option<String>,
}

/// Sets the cookie and goes back to where the choice was made.
pub async fn set(
    headers: HeaderMap,
    choice: Result<Query<Choice>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let known = choice.ok().and_then(|Query(c)| Some((Theme::named(&c.set)?, c.to)));
    let Some((theme, to)) = known else {
        return (StatusCode::BAD_REQUEST, "set is light, dark or system\n").into_response();
    };
    let referer = headers
        .get(header::REFERER)
        .and_then(|v| v.to_str().ok())
        .and_then(path_of);
    let to = to.or(referer).filter(|to| is_local(to)).unwrap_or_else(|| "/".into());
    ([(header::SET_COOKIE, theme.set_cookie())], Redirect::to(&to)).into_response()
}

fn path_of(address: &str) -> Option<String> {
    address
        .parse::<axum::http::Uri>()
        .ok()?
        .path_and_query()
        .map(|p| p.as_str().to_owned())
}

/// A path of this site: never another host, however it is written.
fn is_local(to: &str) -> bool {
    to.starts_with('/') && !to.starts_with("//") && !to.contains('\\') && to.chars().all(|c| !c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_site_is_gone_to() {
        assert!(is_local("/pipelines?tab=x"));
        for to in [
            "//evil.test",
            "https://evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "/a\r\nSet-Cookie: x",
            "",
        ] {
            assert!(!is_local(to), "{to:?}");
        }
    }
}
