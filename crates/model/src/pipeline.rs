//! A pipeline: where events come from and how they become metrics.

use serde::{Deserialize, Serialize};

use crate::{
    MappingVersionId, Micros, OrganizationId, PipelineId, RecordsPath, TeamId,
    mapping::{Mapping, MappingError},
};

/// What a person writes to make a pipeline; `server pipelines create --file` reads it, the pipeline page shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineDefinition {
    pub name: String,
    /// What addresses and commands call it; made of the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default)]
    pub source: Source,
    pub mapping: Mapping,
}

/// Where events come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// Events are posted to `/api/v1/ingest/{pipeline}`.
    Webhook {
        /// Where the records of a body stand, when the body is not itself a record, an array or lines of records.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        records: Option<RecordsPath>,
        /// Bodies may be signed instead of carrying a key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<SignatureScheme>,
    },
    /// The server samples the machine it runs on.
    Machine {
        /// Milliseconds between samples.
        #[serde(default = "second")]
        interval_ms: u64,
    },
}

/// How a body is signed, over its raw bytes as they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "scheme", rename_all = "snake_case", deny_unknown_fields)]
pub enum SignatureScheme {
    /// <https://www.standardwebhooks.com>: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    StandardWebhooks {
        #[serde(default = "five_minutes")]
        tolerance_s: u32,
    },
    /// `hex(HMAC-SHA256(secret, timestamp "." body))` in one header, the timestamp (epoch seconds) in another.
    HmacSha256 {
        #[serde(default = "signature_header")]
        header: String,
        #[serde(default = "timestamp_header")]
        timestamp_header: String,
        #[serde(default = "five_minutes")]
        tolerance_s: u32,
    },
}

impl Default for Source {
    fn default() -> Self {
        Self::Webhook {
            records: None,
            signature: None,
        }
    }
}

impl Source {
    /// One word for lists.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Machine { .. } => "machine",
        }
    }

    pub fn records(&self) -> Option<&RecordsPath> {
        match self {
            Self::Webhook { records, .. } => records.as_ref(),
            Self::Machine { .. } => None,
        }
    }

    pub fn signature(&self) -> Option<&SignatureScheme> {
        match self {
            Self::Webhook { signature, .. } => signature.as_ref(),
            Self::Machine { .. } => None,
        }
    }
}

/// A pipeline as pages and the API show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    pub id: PipelineId,
    pub organization: OrganizationId,
    /// Whose it is; nothing: the whole organization's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamId>,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub source: Source,
    /// The version that readers follow.
    pub active_version: MappingVersion,
    pub created_at: Micros,
}

/// One immutable version of a pipeline's mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingVersion {
    pub id: MappingVersionId,
    /// 1, 2, 3 ... within the pipeline.
    pub number: i32,
    pub mapping: Mapping,
}

/// Answer to the creation of a pipeline; the only time that secrets are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedPipeline {
    pub id: PipelineId,
    pub slug: String,
    pub ingest_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<String>,
}

impl Pipeline {
    /// The definition that would make this pipeline again.
    pub fn definition(&self) -> PipelineDefinition {
        PipelineDefinition {
            name: self.name.clone(),
            slug: Some(self.slug.clone()),
            description: self.description.clone(),
            source: self.source.clone(),
            mapping: self.active_version.mapping.clone(),
        }
    }
}

impl PipelineDefinition {
    /// Checks the whole definition but its expressions, and answers the slug it will have.
    pub fn validate(&self) -> Result<String, MappingError> {
        let wrong = |field: &str, reason: String| {
            Err(MappingError {
                field: field.into(),
                reason,
            })
        };
        if self.name.trim().is_empty() || self.name.len() > 100 {
            return wrong("name", "a name of 1 to 100 bytes is needed".into());
        }
        let slug = self.slug.clone().unwrap_or_else(|| slugify(&self.name));
        if slug.is_empty() || slug.len() > 60 || slug != slugify(&slug) {
            return wrong(
                "slug",
                format!("{slug:?} is no slug; use up to 60 small letters, digits and single dashes"),
            );
        }
        if let Source::Machine { interval_ms } = self.source
            && !(100..=3_600_000).contains(&interval_ms)
        {
            return wrong(
                "source.interval_ms",
                format!("{interval_ms} is out of range; allowed are 100 to 3600000"),
            );
        }
        self.mapping.validate().map_err(|e| MappingError {
            field: format!("mapping.{}", e.field),
            reason: e.reason,
        })?;
        Ok(slug)
    }
}

/// Small letters, digits and single dashes of any text.
pub fn slugify(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}

fn second() -> u64 {
    1_000
}

fn five_minutes() -> u32 {
    300
}

fn signature_header() -> String {
    "x-signature".into()
}

fn timestamp_header() -> String {
    "x-timestamp".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_needs_a_name_and_a_mapping_only() {
        let json = r#"{"name":"Front door","mapping":{"metrics":[{"name":"opened","path":"n"}]}}"#;
        let definition: PipelineDefinition = serde_json::from_str(json).expect("definition");
        assert_eq!(definition.validate(), Ok("front-door".into()));
    }

    #[test]
    fn a_wrong_slug_is_named() {
        let json = r#"{"name":"x","slug":"Not A Slug","mapping":{"metrics":[{"name":"v","path":"v"}]}}"#;
        let definition: PipelineDefinition = serde_json::from_str(json).expect("definition");
        assert_eq!(definition.validate().map_err(|e| e.field), Err("slug".into()));
    }
}
