//! Who sends events, and to which pipeline: by a key, or by a signature where the source asks for one.

use std::sync::Arc;

use app::AppError;
use dash_accounts::policy::Action;
use dash_ingest::{ProblemKind, verify};
use dash_model::{DEFAULT_ORGANIZATION, OrganizationId, PipelineId};
use secrecy::ExposeSecret;

use crate::{
    access::{
        Access,
        keys::{Bearer, Keys, unauthorized},
    },
    catalog::{Catalog, Entry},
    failure::Failure,
};

/// What a request is judged with.
pub struct Sender<'a> {
    pub catalog: &'a Catalog,
    pub access: &'a Access,
    pub keys: &'a Keys,
}

impl Sender<'_> {
    /// The pipeline that is sent to. Without a key it is one whose bodies are signed: the signature is left to be checked with the body.
    ///
    /// # Errors
    /// When the key is none, or not one for this pipeline.
    pub async fn entry(&self, name: &str, authorization: Option<&str>) -> Result<Arc<Entry>, Failure> {
        if authorization.is_none() {
            return self.signed(name).await;
        }
        match self.keys.bearer(authorization).await? {
            Bearer::Pipeline { pipeline, organization } => self.of_its_own(name, pipeline, organization).await,
            bearer @ Bearer::Api { .. } => {
                let viewer = bearer
                    .viewer()
                    .ok_or_else(|| unauthorized("this key is not for events"))?;
                Ok(self.access.pipeline(&viewer, Action::Ingest, name).await?)
            }
        }
    }

    /// A key of one pipeline lets nobody find out what others there are.
    async fn of_its_own(
        &self,
        name: &str,
        pipeline: PipelineId,
        organization: OrganizationId,
    ) -> Result<Arc<Entry>, Failure> {
        match self.catalog.find(organization, name).await {
            Ok(entry) if entry.pipeline.id == pipeline => Ok(entry),
            Ok(_) => Err(unauthorized(
                "this key is not one of this pipeline; use the one that was shown when the pipeline was made",
            )),
            Err(AppError::NotFound { .. }) => {
                let id = name.parse::<PipelineId>();
                Err(match id {
                    Ok(_) => unauthorized("this key is not one of this pipeline"),
                    Err(_) => AppError::NotFound {
                        what: "pipeline".into(),
                        name: name.into(),
                    }
                    .into(),
                })
            }
            Err(other) => Err(other.into()),
        }
    }

    /// By id, or by slug in the first organization: without a key there is nothing else to tell organizations apart by.
    async fn signed(&self, name: &str) -> Result<Arc<Entry>, Failure> {
        let found = match name.parse::<PipelineId>() {
            Ok(id) => self.catalog.known(id).await,
            Err(_) => self.catalog.find(DEFAULT_ORGANIZATION, name).await,
        };
        let no_key = || unauthorized("no key came; send the header Authorization: Bearer <key>");
        match found {
            Ok(entry) if entry.pipeline.source.signature().is_some() => Ok(entry),
            Ok(_) | Err(AppError::NotFound { .. }) => Err(no_key()),
            Err(other) => Err(other.into()),
        }
    }
}

/// Checks the signature of a body.
pub fn signed<'h>(entry: &Entry, header: impl Fn(&str) -> Option<&'h str>, body: &[u8]) -> Result<(), Failure> {
    let scheme = entry.pipeline.source.signature();
    let scheme = scheme.ok_or_else(|| unauthorized("bodies of this pipeline are not signed; send a key"))?;
    let secret = entry
        .signing_secret
        .as_ref()
        .ok_or_else(|| Failure::internal(format!("pipeline {} is signed but has no secret", entry.pipeline.slug)))?;
    let now_s = crate::clock::now().0 / 1_000_000;
    verify(scheme, secret.expose_secret(), &header, body, now_s)
        .map_err(|e| Failure::problem(ProblemKind::Unauthorized, e.to_string()))
}
