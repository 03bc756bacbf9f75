//! HTTP through the guard.

use std::fmt;

use reqwest::{
    Method, Request, Response,
    dns::{Addrs, Name, Resolving},
    header::AUTHORIZATION,
    redirect,
};
use tokio::time::Instant;

use crate::{error::EgressError, guard::Guard, redirect as hop};

/// Connections that wait for the next request.
const IDLE_PER_HOST: usize = 4;
const AGENT: &str = concat!("Dash/", env!("CARGO_PKG_VERSION"));

tokio::task_local! {
    /// Of the request that a name is resolved for: the resolver of the client is not told it.
    static PORT: u16;
}

/// Sends requests to where the guard lets them. Make one and clone it: each has its own connections and certificates.
///
/// Goes through no proxy, since that would resolve names itself, and follows redirects only by [`Self::follow`].
#[derive(Clone)]
pub struct Client {
    guard: Guard,
    inner: reqwest::Client,
}

impl Guard {
    /// # Errors
    /// [`EgressError::Client`]
    pub fn http(&self) -> Result<Client, EgressError> {
        let inner = reqwest::Client::builder()
            .dns_resolver(Dns(self.clone()))
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(AGENT)
            .connect_timeout(self.timeouts().connect)
            .timeout(self.timeouts().total)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .build()
            .map_err(|e| EgressError::Client { reason: e.to_string() })?;
        Ok(Client {
            guard: self.clone(),
            inner,
        })
    }
}

impl Client {
    /// Sends it, and gives the answer as it comes, a redirect too. User and password in its URL are sent as a header.
    ///
    /// # Errors
    /// [`EgressError`]
    pub async fn execute(&self, mut request: Request) -> Result<Response, EgressError> {
        let (host, port) = self.guard.check_url(request.url())?;
        self.credentials_to_header(&mut request);
        let sent = PORT.scope(port, async { self.inner.execute(request).await });
        sent.await.map_err(|e| EgressError::of_http(&host.to_string(), &e))
    }

    /// Sends it, and again to where the answer points, at most `max_hops` times, each hop checked as the first.
    ///
    /// Another origin gets only the headers that say what is wanted, none that could tell who asks, and no body. Redirects from https
    /// to http are refused.
    ///
    /// # Errors
    /// [`EgressError`]
    pub async fn follow(&self, mut request: Request, max_hops: usize) -> Result<Response, EgressError> {
        let total = request.timeout().copied().unwrap_or(self.guard.timeouts().total);
        let until = Instant::now() + total;
        // Before the first copy: the next hop of the same origin gets them too.
        self.credentials_to_header(&mut request);
        for _ in 0..=max_hops {
            *request.timeout_mut() = Some(until.saturating_duration_since(Instant::now()));
            let sent = hop::Sent::of(&request);
            let response = self.execute(request).await?;
            match sent.next(response.status(), response.headers())? {
                None => return Ok(response),
                Some(next) => request = next,
            }
        }
        Err(EgressError::Hops {
            host: request.url().host_str().unwrap_or_default().to_owned(),
            most: max_hops,
        })
    }

    fn credentials_to_header(&self, request: &mut Request) {
        let url = request.url();
        if url.username().is_empty() && url.password().is_none() {
            return;
        }
        // A request that is built has them in its header already.
        let built = self.inner.request(Method::GET, url.clone()).build();
        let header = built.ok().and_then(|r| r.headers().get(AUTHORIZATION).cloned());
        if let Some(header) = header {
            request.headers_mut().entry(AUTHORIZATION).or_insert(header);
        }
        hop::forget_credentials(request.url_mut());
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("guard", &self.guard)
            .finish_non_exhaustive()
    }
}

struct Dns(Guard);

impl reqwest::dns::Resolve for Dns {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        // Without a request nothing is allowed that is allowed on one port only.
        let port = PORT.try_with(|port| *port).unwrap_or_default();
        Box::pin(async move {
            let addresses = guard.resolve(name.as_str(), port).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
