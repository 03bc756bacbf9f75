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
use dash_db::{Db, store};
use dash_ingest::{ProblemKind, bearer, hash_key};
use dash_model::{OrganizationId, PipelineId};
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
    used: Arc<Mutex<HashMap<Uuid, dash_model::Micros>>>,
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
        let found = match PresentedKey::read(&key.into()) {
            Some(presented) => {
                let found = store::api_keys::find(&mut connection, &presented.public, crate::clock::now()).await?;
                found.and_then(|kept| of_api_key(&presented, kept))
            }
            None => store::keys::authenticate(&mut connection, &hash)
                .await?
                .map(|found| Bearer::Pipeline {
                    pipeline: found.pipeline,
                    organization: found.organization,
                }),
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

fn of_api_key(presented: &PresentedKey, kept: store::api_keys::ApiKey) -> Option<Bearer> {
    let hash = KeptKey {
        public: kept.public,
        hash: kept.hash,
    };
    presented.is(&hash).then_some(Bearer::Api {
        id: kept.id,
        name: kept.name,
        key: Key {
            organization: kept.organization,
            team: kept.team,
            scope: kept.scope,
        },
    })
}

pub fn unauthorized(detail: &str) -> Failure {
    Failure::problem(ProblemKind::Unauthorized, detail)
}
