//! Every route. What each asks of whoever comes is in [`super::routes`].

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state, map_response},
    routing::get,
};
use leptos::prelude::LeptosOptions;
use leptos_axum::LeptosRoutes;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, trace::TraceLayer};
use tower_sessions::{Expiry, SessionManagerLayer, cookie::SameSite};
use utoipa_axum::{router::OpenApiRouter, routes as paths};

use super::{
    audit, cookies, forms, guard, health, identify, ingest, live, openapi, passkeys, problem, query, routes, site, sso,
    stats, theme,
};
use crate::{access::session::DbSessions, accounts::LONG, ports::Shared, state::State};

/// The API of programs, with its description.
fn api() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(openapi::document())
        .routes(paths!(ingest::post_events))
        .routes(paths!(stats::get_stats))
        .routes(paths!(query::get_query))
}

/// What `GET /api/v1/openapi.json` answers.
pub fn api_document() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

/// The whole of Dash over HTTP.
pub fn router(state: State, options: LeptosOptions) -> Router {
    let (api, document) = api().split_for_parts();
    let api = api
        .route("/api/v1/openapi.json", get(move || openapi::serve(document.clone())))
        .route("/api/v1/{*rest}", axum::routing::any(problem::no_such_address))
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(state.clone())
        .layer(from_fn_with_state(state.clone(), guard::wrong_keys))
        .layer(from_fn(guard::private_answers));

    let health = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(state.clone());

    let live = Router::new()
        .route(live::PATH, get(live::open))
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(state.clone());

    let provide = site::context(&state, Shared::new(&state));
    // The framework would serve the live channel as well; it is ours.
    let pages = leptos_axum::generate_route_list_with_exclusions(app::App, Some(vec![live::PATH.into()]));
    let site = Router::new()
        .leptos_routes_with_context(&options, pages, provide.clone(), {
            let options = options.clone();
            move || app::shell(options.clone())
        })
        .route("/api/{*function}", site::server_functions(provide.clone()))
        .route("/theme", get(theme::set))
        .fallback(site::files(&state, provide))
        .with_state(options)
        .layer(map_response(site::own_status))
        .layer(from_fn(routes::declared))
        .layer(from_fn_with_state(state.clone(), forms::forms));

    let exports = Router::new()
        .route("/organization/audit.csv", get(audit::csv))
        .route("/organization/audit.json", get(audit::json))
        .route("/sso/{provider}", get(sso::begin))
        .route("/sso/callback", get(sso::finish))
        .route("/passkeys.js", get(passkeys::script))
        .with_state(state.clone());

    let secure = state.config.accounts.is_secure();
    let sessions = SessionManagerLayer::new(DbSessions(state.db.clone()))
        .with_name(cookies::session_name(secure))
        .with_secure(secure)
        // A link in a letter opens the page as the one who is signed in.
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(LONG));
    let people = Router::new()
        .merge(site)
        .merge(exports)
        .layer(CompressionLayer::new().br(true).gzip(true))
        .layer(from_fn_with_state(state.clone(), guard::security_headers))
        .merge(live)
        .layer(from_fn_with_state(state.clone(), identify::identify))
        // Keys of the live channel are read where it is found out who asks.
        .layer(from_fn_with_state(state.clone(), guard::wrong_keys))
        .layer(sessions);

    Router::new()
        .merge(api)
        .merge(people)
        .layer(from_fn_with_state(state, guard::own_host))
        .merge(health)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(TraceLayer::new_for_http().make_span_with(guard::span))
}
