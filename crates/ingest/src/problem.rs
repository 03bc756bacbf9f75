//! Errors as the API answers them: `application/problem+json` of RFC 9457, with a stable `type`.

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeMap};

/// The media type of a serialised [`Problem`].
pub const CONTENT_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:literal $slug:literal $title:literal;)*) => {
        /// Every kind of failure that the API answers. Its `type` is stable: programs decide by it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ProblemKind {
            $($(#[$doc])* $name,)*
        }

        impl ProblemKind {
            /// All kinds, in the order of their status.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The `type` member: a stable URI reference, listed in docs/api.md.
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/problems/", $slug),)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The same for every occurrence; what differs is the detail.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

kinds! {
    /// The body cannot be read as what it says it is; nothing of it was taken.
    MalformedBody = 400 "malformed-body" "The body cannot be read";
    /// A parameter or header is missing or wrong.
    InvalidRequest = 400 "invalid-request" "The request is not valid";
    /// No key or signature, or a wrong one.
    Unauthorized = 401 "unauthorized" "A valid key or signature is needed";
    /// Known, but not allowed.
    Forbidden = 403 "forbidden" "This is not allowed";
    /// Nothing of this name.
    NotFound = 404 "not-found" "Not found";
    /// The address exists, with other methods.
    MethodNotAllowed = 405 "method-not-allowed" "This method is not allowed here";
    /// None of the accepted media types can be given.
    NotAcceptable = 406 "not-acceptable" "None of the accepted media types is available";
    /// The body came too slowly.
    RequestTimeout = 408 "request-timeout" "The body came too slowly";
    /// What is to be created is there already.
    Conflict = 409 "conflict" "This exists already";
    /// The Idempotency-Key was used with another body.
    IdempotencyConflict = 409 "idempotency-conflict" "This Idempotency-Key was used with another body";
    /// More bytes than allowed came over the wire.
    BodyTooLarge = 413 "body-too-large" "The body is too large";
    /// More bytes than allowed after inflation, or as JSON.
    InflatedTooLarge = 413 "inflated-too-large" "The inflated body is too large";
    /// The only record of the body is too large.
    RecordTooLarge = 413 "record-too-large" "The record is too large";
    /// More records than one body may hold.
    TooManyRecords = 413 "too-many-records" "The body holds too many records";
    /// A Content-Type that is not read.
    UnsupportedMediaType = 415 "unsupported-media-type" "This Content-Type is not supported";
    /// A Content-Encoding that is not read.
    UnsupportedEncoding = 415 "unsupported-encoding" "This Content-Encoding is not supported";
    /// Every record was rejected.
    Unprocessable = 422 "unprocessable" "No record could be taken";
    /// A definition (pipeline, mapping, dashboard, query) that cannot be stored or run.
    InvalidDefinition = 422 "invalid-definition" "The definition is not valid";
    /// More requests or events than allowed; see Retry-After.
    RateLimited = 429 "rate-limited" "Too many requests";
    /// A fault of the server; the cause is in its log.
    Internal = 500 "internal" "The server failed";
    /// The server cannot take this now; see Retry-After.
    Unavailable = 503 "unavailable" "The server cannot take this now";
}

/// One failure, as it is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub kind: ProblemKind,
    /// This occurrence, for people: what was found, and the remedy.
    pub detail: String,
    /// Becomes the Retry-After header, in whole seconds rounded up.
    pub retry_after: Option<Duration>,
    /// Further members for programs.
    pub members: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
            members: serde_json::Map::new(),
        }
    }

    /// Says when another try makes sense.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds a member; the five of the standard cannot be overwritten.
    pub fn member(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        if !matches!(name, "type" | "title" | "status" | "detail" | "instance") {
            self.members.insert(name.to_owned(), value.into());
        }
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.kind.status()
    }

    /// The value of Retry-After: whole seconds, at least 1.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
            .map(|wait| (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1))
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind.uri())?;
        map.serialize_entry("title", self.kind.title())?;
        map.serialize_entry("status", &self.kind.status())?;
        map.serialize_entry("detail", &self.detail)?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_distinct_and_statuses_are_errors() {
        let mut uris: Vec<_> = ProblemKind::ALL.iter().map(|k| k.uri()).collect();
        uris.sort_unstable();
        uris.dedup();
        assert_eq!(uris.len(), ProblemKind::ALL.len());
        assert!(ProblemKind::ALL.iter().all(|k| (400..600).contains(&k.status())));
    }

    #[test]
    fn members_stand_beside_the_standard_ones_and_never_replace_them() {
        let problem = Problem::new(ProblemKind::RateLimited, "200 a second are allowed")
            .retry_after(Duration::from_millis(1_200))
            .member("status", 200)
            .member("allowed", 200);
        assert_eq!(
            serde_json::to_value(&problem).expect("json"),
            serde_json::json!({
                "type": "/problems/rate-limited",
                "title": "Too many requests",
                "status": 429,
                "detail": "200 a second are allowed",
                "allowed": 200,
            })
        );
        assert_eq!(problem.retry_after_seconds(), Some(2));
    }
}
