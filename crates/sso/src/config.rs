//! Which providers there are: the variable DASH_OIDC.

use std::{collections::HashSet, fmt};

use openidconnect::IssuerUrl;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::{Host, Url};

const VARIABLE: &str = "DASH_OIDC";
const FIELDS: [&str; 6] = ["slug", "name", "issuer", "client_id", "client_secret", "scopes"];
/// The address and the name of whoever signs in.
const SCOPES: [&str; 2] = ["email", "profile"];

/// One provider.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Names it in addresses and rows, so it must not change: 1 to 32 of a-z, 0-9 and -.
    pub slug: String,
    /// On the button.
    pub name: String,
    /// As the provider writes it, to the letter: with or without a slash at the end is another issuer.
    pub issuer: IssuerUrl,
    pub client_id: String,
    /// None for a client that is public; PKCE protects it all the same.
    pub client_secret: Option<SecretString>,
    /// Besides `openid`, which is always asked for. By default `email` and `profile`.
    pub scopes: Vec<String>,
}

/// Which part of DASH_OIDC is wrong, and what would be right. Values are not repeated: one of them is a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConfigError {
    /// `DASH_OIDC[1].issuer`.
    pub field: String,
    pub problem: String,
}

/// Reads an array of objects in JSON. Empty text is no provider.
///
/// # Errors
/// The first thing that is wrong.
pub fn read_providers(text: &str) -> Result<Vec<ProviderConfig>, ConfigError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    // The parser's own words could repeat a piece of a secret.
    let array: Vec<Value> = serde_json::from_str(text).map_err(|e| ConfigError {
        field: VARIABLE.to_owned(),
        problem: format!(
            r#"it is not a JSON array (line {}, column {}); write [{{"slug": "google", "name": "Google", "issuer": "https://accounts.google.com", "client_id": "...", "client_secret": "..."}}]"#,
            e.line(),
            e.column()
        ),
    })?;
    let mut slugs = HashSet::new();
    let mut providers = Vec::with_capacity(array.len());
    for (index, value) in array.into_iter().enumerate() {
        let Value::Object(fields) = value else {
            return Err(ConfigError {
                field: format!("{VARIABLE}[{index}]"),
                problem: format!("it is not an object; write {{...}} with {}", FIELDS.join(", ")),
            });
        };
        let entry = Entry { index, fields };
        let provider = entry.read()?;
        if !slugs.insert(provider.slug.clone()) {
            return Err(entry.wrong("slug", "another provider has it already; each needs its own"));
        }
        providers.push(provider);
    }
    Ok(providers)
}

struct Entry {
    index: usize,
    fields: Map<String, Value>,
}

impl Entry {
    fn read(&self) -> Result<ProviderConfig, ConfigError> {
        if let Some(unknown) = self.fields.keys().find(|k| !FIELDS.contains(&k.as_str())) {
            return Err(self.wrong(
                &format!("{unknown:?}"),
                format!("there is no such field; allowed are {}", FIELDS.join(", ")),
            ));
        }
        Ok(ProviderConfig {
            slug: self.slug()?,
            name: self.text("name", 64)?,
            issuer: self.issuer()?,
            client_id: self.text("client_id", 255)?,
            client_secret: self.secret()?,
            scopes: self.scopes()?,
        })
    }

    fn slug(&self) -> Result<String, ConfigError> {
        let slug = self.text("slug", 32)?;
        let letters = slug.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if letters {
            Ok(slug)
        } else {
            Err(self.wrong("slug", "allowed are 1 to 32 of the characters a-z, 0-9 and -"))
        }
    }

    fn issuer(&self) -> Result<IssuerUrl, ConfigError> {
        let text = self.text("issuer", 1_024)?;
        let issuer = IssuerUrl::new(text).map_err(|_| {
            self.wrong(
                "issuer",
                "it is not an address; write it like https://accounts.google.com",
            )
        })?;
        let url = issuer.url();
        if !safe(url) {
            return Err(self.wrong("issuer", "write https://; http:// is allowed for localhost alone"));
        }
        let bare =
            url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        if !bare {
            return Err(self.wrong("issuer", "take away what is after ? or #, and what is before @"));
        }
        if url.path().contains("/.well-known/") {
            return Err(self.wrong("issuer", "leave /.well-known/openid-configuration away; it is added"));
        }
        Ok(issuer)
    }

    fn secret(&self) -> Result<Option<SecretString>, ConfigError> {
        match self.fields.get("client_secret") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(secret)) if !secret.trim().is_empty() => Ok(Some(secret.as_str().into())),
            Some(_) => Err(self.wrong(
                "client_secret",
                "write the text that the provider gave, or leave the field away for a public client",
            )),
        }
    }

    fn scopes(&self) -> Result<Vec<String>, ConfigError> {
        let wrong = || {
            self.wrong(
                "scopes",
                r#"write an array of words without spaces, like ["email", "profile"]"#,
            )
        };
        let scopes = match self.fields.get("scopes") {
            None | Some(Value::Null) => return Ok(SCOPES.map(str::to_owned).to_vec()),
            Some(Value::Array(scopes)) => scopes,
            Some(_) => return Err(wrong()),
        };
        let word = |s: &&str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\');
        let read = scopes.iter().map(|s| s.as_str().filter(word).ok_or_else(wrong));
        let read: Vec<&str> = read.collect::<Result<_, _>>()?;
        Ok(read.into_iter().filter(|s| *s != "openid").map(str::to_owned).collect())
    }

    fn text(&self, field: &str, longest: usize) -> Result<String, ConfigError> {
        let text = match self.fields.get(field) {
            None | Some(Value::Null) => return Err(self.wrong(field, "it is missing")),
            Some(Value::String(text)) => text.trim(),
            Some(_) => return Err(self.wrong(field, "it is not a text; write it in quotes")),
        };
        if text.is_empty() || text.len() > longest || text.chars().any(char::is_control) {
            return Err(self.wrong(
                field,
                format!("allowed are 1 to {longest} bytes without control characters"),
            ));
        }
        Ok(text.to_owned())
    }

    fn wrong(&self, field: &str, problem: impl fmt::Display) -> ConfigError {
        ConfigError {
            field: format!("{VARIABLE}[{}].{field}", self.index),
            problem: problem.to_string(),
        }
    }
}

/// Nobody between here and there can read or change what is said.
pub(crate) fn safe(url: &Url) -> bool {
    let own = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && own)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    const SECRET: &str = "hunter2-hunter2";

    /// One provider, with some fields as given.
    fn with(fields: &str) -> String {
        let mut object: Map<String, Value> = serde_json::from_str(&format!(
            r#"{{"slug": "a", "name": "A", "issuer": "https://a.example", "client_id": "dash", "client_secret": "{SECRET}"}}"#
        ))
        .expect("an object");
        let changed: Map<String, Value> = serde_json::from_str(fields).expect("an object");
        object.extend(changed);
        format!("[{}]", Value::Object(object))
    }

    #[test]
    fn providers_are_read_with_defaults() {
        let text = r#"[
            {"slug": "google", "name": "Google", "issuer": "https://accounts.google.com", "client_id": "dash", "client_secret": "s"},
            {"slug": "own-2", "name": " Ours ", "issuer": "http://localhost:8080/realms/a/", "client_id": "d", "scopes": ["openid", "email"]}
        ]"#;
        let providers = read_providers(text).expect("read");
        assert_eq!(providers[0].issuer.as_str(), "https://accounts.google.com");
        assert_eq!(providers[0].scopes, ["email", "profile"]);
        let secret = providers[0].client_secret.as_ref().expect("a secret");
        assert_eq!(secret.expose_secret(), "s");
        assert_eq!(providers[1].name, "Ours");
        assert_eq!(providers[1].issuer.as_str(), "http://localhost:8080/realms/a/");
        assert_eq!(providers[1].scopes, ["email"]);
        assert!(providers[1].client_secret.is_none());
        for none in ["", " \n", "[]"] {
            assert!(read_providers(none).expect("none").is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_a_secret_is_not() {
        for (fields, field, word) in [
            (r#"{"slug": "A"}"#, "slug", "a-z"),
            (r#"{"slug": ""}"#, "slug", "1 to 32"),
            (r#"{"slug": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#, "slug", "1 to 32"),
            (r#"{"slug": null}"#, "slug", "missing"),
            (r#"{"name": 1}"#, "name", "quotes"),
            (r#"{"name": "a\u0007"}"#, "name", "control"),
            (r#"{"issuer": "accounts.google.com"}"#, "issuer", "not an address"),
            (r#"{"issuer": "http://a.example"}"#, "issuer", "https"),
            (r#"{"issuer": "ftp://localhost"}"#, "issuer", "https"),
            (r#"{"issuer": "https://a.example/?b"}"#, "issuer", "?"),
            (r#"{"issuer": "https://u:p@a.example"}"#, "issuer", "@"),
            (
                r#"{"issuer": "https://a.example/.well-known/openid-configuration"}"#,
                "issuer",
                "added",
            ),
            (r#"{"client_id": " "}"#, "client_id", "1 to 255"),
            (r#"{"client_secret": ""}"#, "client_secret", "public client"),
            (r#"{"client_secret": 12345678}"#, "client_secret", "public client"),
            (r#"{"scopes": "email"}"#, "scopes", "array"),
            (r#"{"scopes": ["email profile"]}"#, "scopes", "array"),
            (r#"{"scopes": [1]}"#, "scopes", "array"),
            (r#"{"clientid": "x"}"#, "\"clientid\"", "client_id"),
        ] {
            let error = read_providers(&with(fields)).expect_err(fields);
            assert_eq!(error.field, format!("DASH_OIDC[0].{field}"), "{fields}");
            let line = error.to_string();
            assert!(line.contains(word), "{fields}: {line}");
            assert!(!line.contains(SECRET) && !line.contains("12345678"), "{line}");
        }
        let twice = with("{}").replace("]", &format!(",{}", with("{}").trim_start_matches('[')));
        let error = read_providers(&twice).expect_err("twice");
        assert_eq!(error.field, "DASH_OIDC[1].slug");
        assert_eq!(read_providers("[1]").expect_err("no object").field, "DASH_OIDC[0]");
        for broken in [format!(r#"{{"client_secret": "{SECRET}"}}"#), format!(r#"["{SECRET}""#)] {
            let line = read_providers(&broken).expect_err("broken").to_string();
            assert!(line.starts_with("DASH_OIDC: ") && !line.contains(SECRET), "{line}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let providers = read_providers(&with("{}")).expect("read");
        assert!(!format!("{providers:?}").contains(SECRET));
    }

    proptest! {
        #[test]
        fn whatever_is_given_is_read_or_refused(text in "\\PC{0,80}") {
            let _ = read_providers(&text);
        }
    }
}
