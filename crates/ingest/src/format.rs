//! What a body is, told by its headers.

use crate::IngestError;

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object, an array of objects, or objects one after the other. When the first line is a complete value and
    /// more lines follow, it is read as [`Format::Ndjson`].
    Json,
    /// A JSON object a line; every line stands for itself.
    Ndjson,
    /// Rows under a header. The delimiter is `,`, `;` or a tab: the one that the header has most of, unless it is given.
    Csv { delimiter: Option<u8> },
    /// An Arrow IPC stream.
    ArrowStream,
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

const ALLOWED: &str = "application/json, application/x-ndjson, text/csv or application/vnd.apache.arrow.stream";

impl Format {
    /// Reads a Content-Type. Without one, and with what `curl -d` sends when nothing is said, the body is taken as JSON.
    ///
    /// # Errors
    /// [`IngestError::UnsupportedMediaType`], which names what is allowed.
    pub fn from_content_type(header: Option<&str>) -> Result<Self, IngestError> {
        let Some(header) = header else { return Ok(Self::Json) };
        let mut parts = header.split(';');
        let media = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        // `delimiter=";"` is cut in two by the split; what remains of it is a lone quote.
        let parameter = |name: &str| {
            header.split_once(';').and_then(|(_, rest)| {
                let lower = rest.to_ascii_lowercase();
                let at = lower.find(&format!("{name}="))? + name.len() + 1;
                let value = &rest[at..];
                Some(match value.strip_prefix('"') {
                    Some(quoted) => quoted.split('"').next().unwrap_or_default().to_owned(),
                    None => value.split(';').next().unwrap_or_default().trim().to_owned(),
                })
            })
        };
        let unsupported = |why: String| Err(IngestError::UnsupportedMediaType(why));
        if let Some(charset) = parameter("charset")
            && !["utf-8", "utf8", "us-ascii"].contains(&charset.to_ascii_lowercase().as_str())
        {
            return unsupported(format!("charset {charset:?} is not supported; send UTF-8"));
        }
        match media.as_str() {
            "" | "application/json" | "text/json" | "application/x-www-form-urlencoded" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => {
                Ok(Self::Ndjson)
            }
            "text/csv" => {
                if parameter("header").is_some_and(|h| h.eq_ignore_ascii_case("absent")) {
                    return unsupported("CSV without a header has no names; send a first row with names".into());
                }
                let delimiter = match parameter("delimiter").as_deref() {
                    None => None,
                    Some(",") => Some(b','),
                    Some(";") => Some(b';'),
                    Some("\t" | "\\t" | "tab") => Some(b'\t'),
                    Some(other) => {
                        return unsupported(format!(
                            "delimiter {other:?} is not supported; use delimiter=\",\", delimiter=\";\" or delimiter=tab"
                        ));
                    }
                };
                Ok(Self::Csv { delimiter })
            }
            "application/vnd.apache.arrow.stream" => Ok(Self::ArrowStream),
            json if json.starts_with("application/") && json.ends_with("+json") => Ok(Self::Json),
            other => unsupported(format!("{other:?} is not supported; use {ALLOWED}")),
        }
    }
}

impl Encoding {
    /// Reads a Content-Encoding; only one encoding at a time.
    ///
    /// # Errors
    /// [`IngestError::UnsupportedEncoding`], which names what is allowed.
    pub fn from_content_encoding(header: Option<&str>) -> Result<Self, IngestError> {
        match header.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            other => Err(IngestError::UnsupportedEncoding(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_say_the_format() {
        let csv = |d| Format::Csv { delimiter: d };
        for (header, format) in [
            (None, Format::Json),
            (Some("application/json; charset=utf-8"), Format::Json),
            (Some("Application/JSON"), Format::Json),
            (Some("application/geo+json"), Format::Json),
            (Some("application/x-www-form-urlencoded"), Format::Json),
            (Some("application/x-ndjson"), Format::Ndjson),
            (Some("application/jsonl"), Format::Ndjson),
            (Some("text/csv"), csv(None)),
            (Some("text/csv; header=present; delimiter=\";\""), csv(Some(b';'))),
            (Some("text/csv; delimiter=tab; charset=\"UTF-8\""), csv(Some(b'\t'))),
            (Some("application/vnd.apache.arrow.stream"), Format::ArrowStream),
        ] {
            assert_eq!(Format::from_content_type(header), Ok(format), "{header:?}");
        }
    }

    #[test]
    fn other_content_types_are_refused_with_what_is_allowed() {
        for (header, named) in [
            ("text/html", "application/x-ndjson"),
            ("multipart/form-data; boundary=x", "text/csv"),
            ("application/json; charset=iso-8859-1", "send UTF-8"),
            ("text/csv; header=absent", "first row"),
            ("text/csv; delimiter=|", "delimiter=tab"),
        ] {
            let problem = Format::from_content_type(Some(header)).expect_err(header).problem();
            assert_eq!(problem.status(), 415, "{header}");
            assert!(problem.detail.contains(named), "{header}: {}", problem.detail);
        }
    }

    #[test]
    fn content_encodings_are_read_or_refused() {
        for (header, encoding) in [
            (None, Encoding::Identity),
            (Some("identity"), Encoding::Identity),
            (Some("GZIP"), Encoding::Gzip),
            (Some("zstd"), Encoding::Zstd),
        ] {
            assert_eq!(Encoding::from_content_encoding(header), Ok(encoding));
        }
        for header in ["br", "deflate", "gzip, zstd"] {
            let problem = Encoding::from_content_encoding(Some(header))
                .expect_err(header)
                .problem();
            assert_eq!(
                (problem.status(), problem.kind),
                (415, ProblemKind::UnsupportedEncoding)
            );
        }
    }

    use crate::problem::ProblemKind;
}
