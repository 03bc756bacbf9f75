//! All providers, each asked for its description when it is first needed.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};
use url::Url;

use crate::{Begun, Callback, Flaw, Http, Identity, Pending, Provider, ProviderConfig, SsoError};

/// How long a description is believed before it is asked for again.
const KEPT: Duration = Duration::from_secs(3_600);
/// How long a provider is left alone after it was asked: whoever presses the button again and again does not call it as often.
const PAUSE: Duration = Duration::from_secs(10);

/// The providers of a server. Starting it needs none of them: one that is down keeps nobody from signing in elsewhere.
pub struct Providers {
    http: Arc<dyn Http>,
    entries: Vec<Entry>,
}

struct Entry {
    config: ProviderConfig,
    /// Locked while the provider is asked, so that it is asked once.
    last: Mutex<Option<Discovery>>,
}

struct Discovery {
    /// When the provider was asked last, whatever came of it.
    asked: Instant,
    found: Result<Known, SsoError>,
}

#[derive(Clone)]
struct Known {
    provider: Arc<Provider>,
    since: Instant,
}

impl Providers {
    pub fn new(configs: Vec<ProviderConfig>, http: Arc<dyn Http>) -> Self {
        let entry = |config| Entry {
            config,
            last: Mutex::new(None),
        };
        let entries = configs.into_iter().map(entry).collect();
        Self { http, entries }
    }

    /// In the order of the configuration: for the buttons.
    pub fn configs(&self) -> impl Iterator<Item = &ProviderConfig> {
        self.entries.iter().map(|e| &e.config)
    }

    /// See [`Provider::begin`].
    ///
    /// # Errors
    /// [`SsoError::NoProvider`], or what [`Provider::discover`] says.
    pub async fn begin(&self, slug: &str, redirect_url: &Url) -> Result<Begun, SsoError> {
        let provider = self.entry(slug)?.provider(&*self.http, None).await?;
        Ok(provider.begin(redirect_url))
    }

    /// See [`Provider::finish`]. A provider that changed its keys since it was asked for them is asked again.
    ///
    /// # Errors
    /// [`SsoError`]
    pub async fn finish(&self, pending: Pending, callback: &Callback) -> Result<Identity, SsoError> {
        let entry = self.entry(pending.provider())?;
        let provider = entry.provider(&*self.http, None).await?;
        let answer = provider.exchange(pending, callback, &*self.http).await?;
        match provider.identity(&answer, &*self.http).await {
            Err(SsoError::Untrusted {
                flaw: Flaw::UnknownKey, ..
            }) => {
                let newer = entry.provider(&*self.http, Some(&provider)).await?;
                newer.identity(&answer, &*self.http).await
            }
            result => result,
        }
    }

    fn entry(&self, slug: &str) -> Result<&Entry, SsoError> {
        self.entries
            .iter()
            .find(|e| e.config.slug == slug)
            .ok_or(SsoError::NoProvider)
    }
}

impl Entry {
    /// What is known, unless it is too old or the one that is `outdated`. Still that when the provider describes itself no more: who is
    /// away for a moment, or sends nonsense, has not lost its addresses.
    async fn provider(&self, http: &dyn Http, outdated: Option<&Arc<Provider>>) -> Result<Arc<Provider>, SsoError> {
        let mut last = self.last.lock().await;
        if let Some(Discovery { asked, found }) = &*last {
            let fresh = |known: &Known| {
                known.since.elapsed() < KEPT && outdated.is_none_or(|o| !Arc::ptr_eq(o, &known.provider))
            };
            if found.as_ref().is_ok_and(fresh) || asked.elapsed() < PAUSE {
                return found.clone().map(|k| k.provider);
            }
        }
        let answer = Provider::discover(self.config.clone(), http).await;
        let asked = Instant::now();
        let held = last.take().and_then(|l| l.found.ok());
        let found = match (answer, held) {
            (Ok(provider), _) => Ok(Known {
                provider: Arc::new(provider),
                since: asked,
            }),
            (Err(error), Some(held)) => {
                let detail = error.detail();
                tracing::warn!(
                    detail,
                    "a provider does not describe itself any more; its last description is used"
                );
                Ok(held)
            }
            (Err(error), None) => Err(error),
        };
        *last = Some(Discovery {
            asked,
            found: found.clone(),
        });
        found.map(|k| k.provider)
    }
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.configs().map(|c| &c.slug)).finish()
    }
}
