//! What each route asks of whoever comes. A route that is not here is not served, and a test holds this table against the router.

use axum::{
    extract::Request,
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use dash_accounts::policy::Action;

/// With what something is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Organization,
    Pipeline,
    /// The answer of a metric; those that a shared dashboard asks for are everybody's.
    Metric,
    Dashboard,
    Team,
    /// Only what the viewer may see of a list is in it.
    List,
}

/// Who is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Everybody, to what is everybody's: files, ways in, what is shared.
    Everybody,
    /// Whoever has the secret that is asked for: a password, a link, a key, a signature.
    Secret,
    /// Whoever is signed in, to what is their own.
    Oneself,
    /// Whoever may do this ([`dash_accounts::policy`]).
    May(Action, Kind),
}

#[derive(Clone, Debug)]
pub struct Route {
    pub method: Method,
    /// As the router has it.
    pub path: &'static str,
    pub policy: Policy,
}

use Action::{
    Change, DeleteOrganization, HandOnOwnership, Ingest, ManageKeys, ManageOrganization, ManagePeople, See, SeeAudit,
    SeePeople,
};
use Kind::{Dashboard, List, Metric, Organization, Pipeline, Team};
use Policy::{Everybody, May, Oneself, Secret};

const fn get(path: &'static str, policy: Policy) -> Route {
    Route {
        method: Method::GET,
        path,
        policy,
    }
}

const fn post(path: &'static str, policy: Policy) -> Route {
    Route {
        method: Method::POST,
        path,
        policy,
    }
}

/// Pages. What they show comes from functions, which ask for themselves.
pub const PAGES: &[Route] = &[
    get("/", Everybody),
    get("/dashboards/{slug}", May(See, Dashboard)),
    get("/pipelines", May(See, List)),
    get("/pipelines/{slug}", May(See, Pipeline)),
    get("/reconcile", May(See, List)),
    get("/sign-in", Everybody),
    get("/sign-in/code", Everybody),
    get("/sign-in/link", Everybody),
    get("/sign-up", Everybody),
    get("/reset", Everybody),
    get("/reset/new", Secret),
    get("/link", Secret),
    get("/confirm", Secret),
    get("/set-up", Secret),
    get("/invitation", Secret),
    get("/account", Oneself),
    get("/organization", May(SeePeople, Organization)),
    get("/mailbox", Everybody),
];

/// Server functions.
pub const FUNCTIONS: &[Route] = &[
    get("/api/dashboards", Everybody),
    get("/api/dashboard", May(See, Dashboard)),
    post("/api/dashboard/share", May(Change, Dashboard)),
    post("/api/dashboard/team", May(Change, Dashboard)),
    post("/api/pipeline/team", May(Change, Pipeline)),
    get("/api/pipelines", May(See, List)),
    get("/api/pipeline", May(See, Pipeline)),
    get("/api/recent-events", May(See, Pipeline)),
    get("/api/quarantine", May(See, Pipeline)),
    get("/api/getting-started", May(See, List)),
    post("/api/query", May(See, Metric)),
    get("/api/reconcile", May(See, List)),
    get("/api/live", Everybody),
    post("/api/sign-in", Secret),
    post("/api/sign-in/code", Secret),
    post("/api/sign-out", Everybody),
    post("/api/sign-up", Everybody),
    post("/api/set-up", Secret),
    post("/api/switch", Oneself),
    get("/api/link", Secret),
    post("/api/link/ask", Everybody),
    post("/api/reset/ask", Everybody),
    post("/api/link/sign-in", Secret),
    post("/api/link/confirm", Secret),
    post("/api/reset", Secret),
    post("/api/invitation/accept", Oneself),
    post("/api/invitation/join", Secret),
    get("/api/account", Oneself),
    post("/api/account/name", Oneself),
    post("/api/account/password", Oneself),
    post("/api/account/devices/end", Oneself),
    post("/api/account/devices/end-others", Oneself),
    post("/api/account/unlink", Oneself),
    post("/api/passkeys/begin", Oneself),
    post("/api/passkeys/add", Oneself),
    post("/api/passkeys/remove", Oneself),
    post("/api/sign-in/passkey/begin", Everybody),
    post("/api/sign-in/passkey", Secret),
    post("/api/account/second-factor/begin", Oneself),
    post("/api/account/second-factor/confirm", Oneself),
    post("/api/account/second-factor/stop", Oneself),
    post("/api/account/recovery-codes", Oneself),
    get("/api/keys", May(ManageKeys, Organization)),
    post("/api/keys/make", May(ManageKeys, Organization)),
    post("/api/keys/revoke", May(ManageKeys, Organization)),
    get("/api/people", May(SeePeople, Organization)),
    post("/api/people/invite", May(ManagePeople, Organization)),
    post("/api/people/revoke-invitation", May(ManagePeople, Organization)),
    post("/api/people/role", May(ManagePeople, Organization)),
    post("/api/people/remove", May(ManagePeople, Organization)),
    post("/api/people/leave", May(SeePeople, Organization)),
    post("/api/people/hand-on", May(HandOnOwnership, Organization)),
    post("/api/teams/make", May(ManagePeople, Organization)),
    post("/api/teams/delete", May(ManagePeople, Team)),
    post("/api/teams/member", May(ManagePeople, Team)),
    post("/api/teams/remove-member", May(ManagePeople, Team)),
    get("/api/usage", May(SeePeople, Organization)),
    get("/api/audit", May(SeeAudit, Organization)),
    post("/api/organizations/make", Oneself),
    post("/api/organization/name", May(ManageOrganization, Organization)),
    post("/api/organization/delete", May(DeleteOrganization, Organization)),
    post("/api/organization/keep", May(DeleteOrganization, Organization)),
    get("/api/letters", Everybody),
];

/// The API of programs.
pub const API: &[Route] = &[
    post("/api/v1/ingest/{pipeline}", May(Ingest, Pipeline)),
    get("/api/v1/pipelines/{pipeline}/stats", May(See, Pipeline)),
    get("/api/v1/query", May(See, Metric)),
    get("/api/v1/openapi.json", Everybody),
];

/// The rest.
pub const OTHERS: &[Route] = &[
    get("/theme", Everybody),
    get("/sso/{provider}", Everybody),
    get("/sso/callback", Secret),
    get("/passkeys.js", Everybody),
    get("/organization/audit.csv", May(SeeAudit, Organization)),
    get("/organization/audit.json", May(SeeAudit, Organization)),
    get("/healthz", Everybody),
    get("/readyz", Everybody),
];

/// The routes of functions that the program has, as the table would list them.
pub fn functions() -> Vec<(Method, &'static str)> {
    let mut all: Vec<_> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, method)| (method, path))
        .collect();
    all.sort_by_key(|(_, path)| *path);
    all
}

/// Calls no server function of which nobody has said who may call it.
pub async fn declared(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_declared = FUNCTIONS
        .iter()
        .any(|route| route.path == path && route.method == *request.method());
    match is_declared || !path.starts_with("/api/") {
        true => next.run(request).await,
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn declared(routes: &[Route]) -> BTreeSet<String> {
        routes.iter().map(|r| format!("{} {}", r.method, r.path)).collect()
    }

    #[test]
    fn every_server_function_declares_who_may_call_it() {
        let there: BTreeSet<String> = functions().iter().map(|(m, p)| format!("{m} {p}")).collect();
        assert_eq!(declared(FUNCTIONS), there);
    }

    #[test]
    fn every_page_declares_who_may_open_it() {
        let pages = leptos_axum::generate_route_list(app::App);
        let there: BTreeSet<String> = pages.iter().map(|p| format!("GET {}", p.path())).collect();
        assert_eq!(declared(PAGES), there);
    }

    #[test]
    fn every_address_of_the_api_declares_who_may_use_it() {
        let document = crate::web::api_document();
        let mut there: BTreeSet<String> = document
            .paths
            .paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = [
                    ("GET", &item.get),
                    ("POST", &item.post),
                    ("PUT", &item.put),
                    ("DELETE", &item.delete),
                    ("PATCH", &item.patch),
                ];
                methods
                    .into_iter()
                    .filter(|(_, operation)| operation.is_some())
                    .map(move |(method, _)| format!("{method} {path}"))
            })
            .collect();
        there.insert("GET /api/v1/openapi.json".to_owned());
        assert_eq!(declared(API), there);
    }

    #[test]
    fn no_route_stands_twice() {
        let all: Vec<&Route> = [PAGES, FUNCTIONS, API, OTHERS].into_iter().flatten().collect();
        let different: BTreeSet<String> = all.iter().map(|r| format!("{} {}", r.method, r.path)).collect();
        assert_eq!(different.len(), all.len());
    }
}
