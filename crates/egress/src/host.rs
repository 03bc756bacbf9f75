//! A host as a browser would read it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// A name, or an address whatever way it was written: `0x7f.1`, `2130706433` and `127.0.0.1.` are one and the same.
///
/// Hosts of brokers and mail servers are read by the same rules as those of URLs: were there two, what one of them takes for a
/// name could be an address to the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// In lower case and ASCII, without a dot at the end.
    Name(String),
    Address(IpAddr),
}

/// Does not repeat the text, which may have a password in it when somebody gave a whole URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is neither a host name nor an IP address; write it as example.org, 192.0.2.7 or [2001:db8::7]")]
pub struct HostError;

impl Host {
    pub(crate) fn of_url(url: &url::Url) -> Result<Self, HostError> {
        url.host_str().ok_or(HostError)?.parse()
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Ok(ip) = text.parse::<Ipv6Addr>() {
            return Ok(Self::Address(ip.into()));
        }
        let parse = |text: &str| url::Host::parse(text).map_err(|_| HostError);
        let host = match parse(text)? {
            // Again without its dots: `127.0.0.1..` would else be a name here and an address to the system.
            url::Host::Domain(name) => parse(name.trim_end_matches('.'))?,
            address => address,
        };
        Ok(match host {
            url::Host::Domain(name) => Self::Name(name),
            url::Host::Ipv4(ip) => Self::Address(ip.into()),
            url::Host::Ipv6(ip) => Self::Address(ip.into()),
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Address(ip) => write!(f, "{ip}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_are_the_address_that_they_stand_for() {
        for (text, plain) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1.", "127.0.0.1"),
            ("127.0.0.1..", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("127.0.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0X7F.0.0.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("017700000001", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("2852039166", "169.254.169.254"),
            ("0xa9fea9fe", "169.254.169.254"),
            ("%31%32%37.0.0.1", "127.0.0.1"),
            ("127%2e0%2e0%2e1", "127.0.0.1"),
            ("127.0.0.1%2e%2e", "127.0.0.1"),
            ("１２７.０.０.１", "127.0.0.1"),
            ("127。0。0。1", "127.0.0.1"),
            ("①②⑦.⓪.⓪.①", "127.0.0.1"),
            ("0", "0.0.0.0"),
            ("0x", "0.0.0.0"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("[0:0:0:0:0:0:0:1]", "::1"),
            ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
            ("[::FFFF:7f00:1]", "::ffff:127.0.0.1"),
        ] {
            let address = Host::Address(plain.parse().expect("an address"));
            assert_eq!(text.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn names_are_read_in_one_way() {
        for (text, name) in [
            ("Example.ORG", "example.org"),
            ("example.org.", "example.org"),
            ("example.org..", "example.org"),
            ("LOCALHOST", "localhost"),
            ("localhost.", "localhost"),
            ("loc%61lhost", "localhost"),
            ("ｌｏｃａｌｈｏｓｔ", "localhost"),
            ("lo\u{ad}calhost", "localhost"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("_dmarc.example.org", "_dmarc.example.org"),
        ] {
            assert_eq!(text.parse(), Ok(Host::Name(name.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused_and_not_repeated() {
        for text in [
            "",
            ".",
            "..",
            " ",
            "ada:secret@example.org",
            "example.org:80",
            "example.org/path",
            "exa mple.org",
            "example.org\r\nhost: evil",
            "1.2.3.4.5",
            "256.0.0.1",
            "0x100000000",
            "1.2.3.09",
            "[::1",
            "[fe80::1%25eth0]",
            "fe80::1%eth0",
            "%00",
        ] {
            assert_eq!(text.parse::<Host>(), Err(HostError), "{text:?}");
        }
        assert!(!HostError.to_string().contains("secret"));
    }
}
