//! `GET /sso/{provider}` and `GET /sso/callback`: to a provider of OpenID Connect, and back.

use std::sync::Arc;

use app::{AppError, form::Notice};
use axum::{
    extract::{Extension, Path, Query, State as Shared},
    response::{IntoResponse, Redirect, Response},
};
use dash_sso::Callback;
use serde::Deserialize;
use uuid::Uuid;

use super::cookies;
use crate::{
    access::caller::Caller,
    accounts::sso::{self, Back},
    state::State,
};

#[derive(Deserialize)]
pub struct Wanted {
    to: Option<String>,
    link: Option<Uuid>,
}

pub async fn begin(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(provider): Path<String>,
    Query(Wanted { to, link }): Query<Wanted>,
) -> Response {
    match sso::begin(&state, &caller, &provider, to.as_deref(), link).await {
        Ok(url) => Redirect::to(url.as_str()).into_response(),
        Err(error) => {
            let back_to = link.map_or("/sign-in", |_| "/account");
            back(&state, &caller, Back::refused(&error, back_to))
        }
    }
}

pub async fn finish(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Arc<Caller>>,
    Query(callback): Query<Callback>,
) -> Response {
    let done = sso::finish(&state, &caller, &callback).await;
    back(
        &state,
        &caller,
        done.unwrap_or_else(|error: AppError| Back::refused(&error, "/sign-in")),
    )
}

/// To a page, with what is to be said there.
fn back(state: &State, caller: &Caller, Back { to, say, failed }: Back) -> Response {
    if let Some(text) = say {
        let notice = Notice {
            form: "/sso".into(),
            at: crate::clock::now().0,
            failed,
            text,
            ..Notice::default()
        };
        let secure = state.config.accounts.is_secure();
        caller
            .cookies
            .lock()
            .push(cookies::set_notice(&state.vault, &notice, secure));
    }
    Redirect::to(&to).into_response()
}
