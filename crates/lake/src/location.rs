use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use secrecy::SecretString;

use crate::LakeError;

/// Where the lake lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    Directory(PathBuf),
    S3 {
        bucket: String,
        /// Without slashes at its ends; may be empty.
        prefix: String,
    },
}

impl FromStr for Location {
    type Err = LakeError;

    fn from_str(text: &str) -> Result<Self, LakeError> {
        let wrong = |reason: &str| {
            Err(LakeError::Config(format!(
                "{text:?} is no place for the lake: {reason}; allowed are a directory path or s3://bucket/prefix"
            )))
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return match text.trim() {
                "" => wrong("it is empty"),
                path => Ok(Self::Directory(PathBuf::from(path))),
            };
        };
        if scheme != "s3" {
            return wrong("its scheme is unknown");
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(allowed) {
            return wrong("a bucket has 3 to 63 small letters, digits, dashes and dots");
        }
        let prefix = prefix.trim_matches('/');
        if object_store::path::Path::parse(prefix).is_err() {
            return wrong("its prefix has empty or relative parts");
        }
        Ok(Self::S3 {
            bucket: bucket.into(),
            prefix: prefix.into(),
        })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// How a bucket is reached. Whoever reads the environment fills it; the variables are named in each field.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// AWS_ENDPOINT_URL: nothing for Amazon itself. Plain http only on the loopback.
    pub endpoint: Option<String>,
    /// AWS_REGION: needed for Amazon; "auto" for R2 and "us-east-1" for other endpoints when absent.
    pub region: Option<String>,
    /// AWS_ACCESS_KEY_ID
    pub access_key_id: Option<String>,
    /// AWS_SECRET_ACCESS_KEY
    pub secret_access_key: Option<SecretString>,
    /// AWS_SESSION_TOKEN: of temporary keys only.
    pub session_token: Option<SecretString>,
    /// Of one request with its answer.
    pub request_timeout: Duration,
    /// Quick repetitions within one call; the writer repeats calls on its own besides.
    pub retries: usize,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            request_timeout: Duration::from_secs(60),
            retries: 3,
        }
    }
}

impl S3Options {
    /// The region to sign for.
    pub(crate) fn signing_region(&self) -> Result<String, LakeError> {
        if let Some(region) = self.region.as_deref().filter(|r| !r.is_empty()) {
            return Ok(region.to_owned());
        }
        match &self.endpoint {
            Some(endpoint) if endpoint.contains("r2.cloudflarestorage.com") => Ok("auto".into()),
            Some(_) => Ok("us-east-1".into()),
            None => Err(LakeError::Config(
                "AWS_REGION is not set; a bucket at Amazon needs its region, another one AWS_ENDPOINT_URL".into(),
            )),
        }
    }

    /// The endpoint as a checked URL, and whether it is plain http.
    pub(crate) fn checked_endpoint(&self) -> Result<Option<(String, bool)>, LakeError> {
        let Some(endpoint) = &self.endpoint else {
            return Ok(None);
        };
        // The value is not repeated: it may carry a password.
        let wrong = |reason: &str| {
            LakeError::Config(format!(
                "AWS_ENDPOINT_URL {reason}; allowed is https://host, or http:// on the loopback"
            ))
        };
        let uri: http::Uri = endpoint.parse().map_err(|_| wrong("is no URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong(
                "carries credentials, which belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            ));
        }
        let plain = match uri.scheme_str() {
            Some("https") => false,
            Some("http") if is_loopback(authority.host()) => true,
            Some("http") => return Err(wrong("is plain http to another machine")),
            _ => return Err(wrong("is no http address")),
        };
        Ok(Some((endpoint.trim_end_matches('/').to_owned(), plain)))
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<Option<(String, bool)>, LakeError> {
        let options = S3Options {
            endpoint: Some(text.into()),
            ..S3Options::default()
        };
        options.checked_endpoint()
    }

    #[test]
    fn a_directory_or_a_bucket_is_a_place() {
        assert_eq!(
            "data/lake".parse::<Location>().unwrap(),
            Location::Directory("data/lake".into())
        );
        let bucket: Location = "s3://my-bucket/a/b/".parse().unwrap();
        assert_eq!(bucket.to_string(), "s3://my-bucket/a/b");
        assert_eq!(
            "s3://my-bucket".parse::<Location>().unwrap().to_string(),
            "s3://my-bucket"
        );
    }

    #[test]
    fn another_place_is_refused_with_what_is_allowed() {
        for text in [
            "",
            "gs://bucket",
            "s3://",
            "s3://No",
            "s3://bucket/a//b",
            "s3://bucket/../x",
        ] {
            let error = text.parse::<Location>().unwrap_err().to_string();
            assert!(
                error.contains("a directory path or s3://bucket/prefix"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn plain_http_stays_on_the_machine() {
        assert!(endpoint("http://127.0.0.1:9000/").unwrap().unwrap().1);
        assert!(endpoint("http://[::1]:9000").unwrap().unwrap().1);
        assert!(!endpoint("https://x.r2.cloudflarestorage.com").unwrap().unwrap().1);
        for text in [
            "http://10.0.0.1:9000",
            "http://localhost.evil.test",
            "ftp://127.0.0.1",
            "nothing",
            "",
        ] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_error_never_repeats_a_password() {
        let error = endpoint("https://me:hunter2@host").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_region_follows_the_endpoint() {
        let of = |endpoint: Option<&str>, region: Option<&str>| {
            let options = S3Options {
                endpoint: endpoint.map(Into::into),
                region: region.map(Into::into),
                ..S3Options::default()
            };
            options.signing_region()
        };
        assert_eq!(of(Some("https://a.r2.cloudflarestorage.com"), None).unwrap(), "auto");
        assert_eq!(of(Some("http://127.0.0.1:1"), None).unwrap(), "us-east-1");
        assert_eq!(of(None, Some("eu-central-1")).unwrap(), "eu-central-1");
        assert!(of(None, None).unwrap_err().to_string().contains("AWS_REGION"));
    }
}
