//! Forms: plain HTML that is posted to server functions, with a script and without alike.
//!
//! A form's server function answers [`Done`]. The server (`server/src/web/forms.rs`) turns it, or the error, into a redirect and a sealed
//! cookie, of which the next page makes a [`Notice`]: nothing that is said stands in an address, where a link could make anybody say it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::account::Scope;

/// The field of a form that says of which organization the page was.
pub const OF_ORGANIZATION: &str = "_organization";

/// What came of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Where to go; back to the form when there is nothing.
    pub to: Option<String>,
    /// What to say there.
    pub say: Option<String>,
    /// What is shown this once: a new key, recovery codes.
    pub once: Vec<String>,
}

impl Done {
    /// Back to the form, with these words.
    pub fn say(words: impl Into<String>) -> Self {
        Self {
            say: Some(words.into()),
            ..Self::default()
        }
    }

    pub fn go(to: impl Into<String>) -> Self {
        Self {
            to: Some(to.into()),
            ..Self::default()
        }
    }

    pub fn and_say(self, words: impl Into<String>) -> Self {
        Self {
            say: Some(words.into()),
            ..self
        }
    }

    pub fn once(self, once: Vec<String>) -> Self {
        Self { once, ..self }
    }
}

/// What a page says about the form that was posted before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The address that the form was posted to.
    pub form: String,
    /// Microseconds since 1970; it is said soon or not at all.
    pub at: i64,
    pub failed: bool,
    pub text: String,
    /// The field that is wrong.
    pub field: Option<String>,
    /// What was typed, without secrets, so that it need not be typed again.
    pub typed: BTreeMap<String, String>,
    pub once: Vec<String>,
}

/// A password and whose it is.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignInForm {
    pub email: String,
    pub password: String,
    /// Where they wanted to go.
    #[serde(default)]
    pub to: Option<String>,
}

/// Somebody who makes an account.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewPerson {
    pub name: String,
    pub email: String,
    pub password: String,
}

/// A key to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyForm {
    pub name: String,
    pub scope: Scope,
    /// Id of the team that it is bound to; empty for all.
    #[serde(default)]
    pub team: String,
    /// Days until it expires; empty for never.
    #[serde(default)]
    pub days: String,
    /// A service's instead of a person's.
    #[serde(default)]
    pub service: bool,
}

/// Where somebody is sent after they signed in: a path of this site, never another host, however it is written.
pub fn local(to: Option<&str>) -> Option<&str> {
    let to = to?;
    let good = to.starts_with('/')
        && !to.starts_with("//")
        && !to.contains('\\')
        && to.chars().all(|c| !c.is_control() && !c.is_whitespace());
    good.then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_this_site_is_gone_to() {
        assert_eq!(local(Some("/pipelines?tab=x")), Some("/pipelines?tab=x"));
        for to in [
            "//evil.test",
            "https://evil.test",
            "/\\evil.test",
            "\\/evil.test",
            "/a\r\nSet-Cookie: x",
            "/\t/evil.test",
            "javascript:alert(1)",
            "",
        ] {
            assert_eq!(local(Some(to)), None, "{to:?}");
        }
        assert_eq!(local(None), None);
    }
}
