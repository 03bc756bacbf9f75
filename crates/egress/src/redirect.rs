//! From one hop to the next.

use reqwest::{
    Method, Request, StatusCode,
    header::{
        ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE,
        HeaderMap, HeaderName, LOCATION, TRANSFER_ENCODING, USER_AGENT,
    },
};
use url::Url;

use crate::error::EgressError;

/// What another origin may see. Keys of APIs are in headers of any name, so that a list of secret ones would never be whole.
const FOR_ANYBODY: [HeaderName; 7] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
];
/// What speaks of a body.
const OF_BODY: [HeaderName; 5] = [
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    TRANSFER_ENCODING,
];

/// A request that is on its way, kept for the case that it is redirected.
pub(crate) struct Sent {
    request: Request,
    /// Its body is here too.
    whole: bool,
}

impl Sent {
    pub(crate) fn of(request: &Request) -> Self {
        let copy = request.try_clone();
        let whole = copy.is_some();
        // A body that is a stream is gone once it is sent.
        let request = copy.unwrap_or_else(|| {
            let mut head = Request::new(request.method().clone(), request.url().clone());
            head.headers_mut().clone_from(request.headers());
            head
        });
        Self { request, whole }
    }

    /// Nothing when the answer is not a redirect.
    pub(crate) fn next(self, status: StatusCode, headers: &HeaderMap) -> Result<Option<Request>, EgressError> {
        // As browsers do.
        let keeps = match (status.as_u16(), self.request.method()) {
            (301 | 302, method) => *method != Method::POST,
            (303, method) => matches!(*method, Method::GET | Method::HEAD),
            (307 | 308, _) => true,
            _ => return Ok(None),
        };
        let Some(location) = headers.get(LOCATION) else {
            return Ok(None);
        };
        let Self { mut request, whole } = self;
        let from = request.url().clone();
        let host = from.host_str().unwrap_or_default().to_owned();
        let location = str::from_utf8(location.as_bytes()).ok();
        let Some(mut to) = location.and_then(|l| from.join(l).ok()) else {
            return Err(EgressError::Location { host });
        };
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(EgressError::Downgrade { host });
        }
        let elsewhere = from.origin() != to.origin();
        // A body that is a stream is not here, but there was one.
        let body = request.body().is_some() || !whole;
        if keeps && body && elsewhere {
            // It can have secrets in it as well as headers can, and cannot be sent without.
            let to = to.host_str().unwrap_or_default().to_owned();
            return Err(EgressError::Elsewhere { host, to });
        }
        if keeps && !whole {
            return Err(EgressError::Body { host });
        }
        if !keeps {
            *request.method_mut() = Method::GET;
            *request.body_mut() = None;
            for name in OF_BODY {
                request.headers_mut().remove(name);
            }
        }
        if elsewhere {
            let kept = FOR_ANYBODY.into_iter().filter_map(|name| {
                let value = request.headers().get(&name)?.clone();
                Some((name, value))
            });
            let kept = kept.filter(|(_, value)| !value.is_sensitive()).collect();
            *request.headers_mut() = kept;
        }
        // Who redirects has no user and password to give.
        forget_credentials(&mut to);
        *request.url_mut() = to;
        Ok(Some(request))
    }
}

/// A URL without a host has none to forget.
pub(crate) fn forget_credentials(url: &mut Url) {
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: Method, url: &str) -> Request {
        let mut request = Request::new(method, url.parse().expect("a URL"));
        for (name, value) in [
            ("accept", "text/csv"),
            ("authorization", "Bearer secret"),
            ("content-type", "text/plain"),
            ("cookie", "secret"),
            ("host", "secret"),
            ("x-api-key", "secret"),
        ] {
            let name = HeaderName::from_static(name);
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        *request.body_mut() = Some("body".into());
        request
    }

    fn redirected(request: &Request, status: u16, location: &str) -> Result<Option<Request>, EgressError> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().expect("a value"));
        Sent::of(request).next(StatusCode::from_u16(status).expect("a status"), &headers)
    }

    #[test]
    fn methods_and_bodies_are_kept_where_they_should() {
        for (method, status, expected, body) in [
            (Method::POST, 301, Method::GET, false),
            (Method::POST, 302, Method::GET, false),
            (Method::PUT, 302, Method::PUT, true),
            (Method::PUT, 303, Method::GET, false),
            (Method::HEAD, 303, Method::HEAD, true),
            (Method::POST, 307, Method::POST, true),
            (Method::PUT, 308, Method::PUT, true),
        ] {
            let sent = request(method, "https://example.org/a/b?x=1");
            let next = redirected(&sent, status, "../c")
                .expect("followed")
                .expect("a redirect");
            assert_eq!(next.method(), expected, "{status}");
            assert_eq!(next.url().as_str(), "https://example.org/c");
            assert_eq!(next.body().is_some(), body, "{status}");
            assert_eq!(next.headers().contains_key(CONTENT_TYPE), body, "{status}");
            assert_eq!(next.headers()["x-api-key"], "secret");
        }
        for status in [200, 300, 304, 404] {
            let sent = request(Method::GET, "https://example.org");
            assert!(redirected(&sent, status, "/").expect("no redirect").is_none());
        }
    }

    #[test]
    fn another_origin_is_told_nothing_of_who_asks() {
        for (from, to, same) in [
            ("https://example.org/", "https://example.org:443/x", true),
            ("https://example.org/", "//EXAMPLE.org/x", true),
            ("https://example.org/", "https://example.org:8443/x", false),
            ("https://example.org/", "https://www.example.org/x", false),
            ("http://example.org/", "https://example.org/x", false),
            ("https://example.org/", "https://eve:pw@example.com/x", false),
        ] {
            let mut bare = request(Method::GET, from);
            *bare.body_mut() = None;
            // Neither has a body to take along.
            for (sent, status) in [(&request(Method::POST, from), 303), (&bare, 307)] {
                let next = redirected(sent, status, to).expect("followed").expect("a redirect");
                let secret = next.headers().values().any(|v| v.as_bytes().ends_with(b"secret"));
                assert_eq!(secret, same, "{to}");
                assert_eq!(next.headers()[ACCEPT], "text/csv");
                assert_eq!(next.url().username(), "");
                assert_eq!(next.url().password(), None);
            }
            for (method, status) in [
                (Method::POST, 307),
                (Method::PUT, 308),
                (Method::PATCH, 301),
                (Method::PUT, 302),
            ] {
                let next = redirected(&request(method, from), status, to);
                if same {
                    let next = next.expect("followed").expect("a redirect");
                    assert!(next.body().is_some(), "{to}");
                    continue;
                }
                let error = next.expect_err("the body stays here");
                assert!(
                    matches!(&error, EgressError::Elsewhere { host, .. } if host == "example.org"),
                    "{error:?}"
                );
                let text = format!("{error} {error:?}");
                assert!(!text.contains("eve") && !text.contains("pw"), "{text}");
            }
        }
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        let secure = request(Method::GET, "https://ada:pw@example.org/?key=secret");
        let host = || "example.org".to_owned();
        let downgrade = redirected(&secure, 302, "http://example.org/").expect_err("a downgrade");
        assert_eq!(downgrade, EgressError::Downgrade { host: host() });
        let nowhere = redirected(&secure, 302, "https://[").expect_err("not a URL");
        assert_eq!(nowhere, EgressError::Location { host: host() });
        let mut stream = request(Method::POST, "https://example.org/");
        let bytes = futures::stream::iter([Ok::<_, std::io::Error>("x")]);
        *stream.body_mut() = Some(reqwest::Body::wrap_stream(bytes));
        let again = redirected(&stream, 307, "/x").expect_err("a stream");
        assert_eq!(again, EgressError::Body { host: host() });
        let elsewhere = redirected(&stream, 307, "https://example.com/x").expect_err("a stream");
        assert!(matches!(elsewhere, EgressError::Elsewhere { .. }), "{elsewhere:?}");
        assert!(redirected(&stream, 303, "/x").expect("followed").is_some());
    }
}
