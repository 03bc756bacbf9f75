//! People: where they reach this server, how they get in, what they get by mail, what an organization may have.

use std::net::{IpAddr, SocketAddr};

use dash_egress::Policy;
use dash_sso::ProviderConfig;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    ConfigError, Database, Process,
    reader::Reader,
    value::{count, size},
};

#[derive(Clone, Debug)]
pub struct Accounts {
    /// DASH_URL, or where it listens: no path, no slash at the end.
    pub url: Url,
    /// DASH_SIGN_UP=open
    pub sign_up: bool,
    pub mail: Mail,
    /// DASH_OIDC
    pub providers: Vec<ProviderConfig>,
    /// DASH_TRUSTED_PROXIES
    pub proxies: Vec<IpNet>,
    /// DASH_EGRESS_ALLOW
    pub egress: Policy,
    pub quotas: Quotas,
    pub rates: Rates,
}

/// What becomes of letters.
#[derive(Clone, Debug)]
pub enum Mail {
    /// DASH_SMTP_URL and DASH_MAIL_FROM
    Smtp { url: SecretString, from: String },
    /// Shown on a page, to whoever sits at the machine.
    Mailbox,
    /// There is nobody to send them.
    None,
}

/// What each organization may have, unless it was given more or less; nothing is as much as there is room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    pub pipelines: Option<u64>,
    pub events_a_month: Option<u64>,
    pub lake_bytes: Option<u64>,
    pub members: Option<u64>,
}

/// Requests a second; nothing is as many as come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Of one pipeline.
    pub ingest: Option<u32>,
    /// Of one key, for reading.
    pub api: Option<u32>,
}

impl Accounts {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(
        reader: &mut Reader<'_, F>,
        process: &Process,
        database: &Database,
    ) -> Result<Self, ConfigError> {
        let given = reader.optional("DASH_URL", public_url)?;
        if given.is_none() && !process.address.ip().is_loopback() {
            return Err(ConfigError::Missing {
                variable: "DASH_URL",
                why: "DASH_ADDR is not on the loopback; say how people reach this server, such as https://dash.example.org"
                    .into(),
            });
        }
        // Whoever reads the mailbox can sign in as anybody: it is for a server that only this machine reaches, and only for that.
        let alone = database.url.is_none() && given.is_none();
        let mail = mail(reader, alone)?;
        let sign_up = reader.required("DASH_SIGN_UP", |text| match text {
            "invited" => Some(false),
            "open" => Some(true),
            _ => None,
        })?;
        if sign_up && matches!(mail, Mail::None) {
            return Err(ConfigError::Missing {
                variable: "DASH_SMTP_URL",
                why: "DASH_SIGN_UP=open sends a letter to confirm each address".into(),
            });
        }
        Ok(Self {
            url: given.unwrap_or_else(|| of_address(process.address)),
            sign_up,
            mail,
            providers: providers(reader)?,
            proxies: reader.optional("DASH_TRUSTED_PROXIES", networks)?.unwrap_or_default(),
            egress: egress(reader)?,
            quotas: Quotas {
                pipelines: reader.optional("DASH_MAX_PIPELINES", count)?,
                events_a_month: reader.optional("DASH_MAX_EVENTS", count)?,
                lake_bytes: reader.optional("DASH_MAX_LAKE", size)?,
                members: reader.optional("DASH_MAX_MEMBERS", count)?,
            },
            rates: Rates {
                ingest: reader.optional("DASH_RATE_INGEST", rate)?,
                api: reader.optional("DASH_RATE_API", rate)?,
            },
        })
    }

    /// Behind TLS.
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The address of a path, without a slash at the end of either.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.base())
    }

    /// The address of a page that a one-time link leads to.
    pub fn link_with(&self, path: &str, token: &SecretString) -> String {
        self.link(&format!("{path}?token={}", token.expose_secret()))
    }

    /// Without a slash at the end.
    pub fn base(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

fn mail<F: Fn(&str) -> Option<String>>(reader: &mut Reader<'_, F>, alone: bool) -> Result<Mail, ConfigError> {
    let url = reader.secret("DASH_SMTP_URL")?;
    let from = reader.optional("DASH_MAIL_FROM", |text| Some(text.to_owned()))?;
    match (url, from) {
        (Some(url), Some(from)) => {
            // What is wrong shows now, and not with the first letter.
            dash_mail::Mailer::smtp(&url, &from, None).map_err(|e| ConfigError::Said(e.to_string()))?;
            Ok(Mail::Smtp { url, from })
        }
        (Some(_), None) => Err(ConfigError::Missing {
            variable: "DASH_MAIL_FROM",
            why: "DASH_SMTP_URL is set; say whom letters come from, such as Dash <dash@example.org>".into(),
        }),
        (None, _) if alone => Ok(Mail::Mailbox),
        (None, _) => Ok(Mail::None),
    }
}

fn providers<F: Fn(&str) -> Option<String>>(reader: &mut Reader<'_, F>) -> Result<Vec<ProviderConfig>, ConfigError> {
    let text = reader.secret("DASH_OIDC")?;
    let text = text.as_ref().map_or("", |text| text.expose_secret());
    dash_sso::read_providers(text).map_err(|e| ConfigError::Said(e.to_string()))
}

fn egress<F: Fn(&str) -> Option<String>>(reader: &mut Reader<'_, F>) -> Result<Policy, ConfigError> {
    let text = reader.optional("DASH_EGRESS_ALLOW", |text| Some(text.to_owned()))?;
    let policy = text.unwrap_or_default().parse();
    policy.map_err(|e: dash_egress::PolicyError| ConfigError::Said(e.to_string()))
}

fn public_url(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let web = url.scheme() == "https" || url.scheme() == "http";
    (plain && web && url.host().is_some()).then_some(url)
}

fn of_address(address: SocketAddr) -> Url {
    // An address with a port is always part of a URL.
    format!("http://{address}").parse().expect("an address")
}

fn networks(text: &str) -> Option<Vec<IpNet>> {
    let one = |part: &str| {
        let part = part.trim();
        part.parse::<IpNet>()
            .ok()
            .or_else(|| part.parse::<IpAddr>().ok().map(IpNet::from))
    };
    text.split(',').map(one).collect()
}

fn rate(text: &str) -> Option<u32> {
    text.parse().ok().filter(|n| (1..=1_000_000).contains(n))
}
