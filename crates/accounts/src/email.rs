//! Addresses of electronic mail.

use std::{fmt, str::FromStr};

/// An address that mail can be sent to. What is before the `@` is kept as it was written, since only its host knows whether case matters there; two
/// that differ in case alone are taken for the same person all the same, or one could sign up beside another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    #[error("email: write it like name@example.org")]
    Form,
    #[error("email: at most 254 bytes are allowed")]
    Length,
    #[error("email: spaces, control characters and any of <>()[]\\,;:\" are not allowed")]
    Characters,
}

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// By which it is found: the same for all ways to write it in upper and lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl FromStr for Email {
    type Err = EmailError;

    /// No more than what mail servers agree on: whether it exists shows when mail arrives.
    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.len() > 254 {
            return Err(EmailError::Length);
        }
        let (local, host) = text.rsplit_once('@').ok_or(EmailError::Form)?;
        let refused = |c: char| c.is_control() || c.is_whitespace() || "<>()[]\\,;:\"@".contains(c);
        if local.chars().any(refused) || host.chars().any(refused) {
            return Err(EmailError::Characters);
        }
        let labels = host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
        let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
        if local.is_empty() || local.len() > 64 || dots || !labels {
            return Err(EmailError::Form);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        for good in [
            "ada@example.org",
            " Ada.Lovelace+dash@mail.example.org ",
            "o'brien@localhost",
            "ü@bücher.example",
        ] {
            assert_eq!(good.parse::<Email>().map(|e| e.0), Ok(good.trim().to_owned()), "{good}");
        }
        for (bad, why) in [
            ("", EmailError::Form),
            ("ada", EmailError::Form),
            ("@example.org", EmailError::Form),
            ("ada@", EmailError::Form),
            ("ada@example..org", EmailError::Form),
            ("ada@-example.org", EmailError::Form),
            (".ada@example.org", EmailError::Form),
            ("a@b@example.org", EmailError::Characters),
            ("ada@example.org\r\nBcc: eve@example.org", EmailError::Characters),
            ("Ada <ada@example.org>", EmailError::Characters),
            ("ada@exa mple.org", EmailError::Characters),
        ] {
            assert_eq!(bad.parse::<Email>(), Err(why), "{bad:?}");
        }
        assert_eq!(
            format!("{}@example.org", "a".repeat(300)).parse::<Email>(),
            Err(EmailError::Length)
        );
    }

    #[test]
    fn case_makes_no_other_person() {
        let key = |text: &str| text.parse::<Email>().expect("an address").key();
        assert_eq!(key("Ada@Example.org"), key("ada@example.ORG"));
    }
}
