//! The pipelines of all organizations as the hot paths need them: found by slug or id within one organization, with their plan compiled.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use app::AppError;
use dash_db::{
    AsyncConnection as _, AsyncPgConnection, Db, RowConnection,
    store::{
        self,
        audit::{Actor, By},
        pipelines::Credentials,
    },
};
use dash_model::{
    OrganizationId, PipelineId,
    people::Limited,
    pipeline::{CreatedPipeline, Pipeline, PipelineDefinition},
};
use dash_transform::Plan;
use dash_vault::Vault;
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretSlice};
use tokio::sync::Mutex;

use crate::{accounts::quotas::one_more, config::Quotas, failure::Failure};

/// Between two readings of all pipelines for names that are not among them.
const PAUSE: Duration = Duration::from_millis(100);

/// A pipeline with everything that does not change between its events.
pub struct Entry {
    pub pipeline: Pipeline,
    /// The active mapping version, compiled.
    pub plan: Arc<Plan>,
    /// Present when its source is signed.
    pub signing_secret: Option<SecretSlice<u8>>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    db: Db,
    vault: Arc<Vault>,
    quotas: Quotas,
    entries: Arc<RwLock<Entries>>,
    /// The last reading; held while pipelines are read, so that an older reading never takes the place of a newer one.
    last: Arc<Mutex<Option<Reading>>>,
}

/// That all pipelines were read.
struct Reading {
    began: Instant,
    /// Whether it came to its end.
    done: bool,
}

#[derive(Default)]
struct Entries {
    by_id: HashMap<PipelineId, Arc<Entry>>,
    by_slug: HashMap<(OrganizationId, String), PipelineId>,
}

impl Catalog {
    /// Reads all pipelines.
    pub async fn load(db: Db, vault: Arc<Vault>, quotas: Quotas) -> Result<Self, Failure> {
        let catalog = Self {
            db,
            vault,
            quotas,
            entries: Arc::default(),
            last: Arc::default(),
        };
        catalog.reload().await?;
        Ok(catalog)
    }

    /// Reads all pipelines again: the command line may have added one.
    pub async fn reload(&self) -> Result<(), Failure> {
        let mut last = self.last.lock().await;
        self.read(&mut last).await
    }

    /// As [`Self::reload`], but for all who wait at once, and not again and again: anybody may ask for names that are none. What was made before
    /// this is called is read.
    async fn look_again(&self) -> Result<(), AppError> {
        let asked = Instant::now();
        let mut last = Arc::clone(&self.last).lock_owned().await;
        if let Some(reading) = last.as_ref().filter(|reading| reading.began >= asked) {
            return match reading.done {
                true => Ok(()),
                // What is there is not known, so nothing is said to be missing.
                false => Err(AppError::Unavailable {
                    what: "The database".into(),
                }),
            };
        }
        let this = self.clone();
        // On its own task: whoever asks and leaves at once would have it begun again and again.
        let read = tokio::spawn(async move {
            if let Some(reading) = last.as_ref() {
                tokio::time::sleep(PAUSE.saturating_sub(reading.began.elapsed())).await;
            }
            this.read(&mut last).await
        });
        let read = read.await;
        read.map_err(|e| Failure::internal(format!("reading the pipelines ended early: {e}")))??;
        Ok(())
    }

    async fn read(&self, last: &mut Option<Reading>) -> Result<(), Failure> {
        let began = Instant::now();
        let read = self.read_all().await;
        *last = Some(Reading {
            began,
            done: read.is_ok(),
        });
        read
    }

    async fn read_all(&self) -> Result<(), Failure> {
        let mut connection = self.db.diesel().await?;
        let pipelines = store::pipelines::all(&mut connection).await?;
        let mut entries = Entries::default();
        for pipeline in pipelines {
            let known = self.entries.read().by_id.get(&pipeline.id).cloned();
            let entry = match known {
                Some(known) if known.pipeline == pipeline => known,
                _ => match self.compile(&mut connection, pipeline).await {
                    Ok(entry) => Arc::new(entry),
                    // The others go on; events of this one stay in the spool.
                    Err(error) => {
                        tracing::error!(%error, "a pipeline is left out");
                        continue;
                    }
                },
            };
            let name = (entry.pipeline.organization, entry.pipeline.slug.clone());
            entries.by_slug.insert(name, entry.pipeline.id);
            entries.by_id.insert(entry.pipeline.id, entry);
        }
        *self.entries.write() = entries;
        Ok(())
    }

    async fn compile(&self, connection: &mut AsyncPgConnection, pipeline: Pipeline) -> Result<Entry, Failure> {
        let plan = Plan::compile(&pipeline.active_version.mapping).map_err(|e| {
            Failure::internal(format!(
                "the mapping of pipeline {} is stored but wrong: {e}",
                pipeline.slug
            ))
        })?;
        let signing_secret = match pipeline.source.signature() {
            Some(_) => store::secrets::signing_of(connection, &self.vault, pipeline.id).await?,
            None => None,
        };
        Ok(Entry {
            pipeline,
            plan: Arc::new(plan),
            signing_secret,
        })
    }

    /// By slug or id, as it is in memory; another organization's is not found.
    pub fn get(&self, organization: OrganizationId, slug_or_id: &str) -> Option<Arc<Entry>> {
        let entries = self.entries.read();
        let id = entries
            .by_slug
            .get(&(organization, slug_or_id.to_owned()))
            .copied()
            .or_else(|| slug_or_id.parse().ok())?;
        let entry = entries.by_id.get(&id)?;
        (entry.pipeline.organization == organization).then(|| Arc::clone(entry))
    }

    /// By slug or id; one that was added by another process is looked up, and found within a second or so.
    pub async fn find(&self, organization: OrganizationId, slug_or_id: &str) -> Result<Arc<Entry>, AppError> {
        if let Some(entry) = self.get(organization, slug_or_id) {
            return Ok(entry);
        }
        self.look_again().await?;
        self.get(organization, slug_or_id).ok_or_else(|| not_found(slug_or_id))
    }

    /// By the id of an event that was accepted; one that another process made meanwhile is looked up.
    pub async fn known(&self, id: PipelineId) -> Result<Arc<Entry>, AppError> {
        let known = self.entries.read().by_id.get(&id).cloned();
        if let Some(entry) = known {
            return Ok(entry);
        }
        self.look_again().await?;
        let entry = self.entries.read().by_id.get(&id).cloned();
        entry.ok_or_else(|| not_found(&id.to_string()))
    }

    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.entries.read().by_id.values().cloned().collect()
    }

    /// Those of an organization, by rising name.
    pub fn of(&self, organization: OrganizationId) -> Vec<Arc<Entry>> {
        let entries = self.entries.read();
        let own = entries
            .by_id
            .values()
            .filter(|entry| entry.pipeline.organization == organization);
        let mut all: Vec<_> = own.cloned().collect();
        drop(entries);
        all.sort_by(|a, b| a.pipeline.name.cmp(&b.pipeline.name));
        all
    }

    /// Makes a pipeline with its first mapping version and an ingest key.
    pub async fn create(
        &self,
        organization: OrganizationId,
        definition: &PipelineDefinition,
        actor: Actor,
    ) -> Result<CreatedPipeline, Failure> {
        let created = create(&self.db, &self.vault, &self.quotas, organization, definition, actor).await?;
        self.reload().await?;
        Ok(created)
    }
}

fn not_found(name: &str) -> AppError {
    AppError::NotFound {
        what: "pipeline".into(),
        name: name.into(),
    }
}

/// Checks a definition, its expressions too, and stores it. The answer holds the only copy of its secrets.
pub async fn create(
    db: &Db,
    vault: &Vault,
    quotas: &Quotas,
    organization: OrganizationId,
    definition: &PipelineDefinition,
    actor: Actor,
) -> Result<CreatedPipeline, Failure> {
    definition.validate()?;
    Plan::compile(&definition.mapping).map_err(|mut e| {
        e.field = format!("mapping.{}", e.field);
        e
    })?;
    let key = dash_ingest::generate_key();
    let signing = definition
        .source
        .signature()
        .map(|_| dash_ingest::generate_signing_secret());
    let signing_bytes: Option<SecretSlice<u8>> = signing
        .as_ref()
        .map(|s| dash_ingest::signature::secret_bytes(s.expose_secret()).into());
    let credentials = Credentials {
        hash: &key.hash,
        hint: &key.hint,
        signing_secret: signing_bytes.as_ref(),
    };
    let mut connection = db.diesel().await?;
    let by = By {
        actor,
        at: crate::clock::now(),
    };
    let write = async |conn: &mut RowConnection| {
        one_more(conn, quotas, organization, Limited::Pipelines).await?;
        let made = store::pipelines::create_with(conn, vault, organization, definition, &credentials, &by).await;
        Ok::<_, Failure>(made?)
    };
    let pipeline = connection.transaction(write).await?;
    Ok(CreatedPipeline {
        id: pipeline.id,
        slug: pipeline.slug,
        ingest_key: key.secret.expose_secret().to_owned(),
        signing_secret: signing.map(|s| s.expose_secret().to_owned()),
    })
}
