//! `GET /theme?set=light|dark|system&to=/path`: the choice of colours, for browsers without JavaScript too.

use app::{form::local, theme::Theme};
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
    let to = to.or(referer);
    (
        [(header::SET_COOKIE, theme.set_cookie())],
        Redirect::to(local(to.as_deref()).unwrap_or("/")),
    )
        .into_response()
}

fn path_of(address: &str) -> Option<String> {
    address
        .parse::<axum::http::Uri>()
        .ok()?
        .path_and_query()
        .map(|p| p.as_str().to_owned())
}
