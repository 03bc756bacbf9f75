//! Forms of pages: what a server function answers becomes a redirect, and a notice for the page that it leads to; see [`app::form`].

use std::{collections::BTreeMap, sync::Arc};

use app::{
    AppError,
    form::{Done, Notice, OF_ORGANIZATION, local},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State as Shared},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use dash_ingest::{Problem, ProblemKind};
use dash_model::OrganizationId;
use leptos::server_fn::error::{FromServerFnError, SERVER_FN_ERROR_HEADER};
use url::form_urlencoded;

use super::{cookies, problem::ProblemResponse};
use crate::{access::caller::Caller, state::State};

/// Most that a form takes.
const FORM_BYTES: usize = 64 << 10;
/// Most that an answer takes.
const ANSWER_BYTES: usize = 1 << 20;
/// Fields that are never said again.
const SECRETS: [&str; 4] = ["password", "current", "code", "token"];

/// Only what a browser sends of a form; what a script asks gets the answer itself.
pub async fn forms(Shared(state): Shared<State>, request: Request, next: Next) -> Response {
    if !is_form(&request) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, FORM_BYTES).await else {
        let detail = format!("a form of more than {FORM_BYTES} bytes is not taken");
        return ProblemResponse(Problem::new(ProblemKind::BodyTooLarge, detail)).into_response();
    };
    let form = parts.uri.path().to_owned();
    let back = back(&parts.headers);
    let caller = parts.extensions.get::<Arc<Caller>>().cloned();
    if let Some(caller) = &caller
        && let Some(error) = of_another(&body, caller.viewer.organization)
    {
        let (to, notice) = refused(error, back, &Bytes::new());
        return lead(&state, Some(caller), &to, notice, form);
    }
    // The framework would redirect by itself, with the error in the address.
    parts
        .headers
        .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let response = next.run(Request::from_parts(parts, Body::from(body.clone()))).await;
    let failed = response.headers().contains_key(SERVER_FN_ERROR_HEADER);
    let (answered, answer) = response.into_parts();
    let Ok(said) = to_bytes(answer, ANSWER_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let (to, notice) = match failed {
        true => refused(AppError::de(said), back, &body),
        false => match serde_json::from_slice::<Done>(&said) {
            Ok(done) => told(done, back),
            // Not one of ours: whatever it is, it is the answer.
            Err(_) => return Response::from_parts(answered, Body::from(said)),
        },
    };
    lead(&state, caller.as_ref(), &to, notice, form)
}

/// To a page, with what is to be said there.
fn lead(state: &State, caller: Option<&Arc<Caller>>, to: &str, notice: Option<Notice>, form: String) -> Response {
    if let (Some(notice), Some(caller)) = (notice, caller) {
        let notice = Notice {
            form,
            at: crate::clock::now().0,
            ..notice
        };
        let secure = state.config.accounts.is_secure();
        caller
            .cookies
            .lock()
            .push(cookies::set_notice(&state.vault, &notice, secure));
    }
    see_other(to)
}

/// A page that was loaded before its reader went on to another organization, in another tab, does not act in that one.
fn of_another(body: &Bytes, here: OrganizationId) -> Option<AppError> {
    let (_, of) = form_urlencoded::parse(body).find(|(name, _)| name == OF_ORGANIZATION)?;
    (of != here.to_string()).then(|| AppError::Invalid {
        field: OF_ORGANIZATION.into(),
        reason: "nothing was done: you look at another organization now than when this page was loaded".into(),
    })
}

fn is_form(request: &Request) -> bool {
    let text = |name: header::HeaderName| {
        request
            .headers()
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
    };
    request.method() == Method::POST
        && request.uri().path().starts_with("/api/")
        && text(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded")
        && text(header::ACCEPT).contains("text/html")
}

/// The page that the form is on.
fn back(headers: &HeaderMap) -> String {
    let referer = headers.get(header::REFERER).and_then(|v| v.to_str().ok());
    let uri = referer.and_then(|r| r.parse::<axum::http::Uri>().ok());
    let path = uri.as_ref().and_then(|uri| uri.path_and_query()).map(|p| p.as_str());
    local(path).unwrap_or("/").to_owned()
}

fn told(done: Done, back: String) -> (String, Option<Notice>) {
    let to = local(done.to.as_deref()).map_or(back, str::to_owned);
    let notice = done.say.map(|text| Notice {
        text,
        once: done.once,
        ..Notice::default()
    });
    (to, notice)
}

fn refused(error: AppError, back: String, body: &Bytes) -> (String, Option<Notice>) {
    if error == AppError::SignIn {
        return (format!("/sign-in?to={}", encode(&back)), None);
    }
    let (field, text) = match &error {
        // The field is marked: its name need not be said.
        AppError::Invalid { field, reason } => (Some(field.clone()), sentence(reason)),
        other => (None, other.to_string()),
    };
    let notice = Notice {
        failed: true,
        text,
        field,
        typed: typed(body),
        ..Notice::default()
    };
    (back, Some(notice))
}

/// What was typed, without secrets.
fn typed(body: &Bytes) -> BTreeMap<String, String> {
    let fields = form_urlencoded::parse(body).into_owned();
    fields.filter(|(name, _)| !SECRETS.contains(&name.as_str())).collect()
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn see_other(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    let headers = [
        (header::LOCATION, to),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_its_own_page_and_to_no_other_site() {
        let of = |referer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::REFERER, referer.parse().expect("a value"));
            back(&headers)
        };
        assert_eq!(
            of("http://127.0.0.1:3000/organization?tab=teams"),
            "/organization?tab=teams"
        );
        // The host does not count, and a path cannot be one.
        assert_eq!(of("https://evil.test//evil.test/x"), "/");
        assert_eq!(of("nonsense"), "/");
        assert_eq!(told(Done::go("//evil.test"), "/account".into()).0, "/account");
        assert_eq!(told(Done::go("/pipelines"), "/account".into()).0, "/pipelines");
    }

    #[test]
    fn secrets_are_not_said_again() {
        let body = Bytes::from_static(b"email=ada%40example.org&password=hunter2&token=t&code=1&current=x&name=A+B");
        let typed = typed(&body);
        assert_eq!(typed.get("email").map(String::as_str), Some("ada@example.org"));
        assert_eq!(typed.get("name").map(String::as_str), Some("A B"));
        assert_eq!(typed.len(), 2);
    }

    #[test]
    fn a_refusal_says_what_is_wrong_in_a_sentence_and_marks_the_field() {
        let error = AppError::Invalid {
            field: "password".into(),
            reason: "at least 10 characters are needed".into(),
        };
        let (to, notice) = refused(error, "/sign-up".into(), &Bytes::new());
        let notice = notice.expect("a notice");
        assert_eq!(to, "/sign-up");
        assert_eq!(notice.text, "At least 10 characters are needed.");
        assert_eq!(notice.field.as_deref(), Some("password"));
        let (to, notice) = refused(AppError::SignIn, "/account".into(), &Bytes::new());
        assert_eq!((to.as_str(), notice), ("/sign-in?to=%2Faccount", None));
    }
}
