//! Whose key is it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use dash_db::{Db, store};
use dash_ingest::{ProblemKind, bearer, hash_key, verify};
use dash_model::PipelineId;
use parking_lot::Mutex;
use secrecy::ExposeSecret;

use crate::{catalog::Entry, failure::Failure};

/// How long a key that was found is not looked up again, and so how long a revoked one may still work.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Keys remembered at one time.
const MANY: usize = 10_000;

/// Pipelines by the hash of a key, and when that was looked up.
type Known = HashMap<[u8; 32], (PipelineId, Instant)>;

/// Cheap to clone.
#[derive(Clone)]
pub struct Authenticator {
    db: Db,
    known: Arc<Mutex<Known>>,
}

impl Authenticator {
    pub fn new(db: Db) -> Self {
        Self {
            db,
            known: Arc::default(),
        }
    }

    /// Checks that the sender may send to this pipeline: by key, or by signature where the source asks for one.
    pub async fn sender<'h>(
        &self,
        entry: &Entry,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
    ) -> Result<(), Failure> {
        if let (Some(scheme), None) = (entry.pipeline.source.signature(), header("authorization")) {
            let secret = entry.signing_secret.as_ref().ok_or_else(|| {
                Failure::internal(format!("pipeline {} is signed but has no secret", entry.pipeline.slug))
            })?;
            let now_s = crate::clock::now().0 / 1_000_000;
            return verify(scheme, secret.expose_secret(), &header, body, now_s)
                .map_err(|e| Failure::problem(ProblemKind::Unauthorized, e.to_string()));
        }
        self.key(entry, header("authorization")).await
    }

    /// Checks that an Authorization header holds a key of this pipeline.
    pub async fn key(&self, entry: &Entry, authorization: Option<&str>) -> Result<(), Failure> {
        let Some(key) = authorization.and_then(|a| bearer(Some(a))) else {
            return Err(unauthorized(
                "no key came; send the header Authorization: Bearer <ingest key>",
            ));
        };
        let owner = self.owner(hash_key(key)).await?;
        if owner != Some(entry.pipeline.id) {
            return Err(unauthorized(
                "this key is not one of this pipeline; use the one that was shown when the pipeline was made",
            ));
        }
        Ok(())
    }

    async fn owner(&self, hash: [u8; 32]) -> Result<Option<PipelineId>, Failure> {
        let remembered = self.known.lock().get(&hash).copied();
        if let Some((pipeline, at)) = remembered
            && at.elapsed() < REMEMBERED
        {
            return Ok(Some(pipeline));
        }
        let owner = store::keys::authenticate(&mut *self.db.diesel().await?, &hash).await?;
        let mut known = self.known.lock();
        if known.len() >= MANY {
            known.clear();
        }
        match &owner {
            Some(found) => known.insert(hash, (found.pipeline, Instant::now())),
            None => known.remove(&hash),
        };
        Ok(owner.map(|found| found.pipeline))
    }
}

fn unauthorized(detail: &str) -> Failure {
    Failure::problem(ProblemKind::Unauthorized, detail)
}
