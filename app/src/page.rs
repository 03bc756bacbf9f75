//! What a page may do to its HTTP answer and to its browser window; each does nothing on the other side.

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

/// Loads the page again.
pub fn reload() {
    #[cfg(feature = "hydrate")]
    if let Some(window) = web_sys::window() {
        // Only a document without a browsing context refuses.
        let _ = window.location().reload();
    }
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
