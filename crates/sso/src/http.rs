//! How providers are called.

use std::{future::Future, pin::Pin};

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

/// As openidconnect wants it.
pub(crate) struct Caller<'a>(pub &'a dyn Http);

impl<'c> AsyncHttpClient<'c> for Caller<'_> {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: Request<Vec<u8>>) -> Self::Future {
        self.0.execute(request)
    }
}
