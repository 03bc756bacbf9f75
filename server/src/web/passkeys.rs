//! `GET /passkeys.js`: what a browser needs to make and to use a passkey, beside what its forms do with it.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

pub async fn script() -> Response {
    let text = [dash_passkey::SCRIPT, include_str!("passkey-forms.js")].join("\n");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/javascript; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
