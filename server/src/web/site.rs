//! Pages, server functions and files. All three get the same context: whoever lacks it answers 503.

use std::sync::Arc;

use app::AppError;
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any},
};
use leptos::{
    nonce::use_nonce,
    prelude::*,
    server_fn::error::{FromServerFnError, SERVER_FN_ERROR_HEADER},
};
use leptos_axum::ResponseOptions;
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::{access::caller::Caller, ports::Shared, state::State};

/// Most that an error in words can take.
const ERROR_BYTES: usize = 64 << 10;

/// Puts the ports of whoever asks into the context, and the policy for scripts onto the response.
pub fn context(state: &State, shared: Shared) -> impl Fn() + Clone + Send + Sync + 'static {
    let secure = state.config.accounts.is_secure();
    move || {
        let caller = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Arc<Caller>>().cloned());
        if let Some(caller) = caller {
            provide_context(shared.of(caller));
        }
        let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else {
            return;
        };
        let policy = format!(
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; \
             img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'{}",
            if secure { "; upgrade-insecure-requests" } else { "" }
        );
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
}

/// All server functions; each names its own path and method.
pub fn server_functions<S: Clone + Send + Sync + 'static>(
    provide: impl Fn() + Clone + Send + Sync + 'static,
) -> MethodRouter<S> {
    any(move |request: Request| {
        let provide = provide.clone();
        async move {
            leptos_axum::handle_server_fns_with_context(provide, request)
                .await
                .into_response()
        }
    })
}

/// The framework answers every error of a server function with 500; ours know their status.
pub async fn own_status(response: Response) -> Response {
    if !response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, ERROR_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    match AppError::de(body.clone()) {
        // The framework's own, such as an argument that is missing.
        AppError::Transport(_) => {}
        error => parts.status = StatusCode::from_u16(error.status()).unwrap_or(parts.status),
    }
    Response::from_parts(parts, Body::from(body))
}

/// Built and public files; what is none of them is a page of the app, which says that it is not found.
pub fn files(
    state: &State,
    provide: impl Fn() + Clone + Send + Sync + 'static,
) -> impl Fn(axum::extract::State<LeptosOptions>, Request) -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>>
+ Clone
+ Send
+ Sync
+ 'static {
    let directory = ServeDir::new(state.config.site())
        .precompressed_br()
        .append_index_html_on_directories(false);
    move |axum::extract::State(options), request| {
        let (directory, provide) = (directory.clone(), provide.clone());
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let asked = Request::from_parts(parts.clone(), Body::empty());
            if let Ok(file) = directory.oneshot(asked).await
                && file.status() != StatusCode::NOT_FOUND
                && file.status() != StatusCode::METHOD_NOT_ALLOWED
            {
                let mut response = file.map(Body::new);
                // Names of built files do not change with their contents: the browser asks whether its copy is still good.
                response
                    .headers_mut()
                    .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                return response;
            }
            let page = leptos_axum::render_app_to_stream_with_context(provide, move || app::shell(options.clone()));
            page(Request::from_parts(parts, body)).await.into_response()
        })
    }
}
