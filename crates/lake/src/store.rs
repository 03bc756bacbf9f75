use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use dash_model::{OrganizationId, PipelineId};
use futures::TryStreamExt;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
    aws::AmazonS3Builder, local::LocalFileSystem, path::Path,
};
use secrecy::ExposeSecret;

use crate::{LakeError, Location, S3Options};

/// How long the check for `/readyz` may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Never written; asked for by the check.
const CHECK_KEY: &str = ".check";

/// The lake's storage. Keys are relative to its prefix. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    prefix: Path,
    location: Location,
}

/// Opens the lake; a directory is made when it is missing, a bucket has to exist. Nothing goes over the network yet.
pub fn open(location: &Location, options: &S3Options) -> Result<Store, LakeError> {
    let (inner, prefix): (Arc<dyn ObjectStore>, &str) = match location {
        Location::Directory(path) => (Arc::new(directory(path)?), ""),
        Location::S3 { bucket, prefix } => (Arc::new(bucket_client(bucket, options)?), prefix),
    };
    Ok(Store {
        inner,
        prefix: Path::from(prefix),
        location: location.clone(),
    })
}

fn directory(path: &PathBuf) -> Result<LocalFileSystem, LakeError> {
    let wrong = |e: &dyn fmt::Display| {
        LakeError::Config(format!(
            "DASH_LAKE: the directory {} cannot be used: {e}; it must be writable for this user",
            path.display()
        ))
    };
    std::fs::create_dir_all(path).map_err(|e| wrong(&e))?;
    let store = LocalFileSystem::new_with_prefix(path).map_err(|e| wrong(&e))?;
    Ok(store.with_fsync(true))
}

fn bucket_client(bucket: &str, options: &S3Options) -> Result<object_store::aws::AmazonS3, LakeError> {
    let missing = |name: &str| {
        LakeError::Config(format!(
            "{name} is not set; a lake in a bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ))
    };
    let access_key = options.access_key_id.as_deref().filter(|k| !k.is_empty());
    let secret = options.secret_access_key.as_ref();
    let secret = secret.filter(|k| !k.expose_secret().is_empty());
    let client = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(5).min(options.request_timeout))
        .with_timeout(options.request_timeout);
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.,
        },
        max_retries: options.retries,
        retry_timeout: options.request_timeout.saturating_mul(2),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(options.signing_region()?)
        .with_access_key_id(access_key.ok_or_else(|| missing("AWS_ACCESS_KEY_ID"))?)
        .with_secret_access_key(secret.ok_or_else(|| missing("AWS_SECRET_ACCESS_KEY"))?.expose_secret())
        .with_retry(retry);
    if let Some(token) = &options.session_token {
        builder = builder.with_token(token.expose_secret());
    }
    let mut client = client;
    if let Some((endpoint, plain)) = options.checked_endpoint()? {
        client = client.with_allow_http(plain);
        builder = builder.with_endpoint(endpoint);
    }
    let built = builder.with_client_options(client).build();
    built.map_err(|e| {
        LakeError::Config(format!(
            "the bucket {bucket} cannot be reached with these settings: {e}"
        ))
    })
}

impl Store {
    /// Where this lake is, for people.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Whether the storage answers and lets us in: one small request, at most 5 seconds.
    pub async fn check(&self) -> Result<(), LakeError> {
        if let Location::Directory(path) = &self.location {
            let failed = |reason: String| failure("checking", &path.display().to_string(), reason);
            let meta = tokio::fs::metadata(path).await.map_err(|e| failed(e.to_string()))?;
            return match meta {
                m if !m.is_dir() => Err(failed("it is no directory".into())),
                m if m.permissions().readonly() => Err(failed("it is read-only".into())),
                _ => Ok(()),
            };
        }
        // A body tells a missing bucket from a missing object; HEAD has none.
        let asked = tokio::time::timeout(CHECK_TIMEOUT, self.inner.get(&self.path(CHECK_KEY))).await;
        let bucket = self.location.to_string();
        match asked {
            Err(_) => Err(failure(
                "checking",
                &bucket,
                format!("no answer within {CHECK_TIMEOUT:?}"),
            )),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(Error::NotFound { source, .. })) if !source.to_string().contains("NoSuchBucket") => Ok(()),
            Ok(Err(Error::NotFound { .. })) => Err(failure("checking", &bucket, "there is no such bucket".into())),
            Ok(Err(e)) => Err(failure("checking", &bucket, describe(&e))),
        }
    }

    /// Puts an object where none is. True when it was put, false when something is there already: that may be our
    /// own write whose answer was lost.
    pub(crate) async fn put_new(&self, key: &str, bytes: Bytes) -> Result<bool, LakeError> {
        let options = PutOptions::from(PutMode::Create);
        let put = self
            .inner
            .put_opts(&self.path(key), PutPayload::from_bytes(bytes), options)
            .await;
        match put {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. } | Error::NotModified { .. }) => Ok(false),
            // To the writer a missing bucket is no missing object.
            Err(e) => Err(failure("writing", key, describe(&e))),
        }
    }

    /// The whole object.
    pub async fn get(&self, key: &str) -> Result<Bytes, LakeError> {
        let got = async { self.inner.get(&self.path(key)).await?.bytes().await }.await;
        got.map_err(|e| self.failed("reading", key, &e))
    }

    /// The object's size in bytes.
    pub async fn size(&self, key: &str) -> Result<u64, LakeError> {
        let head = self.inner.head(&self.path(key)).await;
        head.map(|meta| meta.size)
            .map_err(|e| self.failed("looking up", key, &e))
    }

    pub(crate) async fn range(&self, key: &str, range: std::ops::Range<u64>) -> Result<Bytes, LakeError> {
        let got = self.inner.get_range(&self.path(key), range).await;
        got.map_err(|e| self.failed("reading", key, &e))
    }

    /// Every key below the prefix, sorted. Asks for all pages: for tests and audits, not for the data path.
    pub async fn list(&self) -> Result<Vec<String>, LakeError> {
        let below = (!self.prefix.as_ref().is_empty()).then(|| self.prefix.clone());
        let mut keys: Vec<String> = self.sizes_below(below).await?.into_iter().map(|(key, _)| key).collect();
        keys.sort();
        Ok(keys)
    }

    /// Keys and sizes in bytes of the objects of one pipeline, in no order. Asks for all pages, as [`list`](Self::list) does.
    pub async fn sizes(
        &self,
        organization: OrganizationId,
        pipeline: PipelineId,
    ) -> Result<Vec<(String, u64)>, LakeError> {
        self.sizes_below(Some(self.path(&format!("{organization}/{pipeline}"))))
            .await
    }

    async fn sizes_below(&self, below: Option<Path>) -> Result<Vec<(String, u64)>, LakeError> {
        let found: Vec<_> = self
            .inner
            .list(below.as_ref())
            .try_collect()
            .await
            .map_err(|e| failure("listing", self.prefix.as_ref(), describe(&e)))?;
        let keys = found.iter().filter_map(|meta| {
            let parts = meta.location.prefix_match(&self.prefix)?;
            let parts: Vec<String> = parts.map(|p| p.as_ref().to_owned()).collect();
            Some((parts.join("/"), meta.size))
        });
        Ok(keys.collect())
    }

    fn path(&self, key: &str) -> Path {
        if self.prefix.as_ref().is_empty() {
            Path::from(key)
        } else {
            Path::from(format!("{}/{key}", self.prefix))
        }
    }

    fn failed(&self, action: &'static str, key: &str, error: &Error) -> LakeError {
        match error {
            Error::NotFound { .. } => LakeError::Missing { key: key.into() },
            e => failure(action, key, describe(e)),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.location)
    }
}

fn failure(action: &'static str, key: &str, reason: String) -> LakeError {
    LakeError::Storage {
        action,
        key: key.into(),
        reason,
    }
}

/// One line of an error. What a server answers may repeat the signed request: of its body only the code is kept.
fn describe(error: &Error) -> String {
    let known = match error {
        Error::NotFound { .. } => Some("not found; does the bucket exist?"),
        Error::PermissionDenied { .. } => Some("access denied; the key needs to list, read and write this bucket"),
        Error::Unauthenticated { .. } => Some("the access key is not accepted"),
        _ => None,
    };
    let whole = error.to_string();
    let code = whole
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map(|(code, _)| code);
    let line: String = match known {
        Some(known) => known.into(),
        None => whole
            .split('<')
            .next()
            .unwrap_or_default()
            .trim()
            .chars()
            .take(300)
            .collect(),
    };
    match code {
        Some(code) => format!("{line} ({code})"),
        None => line,
    }
}
