//! Every route.

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state, map_response},
    routing::get,
};
use leptos::prelude::LeptosOptions;
use leptos_axum::LeptosRoutes;
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, trace::TraceLayer};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{guard, health, ingest, live, openapi, problem, query, site, stats, theme};
use crate::state::State;

/// The whole of Dash over HTTP.
pub fn router(state: State, options: LeptosOptions) -> Router {
    let (api, document) = OpenApiRouter::with_openapi(openapi::document())
        .routes(routes!(ingest::post_events))
        .routes(routes!(stats::get_stats))
        .routes(routes!(query::get_query))
        .split_for_parts();
    let api = api
        .route("/api/v1/openapi.json", get(move || openapi::serve(document.clone())))
        .route("/api/v1/{*rest}", axum::routing::any(problem::no_such_address))
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(state.clone());

    let health = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(state.clone());

    let live = Router::new()
        .route(live::PATH, get(live::open))
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(state.hub.clone());

    let provide = site::context(&state);
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
        .layer(CompressionLayer::new().br(true).gzip(true))
        .layer(from_fn(guard::security_headers));

    Router::new()
        .merge(api)
        .merge(live)
        .merge(site)
        .layer(from_fn_with_state(state.config.address(), guard::own_host))
        .merge(health)
        .layer(CatchPanicLayer::custom(problem::panicked))
        .layer(TraceLayer::new_for_http().make_span_with(guard::span))
}
