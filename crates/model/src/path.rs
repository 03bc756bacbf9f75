//! Where a value stands in a JSON record: `order.lines[0].price`, `["odd.key"].x`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// One step down into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathStep {
    Key(String),
    Index(usize),
}

/// A parsed path of at least one step. Text form: keys joined by dots, array places in brackets,
/// keys with other characters quoted in brackets: `a.b[2]["c.d"]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FieldPath(Vec<PathStep>);

/// Where the records of a body stand: a path that ends in `[*]` (`features[*]`, or `[*]` for a top-level array).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RecordsPath(Vec<PathStep>);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a path: {why} at character {at}; write keys joined by dots, array places as [0], odd keys as [\"a.b\"]"
)]
pub struct PathError {
    pub text: String,
    pub at: usize,
    pub why: &'static str,
}

/// Steps that a path may have; a record may not be deeper either.
pub const MAX_STEPS: usize = 32;

impl FieldPath {
    pub fn steps(&self) -> &[PathStep] {
        &self.0
    }

    /// A path of one key.
    pub fn key(key: impl Into<String>) -> Self {
        Self(vec![PathStep::Key(key.into())])
    }
}

impl RecordsPath {
    /// The steps down to the array; none for a top-level array.
    pub fn steps(&self) -> &[PathStep] {
        &self.0
    }
}

impl FromStr for FieldPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let steps = parse(text)?;
        if steps.is_empty() {
            return Err(fail(text, 0, "it is empty"));
        }
        Ok(Self(steps))
    }
}

impl FromStr for RecordsPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        match text.strip_suffix("[*]") {
            Some(head) => Ok(Self(parse(head)?)),
            None => Err(fail(text, text.len(), "a records path ends in [*]")),
        }
    }
}

fn fail(text: &str, at: usize, why: &'static str) -> PathError {
    PathError {
        text: text.to_owned(),
        at,
        why,
    }
}

fn parse(text: &str) -> Result<Vec<PathStep>, PathError> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = text.len() - rest.len();
        rest = if let Some(inner) = rest.strip_prefix("[\"") {
            let (key, tail) = quoted(text, at, inner)?;
            steps.push(PathStep::Key(key));
            tail
        } else if let Some(inner) = rest.strip_prefix('[') {
            let (digits, tail) = inner
                .split_once(']')
                .ok_or_else(|| fail(text, at, "this bracket is not closed"))?;
            let index = digits
                .parse()
                .map_err(|_| fail(text, at, "between brackets stands a number from 0"))?;
            steps.push(PathStep::Index(index));
            tail
        } else {
            let body = match rest.strip_prefix('.') {
                Some(body) if !steps.is_empty() => body,
                Some(_) => return Err(fail(text, at, "it begins with a dot")),
                None if steps.is_empty() => rest,
                None => return Err(fail(text, at, "a dot is missing")),
            };
            let end = body.find(['.', '[']).unwrap_or(body.len());
            let key = &body[..end];
            if key.is_empty() {
                return Err(fail(text, at, "a key is empty"));
            }
            if key.contains([']', '"', '*']) {
                return Err(fail(text, at, "a key with ] \" or * is written as [\"key\"]"));
            }
            steps.push(PathStep::Key(key.to_owned()));
            &body[end..]
        };
        if steps.len() > MAX_STEPS {
            return Err(fail(text, at, "it has more than 32 steps"));
        }
    }
    Ok(steps)
}

/// Reads a quoted key, the opening `["` being gone; `\"` and `\\` are its only escapes.
fn quoted<'t>(text: &str, at: usize, inner: &'t str) -> Result<(String, &'t str), PathError> {
    let mut key = String::new();
    let mut chars = inner.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, e @ ('"' | '\\'))) => key.push(e),
                _ => return Err(fail(text, at, "a backslash escapes only \" and \\")),
            },
            '"' => {
                return inner[i + 1..]
                    .strip_prefix(']')
                    .map(|tail| (key, tail))
                    .ok_or_else(|| fail(text, at, "after the quoted key a ] is missing"));
            }
            c => key.push(c),
        }
    }
    Err(fail(text, at, "this quoted key is not closed"))
}

fn write_steps(steps: &[PathStep], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, step) in steps.iter().enumerate() {
        match step {
            PathStep::Index(n) => write!(f, "[{n}]")?,
            PathStep::Key(k) if k.is_empty() || k.contains(['.', '[', ']', '"', '*', '\\']) => {
                write!(f, "[\"{}\"]", k.replace('\\', "\\\\").replace('"', "\\\""))?;
            }
            PathStep::Key(k) if i == 0 => f.write_str(k)?,
            PathStep::Key(k) => write!(f, ".{k}")?,
        }
    }
    Ok(())
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_steps(&self.0, f)
    }
}

impl fmt::Display for RecordsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_steps(&self.0, f)?;
        f.write_str("[*]")
    }
}

impl From<FieldPath> for String {
    fn from(path: FieldPath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for FieldPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

impl From<RecordsPath> for String {
    fn from(path: RecordsPath) -> Self {
        path.to_string()
    }
}

impl TryFrom<String> for RecordsPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps(text: &str) -> Vec<PathStep> {
        text.parse::<FieldPath>().expect(text).0
    }

    #[test]
    fn reads_keys_places_and_quoted_keys() {
        let key = |k: &str| PathStep::Key(k.into());
        assert_eq!(steps("a.b[0].c"), [key("a"), key("b"), PathStep::Index(0), key("c")]);
        assert_eq!(steps(r#"["a.b"].c"#), [key("a.b"), key("c")]);
        assert_eq!(steps("[2]"), [PathStep::Index(2)]);
    }

    #[test]
    fn says_where_a_path_is_wrong() {
        for (text, at) in [
            ("", 0),
            (".a", 0),
            ("a..b", 1),
            ("a[", 1),
            ("a[x]", 1),
            ("a[0]b", 4),
            ("[\"a", 0),
        ] {
            assert_eq!(text.parse::<FieldPath>().expect_err(text).at, at, "{text}");
        }
    }

    #[test]
    fn a_records_path_ends_in_a_star() {
        assert_eq!("[*]".parse::<RecordsPath>().map(|p| p.0.len()), Ok(0));
        assert_eq!(
            "features[*]".parse::<RecordsPath>().map(|p| p.to_string()),
            Ok("features[*]".into())
        );
        assert!("features".parse::<RecordsPath>().is_err());
    }

    proptest! {
        #[test]
        fn text_form_reads_back(keys in proptest::collection::vec(prop_oneof![
            any::<String>().prop_map(PathStep::Key),
            (0usize..1000).prop_map(PathStep::Index),
        ], 1..8)) {
            let path = FieldPath(keys);
            prop_assert_eq!(path.to_string().parse::<FieldPath>(), Ok(path));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = text.parse::<FieldPath>();
        }
    }
}
