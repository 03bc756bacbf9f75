//! Every route that the router has, asked by everybody there is, for what is theirs and what is not. What is expected comes from the table of routes and
//! from the policy, which are tested by themselves: here it shows that every route really asks.

mod form;
mod world;

use std::{collections::BTreeSet, fmt::Debug};

use axum::http::Method;
use dash_accounts::policy::{self, Action, Denied, Target, Who};
use dash_model::DEFAULT_ORGANIZATION as OWN;
use reqwest::RequestBuilder;
use serde_json::json;
use server::web::routes::{API, FUNCTIONS, Kind, OTHERS, PAGES, Policy, Route};
use uuid::Uuid;

use self::{
    form::form,
    world::{ALL, Asker, Whose, World},
};
use crate::util::{TestApp, text};

/// What the status of an answer says of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    SignIn,
    Forbidden,
    Hidden,
}

fn expected(who: &Who, action: Action, target: &Target) -> Answer {
    match policy::decide(who, action, target) {
        Ok(()) => Answer::Allowed,
        Err(Denied::SignIn) => Answer::SignIn,
        Err(Denied::Hidden) => Answer::Hidden,
        Err(Denied::Forbidden { .. }) => Answer::Forbidden,
    }
}

fn found(status: u16, location: &str) -> Answer {
    match status {
        401 => Answer::SignIn,
        302 | 303 if location.starts_with("/sign-in") => Answer::SignIn,
        403 => Answer::Forbidden,
        404 => Answer::Hidden,
        200..=303 | 400 | 410 | 422 => Answer::Allowed,
        other => panic!("{other} is no answer of a policy"),
    }
}

async fn ask(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let location = response
        .headers()
        .get("location")
        .map(|v| v.to_str().unwrap().to_owned());
    if status == 500 || status == 503 {
        panic!("{status} {}", response.text().await.unwrap());
    }
    found(status, &location.unwrap_or_default())
}

fn declared(routes: &'static [Route], wanted: impl Fn(Kind) -> bool) -> Vec<(&'static Route, Action, Kind)> {
    let all = routes.iter().filter_map(|route| match route.policy {
        Policy::May(action, kind) if wanted(kind) => Some((route, action, kind)),
        _ => None,
    });
    all.collect()
}

/// What somebody got, and what they should have.
fn said(route: &Route, asker: &Asker, (whose, found, expected): &(impl Debug, Answer, impl Debug)) -> String {
    let Route { method, path, .. } = route;
    format!(
        "{method} {path} by {} of {whose:?}: {found:?} instead of {expected:?}",
        asker.name
    )
}

/// Things: what is whose, asked for by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_gets_what_the_policy_says_of_every_thing() {
    let world = Box::pin(World::new()).await;
    let things = |kind| matches!(kind, Kind::Pipeline | Kind::Dashboard | Kind::Metric);
    let mut routes = declared(PAGES, things);
    routes.extend(declared(FUNCTIONS, things));
    routes.extend(declared(API, things));
    let mut wrong = Vec::new();
    let mut asked = 0;
    for (route, action, kind) in routes {
        for asker in &world.askers {
            let api = route.path.starts_with("/api/v1/");
            // People have no keys, and keys open no pages.
            if (asker.key.is_some() && !api) || (asker.cookie.is_some() && api) {
                continue;
            }
            for whose in ALL {
                let name = world.name(whose);
                let page = !route.path.starts_with("/api/");
                let path = route.path.replace("{slug}", &name).replace("{pipeline}", &name);
                let request = world.request(asker, &route.method, &path, page);
                let request = match (kind, route.path) {
                    (_, "/api/dashboard") => request.query(&[("slug", &name)]),
                    (_, "/api/dashboard/share") => request.form(&[("slug", name.as_str()), ("public", "false")]),
                    (_, "/api/v1/query") => request.query(&[("pipeline", name.as_str()), ("metric", "value")]),
                    (_, "/api/dashboard/team" | "/api/pipeline/team") => {
                        // To the team that has it: nothing changes.
                        let team = match whose {
                            Whose::Everybodys => String::new(),
                            _ => world.team_of(whose).to_string(),
                        };
                        request.form(&[("slug", &name), ("pipeline", &name), ("team", &team)])
                    }
                    (Kind::Metric, _) => request.json(&json!({"specs": [{
                        "query": {"pipeline": name, "metric": "value"}, "range": {"kind": "all"}, "shape": {"kind": "total"},
                    }]})),
                    (_, "/api/v1/ingest/{pipeline}") => request.body(r#"{"at":1700000000000,"value":1}"#),
                    _ if page => request,
                    _ => request.query(&[("pipeline", &name)]),
                };
                let found = match route.path {
                    // Answers for each question by itself.
                    "/api/query" => match text(request).await.as_str() {
                        t if t.contains("\"Ok\"") => Answer::Allowed,
                        t if t.contains("SignIn") => Answer::SignIn,
                        t if t.contains("Forbidden") => Answer::Forbidden,
                        t if t.contains("NotFound") => Answer::Hidden,
                        other => panic!("{other}"),
                    },
                    _ => ask(request).await,
                };
                asked += 1;
                let expected = expected(&asker.who, action, &world.target(whose));
                if found != expected {
                    wrong.push(said(route, asker, &(whose, found, &expected)));
                }
            }
        }
    }
    assert!(asked > 200, "{asked}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The organization: what only some may do with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_does_with_an_organization_what_the_policy_says() {
    let world = Box::pin(World::new()).await;
    let mut routes = declared(FUNCTIONS, |kind| matches!(kind, Kind::Organization | Kind::Team));
    routes.extend(declared(PAGES, |kind| kind == Kind::Organization));
    routes.extend(declared(OTHERS, |kind| kind == Kind::Organization));
    let mut wrong = Vec::new();
    let mut nth = 0;
    for (route, action, kind) in routes {
        // It ends who asks: tried by itself.
        if route.path == "/api/people/leave" {
            continue;
        }
        let targets: &[Whose] = if kind == Kind::Team {
            &[Whose::OwnTeam, Whose::OtherTeam, Whose::Foreign]
        } else {
            &[Whose::Everybodys]
        };
        for asker in world.askers.iter().filter(|asker| asker.key.is_none()) {
            for whose in targets {
                nth += 1;
                let page = !route.path.starts_with("/api/");
                let request = world.request(asker, &route.method, route.path, page);
                let request = match route.method {
                    Method::POST => request.form(&form(&world, route.path, *whose, nth).await),
                    _ if route.path == "/api/keys" => request.query(&[("service", "true")]),
                    _ if route.path == "/api/audit" => request.query(&[("filter[actor]", "")]),
                    _ => request,
                };
                // Everybody asks for the organization that they look at: of a stranger that is their own.
                let own = match &asker.who {
                    Who::Person(person) => person.organization,
                    _ => OWN,
                };
                let target = match kind {
                    // Made for the occasion: nobody is in it.
                    Kind::Team if route.path == "/api/teams/delete" && *whose == Whose::OwnTeam => {
                        world.target(Whose::OtherTeam)
                    }
                    Kind::Team => world.target(*whose),
                    _ => Target {
                        organization: own,
                        team: None,
                        public: false,
                    },
                };
                let mut expected = vec![expected(&asker.who, action, &target)];
                // Of a person or a team of another organization there is nothing, whatever one may do in one's own.
                if expected[0] == Answer::Allowed && own != OWN {
                    expected.push(Answer::Hidden);
                }
                if route.path == "/api/people/hand-on" || route.path == "/api/keys/revoke" {
                    expected.push(Answer::Hidden);
                }
                let found = ask(request).await;
                if !expected.contains(&found) {
                    wrong.push(said(route, asker, &(whose, found, &expected)));
                }
            }
        }
    }
    assert!(nth > 100, "{nth}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is one's own, lists, ways in: nobody gets further than they should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ones_own_needs_somebody_and_lists_show_what_may_be_seen() {
    let world = Box::pin(World::new()).await;
    let nobody = &world.askers[0];
    for route in PAGES.iter().chain(FUNCTIONS).chain(OTHERS) {
        let page = !route.path.starts_with("/api/");
        let request = world.request(nobody, &route.method, route.path, page);
        let request = match (route.policy, route.method.clone()) {
            (Policy::Oneself, Method::POST) => request.form(&[
                ("id", Uuid::now_v7().to_string()),
                ("organization", Uuid::now_v7().to_string()),
                ("name", "x".into()),
                ("code", "123456".into()),
                ("password", "x".into()),
                ("current", "x".into()),
                ("token", "x".into()),
                ("issuer", "x".into()),
                ("subject", "x".into()),
                ("response", "x".into()),
            ]),
            (Policy::Oneself, _) => request,
            _ => continue,
        };
        assert_eq!(ask(request).await, Answer::SignIn, "{} {}", route.method, route.path);
    }
    for asker in world.askers.iter().filter(|asker| asker.cookie.is_some()) {
        let may: BTreeSet<&str> = ALL
            .iter()
            .filter(|w| policy::decide(&asker.who, Action::See, &world.target(**w)).is_ok())
            .map(|w| w.slug())
            .collect();
        for list in ["/api/pipelines", "/api/dashboards"] {
            let listed = text(world.request(asker, &Method::GET, list, false)).await;
            let seen: BTreeSet<&str> = ALL
                .iter()
                .map(|w| w.slug())
                .filter(|slug| listed.contains(&format!("\"slug\":\"{slug}\"")))
                .collect();
            assert_eq!(seen, may, "{list} by {}", asker.name);
        }
    }
    let nobodys = text(world.request(nobody, &Method::GET, "/api/dashboards", false)).await;
    assert_eq!(nobodys, "[]", "nothing is shared");
}

/// A path that the framework would serve and that nobody has declared is not served; nor is one that is not there.
#[tokio::test]
async fn what_is_not_declared_is_not_served() {
    let app = TestApp::start().await;
    for (method, path) in [
        (Method::POST, "/api/nothing"),
        (Method::GET, "/api/sign-in"),
        (Method::DELETE, "/api/pipelines"),
    ] {
        let request = app.client.request(method.clone(), format!("{}{path}", app.url));
        let request = request.header("origin", &app.url).header("cookie", &app.owner.cookie);
        assert_eq!(request.send().await.unwrap().status(), 404, "{method} {path}");
    }
}
