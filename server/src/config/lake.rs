//! The lake: a directory or a bucket, and when objects are written.

use std::time::Duration;

use dash_lake::{Location, S3Options, WriterOptions};
use dash_model::EventSeq;

use super::{
    ConfigError,
    reader::Reader,
    value::{age, size},
};

#[derive(Clone, Debug)]
pub struct Lake {
    /// DASH_LAKE
    pub location: Location,
    /// AWS_*, DASH_LAKE_TIMEOUT
    pub s3: S3Options,
    /// DASH_LAKE_OBJECT, bytes
    pub object_bytes: usize,
    /// DASH_LAKE_AGE
    pub object_age: Duration,
    /// DASH_LAKE_BUFFER, bytes
    pub buffer_bytes: usize,
}

impl Lake {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(reader: &mut Reader<'_, F>) -> Result<Self, ConfigError> {
        let text = |text: &str| Some(text.to_owned());
        let bytes = |text: &str| size(text).filter(|n| *n > 0).and_then(|n| usize::try_from(n).ok());
        let location: Location = reader.required("DASH_LAKE", |text| text.parse().ok())?;
        let access_key_id = reader.optional("AWS_ACCESS_KEY_ID", text)?;
        let secret_access_key = reader.secret("AWS_SECRET_ACCESS_KEY")?;
        let session_token = reader.secret("AWS_SESSION_TOKEN")?;
        let region = reader.optional("AWS_REGION", text)?;
        let general = reader.optional("AWS_ENDPOINT_URL", text)?;
        let endpoint = reader.optional("AWS_ENDPOINT_URL_S3", text)?.or(general);
        if let Location::S3 { bucket, .. } = &location {
            let needed = [
                ("AWS_ACCESS_KEY_ID", access_key_id.is_some()),
                ("AWS_SECRET_ACCESS_KEY", secret_access_key.is_some()),
                ("AWS_REGION", region.is_some() || endpoint.is_some()),
            ];
            if let Some((variable, _)) = needed.into_iter().find(|(_, set)| !set) {
                let why = format!("DASH_LAKE is the bucket {bucket}");
                return Err(ConfigError::Missing { variable, why });
            }
        }
        Ok(Self {
            location,
            s3: S3Options {
                endpoint,
                region,
                access_key_id,
                secret_access_key,
                session_token,
                request_timeout: reader.required("DASH_LAKE_TIMEOUT", age)?,
                ..S3Options::default()
            },
            object_bytes: reader.required("DASH_LAKE_OBJECT", bytes)?,
            object_age: reader.required("DASH_LAKE_AGE", age)?,
            buffer_bytes: reader.required("DASH_LAKE_BUFFER", bytes)?,
        })
    }

    /// What the writer needs; `from` is the oldest event that the spool still has.
    pub fn writer(&self, from: EventSeq) -> WriterOptions {
        WriterOptions {
            object_bytes: self.object_bytes,
            object_age: self.object_age,
            max_buffer_bytes: self.buffer_bytes,
            from,
            ..WriterOptions::default()
        }
    }
}
