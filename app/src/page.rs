//! What a page may do to its HTTP answer and to its browser window; each does nothing on the other side.

use codee::{Decoder, Encoder};
use leptos::prelude::Resource;

/// What a page shows: the server loads it and embeds it into the page, the browser reads it there, and loads what comes later.
pub type Data<T> = Resource<T, Embedded>;

/// As [`Resource::new`].
#[track_caller]
pub fn data<S, T, F>(
    source: impl Fn() -> S + Send + Sync + 'static,
    load: impl Fn(S) -> F + Send + Sync + 'static,
) -> Data<T>
where
    S: PartialEq + Clone + Send + Sync + 'static,
    T: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
    F: Future<Output = T> + Send + 'static,
{
    Resource::new_with_options(source, load, false)
}

/// How it is embedded: as leptos' own codec has it. The browser reads it from bytes, however, like what server functions answer: from text
/// would be another parser for each of these types, in what every visitor loads.
pub struct Embedded;

impl<T: serde::Serialize> Encoder<T> for Embedded {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, serde_json::Error> {
        serde_json::to_string(value)
    }
}

impl<T: serde::de::DeserializeOwned> Decoder<T> for Embedded {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, serde_json::Error> {
        serde_json::from_slice(text.as_bytes())
    }
}

/// Sets the status of the answer while the server renders it.
pub fn status(code: u16) {
    #[cfg(feature = "ssr")]
    if let (Some(response), Ok(code)) = (
        leptos::prelude::use_context::<leptos_axum::ResponseOptions>(),
        http::StatusCode::from_u16(code),
    ) {
        response.set_status(code);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = code;
}

/// Percent-encodes all but unreserved characters and the slash.
pub fn encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => _ = write!(out, "%{byte:02X}"),
        }
        out
    })
}

/// Sends who asks for this page to another one, while the server renders it.
pub fn redirect(to: &str) {
    #[cfg(feature = "ssr")]
    leptos_axum::redirect(to);
    #[cfg(not(feature = "ssr"))]
    let _ = to;
}

/// The path and query that the server renders; nothing in the browser.
pub fn rendered_path() -> Option<String> {
    #[cfg(feature = "ssr")]
    return leptos::prelude::use_context::<http::request::Parts>()
        .and_then(|parts| parts.uri.path_and_query().map(|p| p.as_str().to_owned()));
    #[cfg(not(feature = "ssr"))]
    None
}

/// Has the browser fetch a script that the page will ask for, behind what it needs first. Not `preload`, which complains where the page takes
/// long to ask.
pub fn prefetch(script: &'static str) {
    #[cfg(feature = "ssr")]
    if let (Some(response), Ok(link)) = (
        leptos::prelude::use_context::<leptos_axum::ResponseOptions>(),
        http::HeaderValue::from_str(&format!("<{script}>; rel=prefetch; as=script")),
    ) {
        // Not appended: each chart of a page says the same.
        response.insert_header(http::header::LINK, link);
    }
    #[cfg(not(feature = "ssr"))]
    let _ = script;
}

/// Loads the page again.
pub fn reload() {
    #[cfg(feature = "hydrate")]
    if let Some(window) = web_sys::window() {
        // Only a document without a browsing context refuses.
        let _ = window.location().reload();
    }
}

/// Calls `then` once the server answers again; gives up when the caller's owner goes. Asks for something small, so that
/// what the page shows meanwhile stays still.
pub fn when_server_answers(then: leptos::prelude::Callback<()>) {
    #[cfg(feature = "hydrate")]
    leptos::prelude::Effect::new(move |_| {
        use leptos::prelude::{Callable, on_cleanup, set_interval_with_handle};
        let timer = set_interval_with_handle(
            move || {
                leptos::task::spawn_local(async move {
                    if answers().await {
                        // Gone when the owner is: then nobody waits any more.
                        then.try_run(());
                    }
                })
            },
            std::time::Duration::from_secs(3),
        );
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    });
    #[cfg(not(feature = "hydrate"))]
    let _ = then;
}

/// Whether the server is there and takes requests.
#[cfg(feature = "hydrate")]
async fn answers() -> bool {
    let Some(window) = web_sys::window() else { return false };
    let answer = wasm_bindgen_futures::JsFuture::from(window.fetch_with_str("/healthz")).await;
    answer.is_ok_and(|a| js_sys::Reflect::get(&a, &"ok".into()).is_ok_and(|ok| ok.is_truthy()))
}

/// The browser's clock in milliseconds since 1970 UTC; nothing on the server, whose markup must not depend on it.
pub fn now_ms() -> Option<i64> {
    #[cfg(feature = "hydrate")]
    return Some(js_sys::Date::now() as i64);
    #[cfg(not(feature = "hydrate"))]
    None
}

/// A time in the words and the zone of the browser's visitor.
pub fn local_time(ms: i64) -> Option<String> {
    #[cfg(feature = "hydrate")]
    return Some(
        js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(ms as f64))
            .to_locale_string("default", &wasm_bindgen::JsValue::UNDEFINED)
            .into(),
    );
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = ms;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_query_survives_within_a_query() {
        assert_eq!(encode("/a?range=1h&x=é"), "/a%3Frange%3D1h%26x%3D%C3%A9");
    }
}
