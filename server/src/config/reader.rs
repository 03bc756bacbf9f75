//! Reads variables one by one and remembers where each value came from.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::{
    error::ConfigError,
    variables::{self, Variable},
};

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Default,
    Environment,
    /// The file that `<name>_FILE` names.
    File,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Default => "default",
            Self::Environment => "environment",
            Self::File => "file",
        })
    }
}

/// A line of `server config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub variable: &'static str,
    /// Secrets masked; empty when it is not set.
    pub value: String,
    pub source: Source,
    pub meaning: &'static str,
}

pub struct Reader<'e, F> {
    get: &'e F,
    data: String,
    rows: Vec<Row>,
}

impl<'e, F: Fn(&str) -> Option<String>> Reader<'e, F> {
    pub fn new(get: &'e F) -> Self {
        Self {
            get,
            data: String::new(),
            rows: Vec::new(),
        }
    }

    /// Defaults that stand below the data directory are made of `data` from here on.
    pub fn set_data(&mut self, data: &str) {
        self.data = data.trim_end_matches('/').to_owned();
    }

    /// A value that is never absent, since its default is not.
    pub fn required<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, ConfigError> {
        let variable = known(name);
        let found = self.lookup(variable)?;
        let text = found.unwrap_or_default();
        let text = text.expose_secret();
        parse(text).ok_or_else(|| ConfigError::wrong(variable, text))
    }

    /// A value that may be absent.
    pub fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ConfigError> {
        let variable = known(name);
        let Some(found) = self.lookup(variable)? else {
            return Ok(None);
        };
        let text = found.expose_secret();
        parse(text).map(Some).ok_or_else(|| ConfigError::wrong(variable, text))
    }

    /// A secret that may be absent.
    pub fn secret(&mut self, name: &str) -> Result<Option<SecretString>, ConfigError> {
        self.optional(name, |text| Some(SecretString::from(text)))
    }

    /// What was read, in the order of the table.
    pub fn rows(self) -> Vec<Row> {
        let mut rows = self.rows;
        rows.sort_by_key(|row| variables::all().position(|v| v.name == row.variable));
        rows
    }

    /// An empty value counts as none: that is how compose files and shells leave one out.
    fn lookup(&mut self, variable: &'static Variable) -> Result<Option<SecretString>, ConfigError> {
        let set = |name: &str| (self.get)(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let name = variable.name;
        let file = variable.secret.then(|| set(&format!("{name}_FILE"))).flatten();
        let (value, source) = match (set(name), file) {
            (Some(_), Some(_)) => return Err(ConfigError::Twice { variable: name }),
            (Some(value), None) => (Some(value), Source::Environment),
            (None, Some(path)) => (Some(read_file(name, &path)?), Source::File),
            (None, None) if variable.default.is_empty() => (None, Source::Default),
            (None, None) => (Some(variable.default.replace("{data}", &self.data)), Source::Default),
        };
        self.rows.push(Row {
            variable: name,
            value: value.as_deref().map_or_else(String::new, |v| shown(variable, v)),
            source,
            meaning: variable.meaning,
        });
        Ok(value.map(SecretString::from))
    }
}

fn known(name: &str) -> &'static Variable {
    variables::find(name).expect("only variables of the table are read")
}

fn read_file(variable: &'static str, path: &str) -> Result<String, ConfigError> {
    let failed = |reason: String| ConfigError::File {
        variable,
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    match text.trim() {
        "" => Err(failed("it is empty".into())),
        value => Ok(value.to_owned()),
    }
}

/// As it may be shown: of a secret address the host and database, of other secrets nothing.
fn shown(variable: &Variable, value: &str) -> String {
    if !variable.secret {
        return value.to_owned();
    }
    let host = value.split_once("://").and_then(|(scheme, rest)| {
        let rest = rest.split(['?', '#']).next()?;
        let (_, host) = rest.rsplit_once('@')?;
        Some(format!("{scheme}://***@{host}"))
    });
    host.unwrap_or_else(|| "***".to_owned())
}
