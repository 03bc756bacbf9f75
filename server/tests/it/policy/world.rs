//! Two organizations, what is in them, and everybody who may ask for it.

use axum::http::Method;
use dash_accounts::policy::{Key, Person, Target, Who};
use dash_db::{AsyncPgConnection, store};
use dash_model::{
    DEFAULT_ORGANIZATION as OWN, DashboardId, OrganizationId, PipelineId, TeamId,
    account::{OrganizationRole as Role, Scope, TeamRole},
    dashboard::Dashboard,
    query::TimeRange,
};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::util::{TestApp, value_mapping};

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Of the team that team members are in.
    OwnTeam,
    OtherTeam,
    /// Of no team.
    Everybodys,
    /// Of another organization.
    Foreign,
}

pub const ALL: [Whose; 4] = [Whose::OwnTeam, Whose::OtherTeam, Whose::Everybodys, Whose::Foreign];

impl Whose {
    pub fn slug(self) -> &'static str {
        match self {
            Self::OwnTeam => "own-team",
            Self::OtherTeam => "other-team",
            Self::Everybodys => "everybodys",
            Self::Foreign => "foreign",
        }
    }
}

/// Somebody who asks.
pub struct Asker {
    pub name: &'static str,
    pub who: Who,
    pub cookie: Option<String>,
    pub key: Option<String>,
}

pub struct World {
    pub app: TestApp,
    pub other: OrganizationId,
    team: TeamId,
    other_team: TeamId,
    foreign_team: TeamId,
    pub askers: Vec<Asker>,
    /// Ids of the pipelines, by whose they are.
    pipelines: Vec<(Whose, PipelineId)>,
}

impl World {
    pub async fn new() -> Self {
        let app = TestApp::start().await;
        let mut conn = app.database.db().diesel().await.unwrap();
        let other = store::organizations::create(&mut conn, "other", "Other")
            .await
            .unwrap()
            .id;
        let team = store::teams::create(&mut conn, OWN, "team", "Team").await.unwrap().id;
        let other_team = store::teams::create(&mut conn, OWN, "other", "Other").await.unwrap().id;
        let foreign_team = store::teams::create(&mut conn, other, "team", "Team").await.unwrap().id;
        let mut pipelines = Vec::new();
        for whose in ALL {
            let (organization, of_team) = match whose {
                Whose::OwnTeam => (OWN, Some(team)),
                Whose::OtherTeam => (OWN, Some(other_team)),
                Whose::Everybodys => (OWN, None),
                Whose::Foreign => (other, Some(foreign_team)),
            };
            let id = make(&app, &mut conn, whose, organization, of_team).await;
            pipelines.push((whose, id));
        }
        app.running().state.catalog.reload().await.unwrap();
        drop(conn);
        let mut world = Self {
            app,
            other,
            team,
            other_team,
            foreign_team,
            askers: Vec::new(),
            pipelines,
        };
        world.askers = world.people().await;
        world
    }

    async fn people(&self) -> Vec<Asker> {
        let mut all = vec![Asker {
            name: "nobody",
            who: Who::Nobody,
            cookie: None,
            key: None,
        }];
        for (name, organization, role, team) in [
            ("member", OWN, Role::Member, None),
            ("viewer", OWN, Role::Member, Some(TeamRole::Viewer)),
            ("editor", OWN, Role::Member, Some(TeamRole::Editor)),
            ("admin", OWN, Role::Admin, None),
            ("an owner", OWN, Role::Owner, None),
            ("stranger", self.other, Role::Owner, None),
        ] {
            let made = self.app.member(organization, role, &name.replace(' ', "-")).await;
            if let Some(role) = team {
                let mut conn = self.app.database.db().diesel().await.unwrap();
                store::teams::set_member(&mut conn, OWN, self.team, made.user, role)
                    .await
                    .unwrap();
            }
            all.push(Asker {
                name,
                who: Who::Person(Person {
                    user: made.user,
                    organization,
                    role,
                    teams: team.map(|role| (self.team, role)).into_iter().collect(),
                }),
                cookie: Some(made.cookie),
                key: None,
            });
        }
        for (name, organization, scope, team) in [
            ("ingest key", OWN, Scope::Ingest, None),
            ("read key", OWN, Scope::Read, None),
            ("write key", OWN, Scope::Write, None),
            ("admin key", OWN, Scope::Admin, None),
            ("team's read key", OWN, Scope::Read, Some(self.team)),
            ("foreign admin key", self.other, Scope::Admin, None),
        ] {
            all.push(Asker {
                name,
                who: Who::Key(Key {
                    organization,
                    team,
                    scope,
                }),
                cookie: None,
                key: Some(self.app.api_key(organization, scope, team).await),
            });
        }
        all
    }

    pub fn target(&self, whose: Whose) -> Target {
        let (organization, team) = match whose {
            Whose::OwnTeam => (OWN, Some(self.team)),
            Whose::OtherTeam => (OWN, Some(self.other_team)),
            Whose::Everybodys => (OWN, None),
            Whose::Foreign => (self.other, Some(self.foreign_team)),
        };
        Target {
            organization,
            team,
            public: false,
        }
    }

    /// By id where it is another organization's, since its slug names nothing here.
    pub fn name(&self, whose: Whose) -> String {
        let id = self.pipelines.iter().find(|(w, _)| *w == whose).expect("made").1;
        match whose {
            Whose::Foreign => id.to_string(),
            _ => whose.slug().to_owned(),
        }
    }

    pub fn team_of(&self, whose: Whose) -> TeamId {
        match whose {
            Whose::OwnTeam | Whose::Everybodys => self.team,
            Whose::OtherTeam => self.other_team,
            Whose::Foreign => self.foreign_team,
        }
    }

    pub fn request(&self, asker: &Asker, method: &Method, path: &str, html: bool) -> RequestBuilder {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let mut request = client
            .request(method.clone(), format!("{}{path}", self.app.url))
            .header("origin", &self.app.url)
            .header("accept", if html { "text/html" } else { "application/json" });
        if let Some(cookie) = &asker.cookie {
            request = request.header("cookie", cookie);
        }
        if let Some(key) = &asker.key {
            request = request.bearer_auth(key);
        }
        request
    }
}

async fn make(
    app: &TestApp,
    conn: &mut AsyncPgConnection,
    whose: Whose,
    organization: OrganizationId,
    team: Option<TeamId>,
) -> PipelineId {
    let slug = whose.slug();
    let definition = json!({"name": slug, "slug": slug, "mapping": value_mapping()});
    let definition = serde_json::from_value(definition).unwrap();
    let state = &app.running().state;
    let actor = store::audit::Actor::system();
    let made = state.catalog.create(organization, &definition, actor).await.unwrap();
    store::pipelines::set_team(conn, organization, made.id, team)
        .await
        .unwrap();
    let board = Dashboard {
        // The same id as the pipeline, so that one name names both.
        id: DashboardId(made.id.0),
        slug: slug.into(),
        title: slug.into(),
        description: String::new(),
        range: TimeRange::All,
        widgets: Vec::new(),
        team,
        public: false,
    };
    store::dashboards::upsert(conn, organization, &board, 0).await.unwrap();
    made.id
}
