//! The way to `window.DashCharts` (`style/charts`): an element, and an option that changes.

use leptos::{html, prelude::*};

use crate::page;

/// With ECharts in it larger than all the rest of a page: it is loaded by the first chart that there is, and a page without charts never does.
const SCRIPT: &str = "/pkg/charts.js";

/// Draws `option` (a function that makes ECharts JSON) into `element` whenever it changes; answers whether a chart is
/// there. Does nothing on the server.
pub fn draw(
    element: NodeRef<html::Div>,
    group: String,
    option: impl Fn() -> String + Send + Sync + 'static,
) -> ReadSignal<bool> {
    let (there, set_there) = signal(false);
    // The browser fetches it before the page can ask for it.
    page::prefetch(SCRIPT);
    #[cfg(feature = "hydrate")]
    {
        use std::sync::{
            Arc,
            atomic::{AtomicU32, Ordering},
        };
        let id = Arc::new(AtomicU32::new(0));
        let mine = Arc::clone(&id);
        Effect::new(move |_| {
            let Some(element) = element.get() else { return };
            if !script::is_there() {
                return;
            }
            let json = option();
            match id.load(Ordering::Relaxed) {
                // Without the script the table stays.
                0 => match js::mount(&element, &json, &group) {
                    Ok(new) => {
                        id.store(new, Ordering::Relaxed);
                        set_there.set(true);
                    }
                    Err(error) => leptos::logging::warn!("charts.js is not there: {error:?}"),
                },
                id => js::set(id, &json),
            }
        });
        on_cleanup(move || match mine.load(Ordering::Relaxed) {
            0 => {}
            id => js::dispose(id),
        });
    }
    #[cfg(not(feature = "hydrate"))]
    let _ = (element, group, option, set_there);
    there
}

#[cfg(feature = "hydrate")]
mod script {
    use leptos::prelude::*;
    use wasm_bindgen::prelude::*;

    thread_local! {
        static THERE: ArcRwSignal<bool> = ArcRwSignal::new(false);
        static ASKED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }

    /// Whether the script is there, and again when it is; the first who asks loads it.
    pub fn is_there() -> bool {
        if !ASKED.replace(true) {
            load();
        }
        THERE.with(|there| there.get())
    }

    fn load() {
        let add = || {
            let script = document().create_element("script")?;
            script.set_attribute("src", super::SCRIPT)?;
            let came = Closure::once_into_js(|| THERE.with(|there| there.set(true)));
            script.add_event_listener_with_callback("load", came.unchecked_ref())?;
            // The next chart tries again.
            let failed = Closure::once_into_js(|| ASKED.set(false));
            script.add_event_listener_with_callback("error", failed.unchecked_ref())?;
            document()
                .document_element()
                .ok_or(JsValue::UNDEFINED)?
                .append_child(&script)
        };
        if let Err(error) = add() {
            leptos::logging::warn!("charts.js cannot be loaded: {error:?}");
        }
    }
}

#[cfg(feature = "hydrate")]
mod js {
    use wasm_bindgen::prelude::*;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_namespace = DashCharts, catch)]
        pub fn mount(element: &web_sys::HtmlElement, option: &str, group: &str) -> Result<u32, JsValue>;
        #[wasm_bindgen(js_namespace = DashCharts)]
        pub fn set(id: u32, option: &str);
        #[wasm_bindgen(js_namespace = DashCharts)]
        pub fn dispose(id: u32);
    }
}
