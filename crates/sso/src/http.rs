//! How providers are called.

use std::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicU16, Ordering},
};

use async_trait::async_trait;
use http::{Request, Response};
use openidconnect::AsyncHttpClient;

/// Calls a provider. Addresses come from the provider's own description of itself, so whoever implements this has to
///
/// - refuse addresses of the own network, unless somebody allowed them,
/// - follow no redirect: a code and a client's secret would go to wherever it points,
/// - stop after a time and after some bytes of body (1 MiB is plenty).
#[async_trait]
pub trait Http: Send + Sync {
    async fn execute(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, HttpError>;
}

/// Why there was no answer. The reason is for the log; it must not have headers or bodies in it, which hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct HttpError {
    pub reason: String,
}

impl HttpError {
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// As openidconnect wants it. Keeps the status of the last answer, which the library's errors do not have.
pub(crate) struct Caller<'a> {
    http: &'a dyn Http,
    status: AtomicU16,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(http: &'a dyn Http) -> Self {
        Self {
            http,
            status: AtomicU16::new(0),
        }
    }

    /// 0 when there was no answer.
    pub(crate) fn status(&self) -> u16 {
        self.status.load(Ordering::Relaxed)
    }
}

impl<'c> AsyncHttpClient<'c> for Caller<'_> {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(async move {
            let answer = self.http.execute(request).await?;
            self.status.store(answer.status().as_u16(), Ordering::Relaxed);
            Ok(answer)
        })
    }
}
