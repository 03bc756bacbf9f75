//! What is allowed, and the verdict on one address.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use ipnet::IpNet;

use crate::{
    address::{Ground, canonical, ground},
    host::Host,
};

/// What is reached beyond the internet. Nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    allowed: Vec<Allowed>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    Net(IpNet),
    /// On every port, when none is given.
    Host(Host, Option<u16>),
}

/// Where somebody may not be sent. The text is for the one who gave the address: it does not tell what a name of the inner network
/// resolves to; `ip` is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{host}, port {port}: it leads to {ground}, to which Dash does not connect for its users; give an address on the internet, or have the operator add it to DASH_EGRESS_ALLOW"
)]
pub struct Refused {
    pub host: Host,
    /// Nothing when the name alone decided.
    pub ip: Option<IpAddr>,
    pub port: u16,
    pub ground: Ground,
}

/// An entry of the list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "DASH_EGRESS_ALLOW: `{entry}` {reason}; write entries as 10.0.0.0/8, 10.1.2.3, 10.1.2.3:5432, [fd00::7]:443, db.internal or db.internal:5432, with commas between them"
)]
pub struct PolicyError {
    pub entry: String,
    pub reason: &'static str,
}

impl Policy {
    /// Whether `host`, which resolved to `ip`, may be connected to.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn check(&self, ip: IpAddr, port: u16, host: &Host) -> Result<(), Refused> {
        if self.allows_host(host, port) || self.allows_address(ip, port) {
            return Ok(());
        }
        match named(host).or_else(|| ground(ip)) {
            None => Ok(()),
            Some(ground) => Err(Refused {
                host: host.clone(),
                ip: Some(ip),
                port,
                ground,
            }),
        }
    }

    /// What is known of a host before its name is resolved; [`Self::check`] has the last word.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn check_host(&self, host: &Host, port: u16) -> Result<(), Refused> {
        match host {
            Host::Address(ip) => self.check(*ip, port, host),
            // Its address may be allowed even so.
            Host::Name(_) if !self.allowed.is_empty() => Ok(()),
            Host::Name(_) => named(host).map_or(Ok(()), |ground| {
                Err(Refused {
                    host: host.clone(),
                    ip: None,
                    port,
                    ground,
                })
            }),
        }
    }

    fn allows_host(&self, host: &Host, port: u16) -> bool {
        self.allowed.iter().any(|a| match a {
            Allowed::Host(allowed, on) => allowed == host && on.is_none_or(|on| on == port),
            Allowed::Net(_) => false,
        })
    }

    /// By itself, or by the IPv4 address that it stands for.
    fn allows_address(&self, ip: IpAddr, port: u16) -> bool {
        let plain = canonical(ip);
        self.allows_host(&Host::Address(ip), port)
            || self.allows_host(&Host::Address(plain), port)
            || self
                .allowed
                .iter()
                .any(|a| matches!(a, Allowed::Net(net) if net.contains(&ip) || net.contains(&plain)))
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let entries = text.split(',').map(str::trim).filter(|e| !e.is_empty());
        let allowed = entries.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { allowed })
    }
}

impl FromStr for Allowed {
    type Err = PolicyError;

    fn from_str(entry: &str) -> Result<Self, PolicyError> {
        let wrong = |reason| PolicyError {
            // Of a whole URL only what can have no password in it.
            entry: entry.rsplit('@').next().unwrap_or_default().to_owned(),
            reason,
        };
        if entry.contains("://") || entry.contains('@') {
            return Err(wrong("is a URL, not a host"));
        }
        if entry.contains('*') {
            return Err(wrong("has a star, which stands for nothing here"));
        }
        if entry.contains('/') {
            let net = entry.parse().map_err(|_| wrong("is not a network"))?;
            return Ok(Self::Net(net));
        }
        if let Ok(address) = entry.parse::<SocketAddr>() {
            return match address.port() {
                0 => Err(wrong("has no port that can be connected to")),
                port => Ok(Self::Host(Host::Address(address.ip()), Some(port))),
            };
        }
        let host = |text: &str| text.parse::<Host>().map_err(|_| wrong("is not a host"));
        if let Ok(whole) = host(entry) {
            return Ok(Self::Host(whole, None));
        }
        let (name, port) = entry.rsplit_once(':').ok_or_else(|| wrong("is not a host"))?;
        let port = port.parse().ok().filter(|p| *p > 0);
        let port = port.ok_or_else(|| wrong("has no port that can be connected to"))?;
        Ok(Self::Host(host(name)?, Some(port)))
    }
}

/// Names that never lead to the internet, whatever they resolve to.
fn named(host: &Host) -> Option<Ground> {
    let Host::Name(name) = host else { return None };
    match name.as_str() {
        "metadata"
        | "metadata.google.internal"
        | "metadata.goog"
        | "metadata.azure.internal"
        | "metadata.tencentyun.com"
        | "metadata.platformequinix.com"
        | "instance-data"
        | "instance-data.ec2.internal" => Some(Ground::Metadata),
        "localhost" | "localdomain" | "ip6-localhost" | "ip6-loopback" => Some(Ground::Loopback),
        name if name.ends_with(".localhost") || name.ends_with(".localdomain") => Some(Ground::Loopback),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy(text: &str) -> Policy {
        text.parse().expect("a policy")
    }

    fn host(text: &str) -> Host {
        text.parse().expect("a host")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// An address given as such.
    fn literal(policy: &Policy, text: &str, port: u16) -> bool {
        policy.check_host(&host(text), port).is_ok()
    }

    #[test]
    fn nothing_but_the_internet_by_default() {
        for text in ["", " ", ",", " , ,"] {
            assert_eq!(policy(text), Policy::default(), "{text:?}");
        }
        let none = Policy::default();
        assert!(literal(&none, "1.1.1.1", 443));
        for trick in [
            "0x7f.1",
            "2130706433",
            "127.1",
            "0177.0.0.1",
            "[::ffff:127.0.0.1]",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "１２７.０.０.１",
            "localhost",
            "LocalHost.",
            "a.b.LOCALHOST",
            "localhost.localdomain",
            "Metadata.Google.Internal.",
            "metadata",
        ] {
            assert!(!literal(&none, trick, 80), "{trick}");
        }
        // Whatever the name resolves to.
        let refused = none.check(ip("1.1.1.1"), 80, &host("metadata.google.internal"));
        assert_eq!(refused.expect_err("by its name").ground, Ground::Metadata);
        assert!(none.check(ip("1.1.1.1"), 80, &host("localhost.example.org")).is_ok());
    }

    #[test]
    fn what_is_listed_is_allowed_and_what_is_beside_it_is_not() {
        let list =
            policy("10.0.0.0/8, 192.168.1.7,127.0.0.1:8080,[fd00::7]:443, fd01::7, DB.internal:5432,s3.internal.");
        for (text, port, allowed) in [
            ("10.1.2.3", 1, true),
            ("::ffff:10.1.2.3", 1, true),
            ("64:ff9b::10.1.2.3", 1, true),
            ("11.1.2.3", 1, true),
            ("172.16.0.1", 1, false),
            ("192.168.1.7", 65_535, true),
            ("192.168.1.8", 1, false),
            ("127.0.0.1", 8080, true),
            ("127.0.0.1", 8081, false),
            ("127.0.0.2", 8080, false),
            ("::1", 8080, false),
            ("fd00::7", 443, true),
            ("fd00::7", 80, false),
            ("fd01::7", 80, true),
        ] {
            assert_eq!(literal(&list, text, port), allowed, "{text} {port}");
        }
        let inner = ip("172.16.0.1");
        assert!(list.check(inner, 5432, &host("db.internal")).is_ok());
        assert!(list.check(inner, 5433, &host("db.internal")).is_err());
        assert!(list.check(inner, 9000, &host("S3.internal")).is_ok());
        assert!(list.check(inner, 9000, &host("x.s3.internal")).is_err());
        // By its address, although its name is refused.
        assert!(list.check(ip("127.0.0.1"), 8080, &host("localhost")).is_ok());
        assert!(list.check(ip("127.0.0.1"), 8081, &host("localhost")).is_err());
    }

    #[test]
    fn entries_that_cannot_be_read_are_named() {
        for entry in [
            "10.0.0.0/33",
            "10.0.0.0/8:80",
            "*.internal",
            "https://example.org",
            "db:0",
            "db:port",
            "db:70000",
            "10.0.0.1:0",
            "a b",
            "10.0.0.256",
        ] {
            let error = format!("1.1.1.1, {entry}")
                .parse::<Policy>()
                .expect_err(entry)
                .to_string();
            assert!(error.starts_with("DASH_EGRESS_ALLOW"), "{error}");
            assert!(error.contains(entry), "{error}");
        }
        let error = "https://ada:secret@example.org".parse::<Policy>().expect_err("a URL");
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_refusal_does_not_tell_what_a_name_resolves_to() {
        let refused = Policy::default().check(ip("10.1.2.3"), 80, &host("db.internal"));
        let text = refused.expect_err("private").to_string();
        assert!(
            text.contains("db.internal") && text.contains("DASH_EGRESS_ALLOW"),
            "{text}"
        );
        assert!(!text.contains("10.1.2.3"), "{text}");
    }

    proptest! {
        #[test]
        fn an_address_is_judged_alike_in_all_its_forms(bits: u32, low: u64, port in 1_u16..) {
            let four = std::net::Ipv4Addr::from_bits(bits);
            let [a, b] = [(bits >> 16) as u16, bits as u16];
            let [e, f, g, h] = [0, 16, 32, 48].map(|by| (low >> by) as u16);
            let forms = [
                IpAddr::V6(four.to_ipv6_mapped()),
                IpAddr::from([0x64, 0xFF9B, 0, 0, 0, 0, a, b]),
                IpAddr::from([0x2002, a, b, e, f, g, h, 1]),
            ];
            for policy in [Policy::default(), policy("10.0.0.0/8,127.0.0.1:80,0.0.0.0/2")] {
                let judge = |ip: IpAddr| policy.check(ip, port, &host("example.org")).map_err(|r| r.ground);
                for form in forms {
                    prop_assert_eq!(judge(form), judge(four.into()), "{}", form);
                }
                // What is compatible in form only is refused, unless it is listed as it stands.
                prop_assert!(policy.check(IpAddr::V6(four.to_ipv6_compatible()), port, &host("example.org")).is_err());
            }
        }
    }
}
