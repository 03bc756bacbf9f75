//! Why the server does not start: one line that names the variable, what was found and what is allowed.

use super::{
    value::distance,
    variables::{self, Variable},
};

/// Never holds a secret, never more than one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{variable}: found {found}; allowed is {allowed}")]
    Wrong {
        variable: String,
        /// In quotes; secrets masked.
        found: String,
        allowed: String,
    },
    #[error("{variable} is not set; it is needed because {why}")]
    Missing { variable: &'static str, why: String },
    /// Its parser names the variable and says more than the table.
    #[error("{0}")]
    Said(String),
    #[error("{variable} and {variable}_FILE are both set; set one of them")]
    Twice { variable: &'static str },
    #[error("{variable}_FILE: {path:?} cannot be read ({reason}); allowed is a text file that holds the value alone")]
    File {
        variable: &'static str,
        path: String,
        reason: String,
    },
    #[error("{variable} is not a variable of Dash{}", nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Unknown {
        variable: String,
        nearest: Option<&'static str>,
    },
}

impl ConfigError {
    pub fn wrong(variable: &Variable, found: &str) -> Self {
        Self::Wrong {
            variable: variable.name.to_owned(),
            found: if variable.secret {
                "a secret (not shown)".to_owned()
            } else {
                quote(found)
            },
            allowed: variable.allowed.to_owned(),
        }
    }
}

/// On one line, in quotes, cut when long.
fn quote(text: &str) -> String {
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// Prefixes of names that are not the server's: those of its tests.
const OTHERS: [&str; 1] = ["DASH_TEST_"];

/// Refuses a `DASH_*` name that nothing reads: a typing error would otherwise silently leave a default in force.
pub fn check_names(names: impl IntoIterator<Item = String>) -> Result<(), ConfigError> {
    for name in names {
        if !name.starts_with("DASH_") || OTHERS.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        if variables::find(&name).is_some() {
            continue;
        }
        let nearest = variables::all()
            .map(|variable| (distance(&name, variable.name), variable.name))
            .min()
            .filter(|(distance, _)| *distance <= name.len() / 2)
            .map(|(_, name)| name);
        return Err(ConfigError::Unknown {
            variable: name,
            nearest,
        });
    }
    Ok(())
}
