//! How an event becomes points. A mapping is immutable once stored; a change is a new version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::FieldPath;

/// Turns one JSON record into points: `metric{tags} = value` at a time.
///
/// Names that expressions may use, in this order: [`Field`]s, metrics that have a path (after scale and offset), tags that have a path
/// (strings), `received_at` and `time` (timestamps), then [`Calculated`] fields, each seeing those before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    #[serde(default)]
    pub time: TimeRule,
    /// Fields that only expressions need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calculated: Vec<Calculated>,
    /// A boolean SQL expression; records for which it is not true are counted as filtered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    pub metrics: Vec<MetricRule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagRule>,
}

/// Where the time of a point comes from; received time when no path is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<FieldPath>,
    #[serde(default)]
    pub format: TimeFormat,
}

/// `auto` takes text as RFC 3339 and tells seconds, milli-, micro- and nanoseconds by the size of the number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    #[default]
    Auto,
    Rfc3339,
    EpochS,
    EpochMs,
    EpochUs,
    EpochNs,
}

/// A typed value for use in expressions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub name: String,
    pub path: FieldPath,
    #[serde(rename = "type", default)]
    pub ty: FieldType,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    #[default]
    Float,
    Integer,
    Boolean,
    String,
}

/// A named SQL scalar expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calculated {
    pub name: String,
    pub expression: String,
}

/// One metric: exactly one of `path` (a place in the record) and `field` (a name of `fields` or `calculated`).
/// The point is `value * scale + offset`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricRule {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<FieldPath>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What the value at `path` is read as; `string` is no metric.
    #[serde(rename = "type", default)]
    pub ty: FieldType,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub scale: f64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// A record without it goes to quarantine; otherwise it merely makes no point of this metric.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
}

/// One tag: exactly one of `path` and `field`. An absent or null value leaves the tag out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagRule {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<FieldPath>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Tag names and values of a series, in the order of their names.
pub type Tags = BTreeMap<String, String>;

/// Why one field keeps a record in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldReason {
    /// The path or name of the field, or `record` for the whole.
    pub field: String,
    /// What is wrong and what is expected, for people.
    pub reason: String,
}

/// A mapping that cannot be stored: the field that is wrong and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {reason}")]
pub struct MappingError {
    /// Which part, as a path into the mapping: `metrics[0].name`.
    pub field: String,
    pub reason: String,
}

/// Longest name of a metric, tag or field, in bytes.
pub const MAX_NAME: usize = 64;
/// Rules of one kind that a mapping may have.
pub const MAX_RULES: usize = 256;

impl Mapping {
    /// Checks everything that needs no expression parser: names, sources, counts.
    /// Expressions are checked where they are compiled.
    pub fn validate(&self) -> Result<(), MappingError> {
        if self.metrics.is_empty() {
            return Err(wrong("metrics", "at least one metric is needed"));
        }
        for (kind, count) in [
            ("metrics", self.metrics.len()),
            ("tags", self.tags.len()),
            ("fields", self.fields.len()),
            ("calculated", self.calculated.len()),
        ] {
            if count > MAX_RULES {
                return Err(wrong(kind, format!("{count} are too many; {MAX_RULES} are allowed")));
            }
        }
        let mut names: BTreeMap<&str, String> =
            BTreeMap::from([("time", "the time".into()), ("received_at", "the received time".into())]);
        let mut take = |field: String, name| -> Result<(), MappingError> {
            check_name(&field, name)?;
            match names.insert(name, field.clone()) {
                Some(other) => Err(wrong(
                    field,
                    format!("{name:?} is already the name of {other}; choose another"),
                )),
                None => Ok(()),
            }
        };
        for (i, f) in self.fields.iter().enumerate() {
            take(format!("fields[{i}].name"), &f.name)?;
        }
        for (i, c) in self.calculated.iter().enumerate() {
            take(format!("calculated[{i}].name"), &c.name)?;
        }
        let mut metric_names = std::collections::BTreeSet::new();
        for (i, m) in self.metrics.iter().enumerate() {
            self.check_source(&format!("metrics[{i}]"), m.path.is_some(), m.field.as_deref())?;
            if m.path.is_some() {
                take(format!("metrics[{i}].name"), &m.name)?;
                if m.ty == FieldType::String {
                    return Err(wrong(
                        format!("metrics[{i}].type"),
                        "a metric is a number; use float, integer or boolean",
                    ));
                }
            } else {
                check_name(&format!("metrics[{i}].name"), &m.name)?;
            }
            if !metric_names.insert(m.name.as_str()) {
                return Err(wrong(
                    format!("metrics[{i}].name"),
                    format!("{:?} is there twice", m.name),
                ));
            }
            if !m.scale.is_finite() || !m.offset.is_finite() {
                return Err(wrong(
                    format!("metrics[{i}]"),
                    "scale and offset must be finite numbers",
                ));
            }
        }
        let mut tag_names = std::collections::BTreeSet::new();
        for (i, t) in self.tags.iter().enumerate() {
            self.check_source(&format!("tags[{i}]"), t.path.is_some(), t.field.as_deref())?;
            if t.path.is_some() {
                take(format!("tags[{i}].name"), &t.name)?;
            } else {
                check_name(&format!("tags[{i}].name"), &t.name)?;
            }
            if !tag_names.insert(t.name.as_str()) {
                return Err(wrong(format!("tags[{i}].name"), format!("{:?} is there twice", t.name)));
            }
        }
        Ok(())
    }

    fn check_source(&self, at: &str, path: bool, field: Option<&str>) -> Result<(), MappingError> {
        match (path, field) {
            (true, None) => Ok(()),
            (false, Some(name)) => {
                let known =
                    self.fields.iter().any(|f| f.name == name) || self.calculated.iter().any(|c| c.name == name);
                known.then_some(()).ok_or_else(|| {
                    wrong(
                        format!("{at}.field"),
                        format!("{name:?} is neither in fields nor in calculated"),
                    )
                })
            }
            _ => Err(wrong(at, "give either path or field, not both")),
        }
    }
}

fn check_name(field: &str, name: &str) -> Result<(), MappingError> {
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') || name.len() > MAX_NAME {
        return Err(wrong(
            field,
            format!("{name:?} is no name; use up to {MAX_NAME} letters, digits and _, a letter first"),
        ));
    }
    Ok(())
}

fn wrong(field: impl Into<String>, reason: impl Into<String>) -> MappingError {
    MappingError {
        field: field.into(),
        reason: reason.into(),
    }
}

fn one() -> f64 {
    1.0
}

fn is_one(x: &f64) -> bool {
    *x == 1.0
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

fn is_false(x: &bool) -> bool {
    !x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(json: &str) -> Result<(), MappingError> {
        serde_json::from_str::<Mapping>(json).expect(json).validate()
    }

    #[test]
    fn the_smallest_mapping_is_one_metric() {
        assert_eq!(mapping(r#"{"metrics":[{"name":"v","path":"value"}]}"#), Ok(()));
    }

    #[test]
    fn errors_name_the_field() {
        for (json, field) in [
            (r#"{"metrics":[]}"#, "metrics"),
            (r#"{"metrics":[{"name":"a b","path":"v"}]}"#, "metrics[0].name"),
            (r#"{"metrics":[{"name":"v"}]}"#, "metrics[0]"),
            (r#"{"metrics":[{"name":"v","path":"v","field":"w"}]}"#, "metrics[0]"),
            (r#"{"metrics":[{"name":"v","field":"w"}]}"#, "metrics[0].field"),
            (
                r#"{"metrics":[{"name":"v","path":"v","type":"string"}]}"#,
                "metrics[0].type",
            ),
            (
                r#"{"metrics":[{"name":"v","path":"v"},{"name":"v","path":"w"}]}"#,
                "metrics[1].name",
            ),
            (r#"{"metrics":[{"name":"time","path":"v"}]}"#, "metrics[0].name"),
            (
                r#"{"metrics":[{"name":"v","path":"v"}],"tags":[{"name":"v","path":"t"}]}"#,
                "tags[0].name",
            ),
        ] {
            assert_eq!(mapping(json).expect_err(json).field, field, "{json}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(serde_json::from_str::<Mapping>(r#"{"metrics":[],"filters":"x"}"#).is_err());
    }
}
