//! Whose key is it: ingest keys of one pipeline, and API keys of people and services.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use app::ports::Viewer;
use dash_accounts::{
    api_key::{KeptKey, PresentedKey},
    policy::{Key, Who},
};
use dash_db::{
    AsyncPgConnection, Db,
    store::{self, api_keys::ApiKey},
};
use dash_ingest::{ProblemKind, bearer, hash_key};
use dash_model::{
    Micros, OrganizationId, PipelineId,
    account::{OrganizationRole, Scope, TeamRole},
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::failure::Failure;

/// How long a key that was found is not looked up again, and so how long a revoked one may still work.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Keys remembered at one time.
const MANY: usize = 10_000;

/// What a key lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// Events of one pipeline, and nothing else.
    Pipeline {
        pipeline: PipelineId,
        organization: OrganizationId,
    },
    /// What its scope says.
    Api { id: Uuid, name: String, key: Key },
}

impl Bearer {
    fn organization(&self) -> OrganizationId {
        match self {
            Self::Pipeline { organization, .. } => *organization,
            Self::Api { key, .. } => key.organization,
        }
    }

    /// As whom a key asks.
    pub fn viewer(&self) -> Option<Viewer> {
        match self {
            Self::Pipeline { .. } => None,
            Self::Api { key, .. } => Some(Viewer {
                user: None,
                organization: key.organization,
                who: Who::Key(key.clone()),
            }),
        }
    }
}

/// Keys by their hash, and when they were looked up.
type Known = HashMap<[u8; 32], (Bearer, Instant)>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Keys {
    db: Db,
    known: Arc<Mutex<Known>>,
    /// API keys that were used since [`Keys::note`].
    used: Arc<Mutex<HashMap<Uuid, Micros>>>,
}

impl Keys {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            known: Arc::default(),
            used: Arc::default(),
        }
    }

    /// Whose key an Authorization header holds.
    ///
    /// # Errors
    /// When there is none, or it is no key.
    pub async fn bearer(&self, authorization: Option<&str>) -> Result<Bearer, Failure> {
        let Some(key) = authorization.and_then(|a| bearer(Some(a))) else {
            return Err(unauthorized("no key came; send the header Authorization: Bearer <key>"));
        };
        let hash = hash_key(key);
        let remembered = self.known.lock().get(&hash).cloned();
        let found = match remembered {
            Some((bearer, at)) if at.elapsed() < REMEMBERED => Some(bearer),
            _ => self.look_up(key, hash).await?,
        };
        match found {
            Some(bearer) => {
                if let Bearer::Api { id, .. } = &bearer {
                    self.used.lock().insert(*id, crate::clock::now());
                }
                Ok(bearer)
            }
            None => Err(unauthorized(
                "this is no key of this server, or it was revoked or has expired; use the one that was shown when it was made",
            )),
        }
    }

    async fn look_up(&self, key: &str, hash: [u8; 32]) -> Result<Option<Bearer>, Failure> {
        let mut connection = self.db.diesel().await?;
        let now = crate::clock::now();
        let found = match PresentedKey::read(&key.into()) {
            Some(presented) => {
                let kept = store::api_keys::find(&mut connection, &presented.public, now).await?;
                match kept.filter(|kept| is(&presented, kept)) {
                    Some(kept) => of_api_key(&mut connection, kept).await?,
                    None => None,
                }
            }
            None => store::keys::authenticate(&mut connection, &hash)
                .await?
                .map(|found| Bearer::Pipeline {
                    pipeline: found.pipeline,
                    organization: found.organization,
                }),
        };
        let found = match found {
            Some(bearer) if is_deleted(&mut connection, bearer.organization(), now).await? => None,
            found => found,
        };
        let mut known = self.known.lock();
        if known.len() >= MANY {
            known.clear();
        }
        match &found {
            Some(bearer) => known.insert(hash, (bearer.clone(), Instant::now())),
            None => known.remove(&hash),
        };
        Ok(found)
    }

    /// Writes down when keys were last used: now and then for many, not with every request.
    pub async fn note(&self) -> Result<(), Failure> {
        let used = std::mem::take(&mut *self.used.lock());
        if used.is_empty() {
            return Ok(());
        }
        let mut connection = self.db.diesel().await?;
        for (id, at) in used {
            store::api_keys::touch(&mut connection, id, at).await?;
        }
        Ok(())
    }

    /// After a key was revoked here.
    pub fn forget(&self) {
        self.known.lock().clear();
    }
}

fn is(presented: &PresentedKey, kept: &ApiKey) -> bool {
    let hash = KeptKey {
        public: kept.public.clone(),
        hash: kept.hash,
    };
    presented.is(&hash)
}

async fn is_deleted(
    connection: &mut AsyncPgConnection,
    organization: OrganizationId,
    now: Micros,
) -> Result<bool, Failure> {
    let organization = store::organizations::get(connection, organization).await?;
    Ok(organization.is_none_or(|o| o.delete_at.is_some_and(|at| at <= now)))
}

/// What these API keys may do now; those that may do nothing any more are left out.
pub async fn scopes(connection: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<HashMap<Uuid, Scope>, Failure> {
    let now = crate::clock::now();
    let mut scopes = HashMap::new();
    for kept in store::api_keys::working(connection, ids, now).await? {
        let deleted = is_deleted(connection, kept.organization, now).await?;
        if let Some(Bearer::Api { id, key, .. }) = of_api_key(connection, kept).await?
            && !deleted
        {
            scopes.insert(id, key.scope);
        }
    }
    Ok(scopes)
}

/// A person's key can do no more than they can now, whatever they could when they made it.
async fn of_api_key(connection: &mut AsyncPgConnection, kept: ApiKey) -> Result<Option<Bearer>, Failure> {
    let scope = match kept.user {
        None => Some(kept.scope),
        Some(user) => {
            let role = store::members::role(connection, kept.organization, user).await?;
            let teams = store::teams::of_user(connection, kept.organization, user).await?;
            let in_team = kept.team.and_then(|team| teams.get(&team).copied());
            role.and_then(|role| least(kept.scope, role, in_team))
        }
    };
    Ok(scope.map(|scope| Bearer::Api {
        id: kept.id,
        name: kept.name,
        key: Key {
            organization: kept.organization,
            team: kept.team,
            scope,
        },
    }))
}

/// What is left of a scope for somebody of this role; `in_team` is theirs in the team that the key is bound to.
fn least(scope: Scope, role: OrganizationRole, in_team: Option<TeamRole>) -> Option<Scope> {
    match (role, in_team) {
        (OrganizationRole::Owner | OrganizationRole::Admin, _) => Some(scope),
        (OrganizationRole::Member, Some(TeamRole::Editor)) => Some(scope.min(Scope::Write)),
        // A key that only sends cannot become one that only reads.
        (OrganizationRole::Member, Some(TeamRole::Viewer)) if scope == Scope::Ingest => None,
        (OrganizationRole::Member, Some(TeamRole::Viewer)) => Some(Scope::Read),
        (OrganizationRole::Member, None) => None,
    }
}

pub fn unauthorized(detail: &str) -> Failure {
    Failure::problem(ProblemKind::Unauthorized, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_persons_key_does_no_more_than_they_may() {
        use OrganizationRole::{Admin, Member, Owner};
        use TeamRole::{Editor, Viewer};
        for scope in Scope::ALL {
            assert_eq!(least(*scope, Owner, None), Some(*scope));
            assert_eq!(least(*scope, Admin, None), Some(*scope));
            // Was an admin, or in the team, when they made it.
            assert_eq!(least(*scope, Member, None), None);
        }
        assert_eq!(least(Scope::Admin, Member, Some(Editor)), Some(Scope::Write));
        assert_eq!(least(Scope::Ingest, Member, Some(Editor)), Some(Scope::Ingest));
        assert_eq!(least(Scope::Write, Member, Some(Viewer)), Some(Scope::Read));
        assert_eq!(least(Scope::Ingest, Member, Some(Viewer)), None);
    }
}
