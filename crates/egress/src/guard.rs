//! Names to addresses, and connections to exactly those.

use std::{
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use url::Url;

use crate::{error::EgressError, host::Host, policy::Policy, system::SystemDns};

/// The addresses of a name, one day.
pub type Answer<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Who is asked for the addresses of a name.
pub trait Resolve: Send + Sync + 'static {
    fn resolve<'a>(&'a self, name: &'a str) -> Answer<'a>;
}

/// How long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, with resolving the name and waiting for the turn to ask. 10 s by default.
    pub connect: Duration,
    /// For a request over HTTP, to the last byte of the answer and over all redirects. 30 s by default; a request can have its own.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Guard {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Policy,
    timeouts: Timeouts,
    dns: Box<dyn Resolve>,
}

impl Guard {
    pub fn new(policy: Policy) -> Self {
        Self::with(policy, Timeouts::default(), SystemDns)
    }

    pub fn with(policy: Policy, timeouts: Timeouts, dns: impl Resolve) -> Self {
        let inner = Arc::new(Inner {
            policy,
            timeouts,
            dns: Box::new(dns),
        });
        Self { inner }
    }

    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    pub fn timeouts(&self) -> Timeouts {
        self.inner.timeouts
    }

    /// What can be said of a URL before anything is asked or sent: for forms. Its host and port.
    ///
    /// # Errors
    /// [`EgressError::Scheme`], [`EgressError::Host`], [`EgressError::Refused`].
    pub fn check_url(&self, url: &Url) -> Result<(Host, u16), EgressError> {
        let port = match url.scheme() {
            "http" | "https" => url.port_or_known_default().unwrap_or_default(),
            scheme => {
                return Err(EgressError::Scheme {
                    scheme: scheme.to_owned(),
                });
            }
        };
        let host = Host::of_url(url)?;
        self.inner.policy.check_host(&host, port)?;
        Ok((host, port))
    }

    /// Every address of `host`, all of them allowed: one that is not among others is how a name is made to lead inside.
    ///
    /// # Errors
    /// [`EgressError::Host`], [`EgressError::Refused`], [`EgressError::Unresolved`], [`EgressError::Timeout`].
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, EgressError> {
        let host: Host = host.parse()?;
        self.inner.policy.check_host(&host, port)?;
        let name = match &host {
            Host::Address(ip) => return Ok(vec![SocketAddr::new(*ip, port)]),
            Host::Name(name) => name,
        };
        let answer = timeout(self.inner.timeouts.connect, self.inner.dns.resolve(name)).await;
        let unresolved = |reason: String| EgressError::Unresolved {
            host: name.clone(),
            reason,
        };
        let addresses = answer
            .map_err(|_| EgressError::Timeout { host: name.clone() })?
            .map_err(|e| unresolved(e.to_string()))?;
        if addresses.is_empty() {
            return Err(unresolved("it has no address".to_owned()));
        }
        let judge = |ip: &IpAddr| self.inner.policy.check(*ip, port, &host);
        addresses.iter().try_for_each(judge)?;
        Ok(addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }

    /// To an address that was checked: the name is not asked for again.
    ///
    /// # Errors
    /// As [`Self::resolve`], and [`EgressError::Connect`].
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, EgressError> {
        let until = Instant::now() + self.inner.timeouts.connect;
        let addresses = self.resolve(host, port).await?;
        let mut failure = None;
        for (tried, address) in addresses.iter().enumerate() {
            // Each its share of the time that is left: one that never answers must not use up that of the others.
            let share = (until - Instant::now()) / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = Some(error),
                Err(_) => {}
            }
        }
        let host = host.parse::<Host>()?.to_string();
        Err(match failure {
            Some(error) => EgressError::Connect {
                host,
                port,
                reason: error.to_string(),
            },
            None => EgressError::Timeout { host },
        })
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("policy", &self.inner.policy)
            .field("timeouts", &self.inner.timeouts)
            .finish_non_exhaustive()
    }
}
