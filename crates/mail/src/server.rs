//! The mail server, as `DASH_SMTP_URL` names it.

use std::{fmt, net::IpAddr};

use dash_egress::Host;
use lettre::transport::smtp::{authentication::Credentials, client::TlsParameters};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::error::MailError;

const FORMS: &str = "write it as smtps://user:password@mail.example.org:465, or as smtp://user:password@mail.example.org:587 for STARTTLS; what is special in user and password is written with a percent sign: %40 for @, %2F for /, %3A for :, %23 for #";

pub(crate) struct Server {
    pub host: Host,
    pub port: u16,
    pub security: Security,
    login: Option<Login>,
}

#[derive(Clone)]
pub(crate) enum Security {
    /// From the first byte.
    Tls(TlsParameters),
    /// Before anything is said, or not at all.
    StartTls(TlsParameters),
    /// To this machine only.
    None,
}

struct Login {
    user: SecretString,
    password: SecretString,
}

impl Server {
    pub(crate) fn of_url(text: &SecretString) -> Result<Self, MailError> {
        let wrong = |reason: &str| MailError::Url {
            reason: format!("{reason}; {FORMS}"),
        };
        let url = Url::parse(text.expose_secret().trim()).map_err(|_| wrong("it is not a URL"))?;
        if !matches!(url.scheme(), "smtps" | "smtp") {
            return Err(wrong("it begins with neither smtps:// nor smtp://"));
        }
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(wrong("there is something after host and port"));
        }
        let host = url.host_str().unwrap_or_default();
        let host: Host = host.parse().map_err(|_| wrong("it has no host"))?;
        let tls = || {
            TlsParameters::new(host_without_brackets(&host)).map_err(|_| MailError::Url {
                reason:
                    "TLS cannot be set up; look whether the certificates of the system are installed (ca-certificates)"
                        .to_owned(),
            })
        };
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Security::Tls(tls()?), 465),
            ("smtp", None) => (Security::StartTls(tls()?), 587),
            ("smtp", Some("tls=none")) if is_this_machine(&host) => (Security::None, 25),
            ("smtp", Some("tls=none")) => {
                return Err(wrong("tls=none is for a server on this machine only"));
            }
            _ => return Err(wrong("it has an option that is not known")),
        };
        let port = match url.port() {
            Some(0) => return Err(wrong("0 is no port")),
            given => given.unwrap_or(port),
        };
        let decode = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(|t| SecretString::from(t.into_owned()))
        };
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) => return Err(wrong("it has a password and no user")),
            (_, None) => return Err(wrong("it has a user and no password")),
            (user, Some(password)) => Some(Login {
                user: decode(user).map_err(|_| wrong("user is not UTF-8"))?,
                password: decode(password).map_err(|_| wrong("password is not UTF-8"))?,
            }),
        };
        Ok(Self {
            host,
            port,
            security,
            login,
        })
    }

    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let Login { user, password } = self.login.as_ref()?;
        let [user, password] = [user, password].map(|s| s.expose_secret().to_owned());
        Some(Credentials::new(user, password))
    }
}

/// As errors name it.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Name(name) => name == "localhost",
        Host::Address(ip) => ip.to_canonical().is_loopback(),
    }
}

/// As names in certificates are.
pub(crate) fn host_without_brackets(host: &Host) -> String {
    match host {
        Host::Address(IpAddr::V6(ip)) => ip.to_string(),
        host => host.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> Result<Server, MailError> {
        Server::of_url(&url.into())
    }

    fn kind(server: &Server) -> &'static str {
        match server.security {
            Security::Tls(_) => "tls",
            Security::StartTls(_) => "starttls",
            Security::None => "none",
        }
    }

    #[test]
    fn the_forms_are_read() {
        for (url, expected, security, login) in [
            (
                "smtps://ada:pw@mail.example.org:4650",
                "mail.example.org:4650",
                "tls",
                true,
            ),
            ("smtps://ada:pw@Mail.Example.org.", "mail.example.org:465", "tls", true),
            (
                "smtp://ada:pw@mail.example.org/",
                "mail.example.org:587",
                "starttls",
                true,
            ),
            ("smtp://mail.example.org:25", "mail.example.org:25", "starttls", false),
            ("smtp://127.0.0.1:1025?tls=none", "127.0.0.1:1025", "none", false),
            ("smtp://127.1?tls=none", "127.0.0.1:25", "none", false),
            (
                " smtp://ada:pw@localhost:1025?tls=none\n",
                "localhost:1025",
                "none",
                true,
            ),
            ("smtp://[::1]:1025?tls=none", "[::1]:1025", "none", false),
            ("smtps://[2001:db8::7]", "[2001:db8::7]:465", "tls", false),
        ] {
            let server = server(url).unwrap_or_else(|e| panic!("{url}: {e}"));
            assert_eq!(server.to_string(), expected, "{url}");
            assert_eq!(kind(&server), security, "{url}");
            assert_eq!(server.credentials().is_some(), login, "{url}");
        }
    }

    #[test]
    fn what_is_special_in_a_password_is_decoded() {
        let server = server("smtps://ada%40example.org:a%2Fb%3Ac%23+%25@mail.example.org").expect("a server");
        let expected = Credentials::new("ada@example.org".to_owned(), "a/b:c#+%".to_owned());
        assert!(server.credentials() == Some(expected));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, reason) in [
            ("", "not a URL"),
            ("hunter2", "not a URL"),
            ("mail.example.org:587", "neither smtps:// nor"),
            ("https://ada:hunter2@mail.example.org", "neither smtps:// nor"),
            ("smtps://ada:hunter2@", "not a URL"),
            ("smtps://", "no host"),
            ("smtps://ada:hunter2@mail.example.org:0", "no port"),
            ("smtps://ada:hunter2@mail.example.org:99999", "not a URL"),
            ("smtps://hunter2@mail.example.org", "no password"),
            ("smtps://:hunter2@mail.example.org", "no user"),
            ("smtps://ada:%ffhunter2@mail.example.org", "not UTF-8"),
            ("smtps://ada:hunter2/@mail.example.org", "not a URL"),
            ("smtps://ada:12/hunter2@mail.example.org", "after host"),
            ("smtps://ada:12#hunter2@mail.example.org", "after host"),
            ("smtps://ada:12?hunter2@mail.example.org", "not known"),
            ("smtps://ada:hunter2@mail.example.org/inbox", "after host"),
            ("smtps://ada:hunter2@127.0.0.1?tls=none", "not known"),
            ("smtp://ada:hunter2@127.0.0.1?tls=required", "not known"),
            ("smtp://ada:hunter2@mail.example.org?tls=none", "on this machine only"),
            ("smtp://ada:hunter2@10.0.0.1?tls=none", "on this machine only"),
            (
                "smtp://ada:hunter2@localhost.example.org?tls=none",
                "on this machine only",
            ),
        ] {
            let error = server(url).err().unwrap_or_else(|| panic!("{url} is taken"));
            let text = format!("{error} {error:?}");
            assert!(text.contains("DASH_SMTP_URL") && text.contains(reason), "{url}: {text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
