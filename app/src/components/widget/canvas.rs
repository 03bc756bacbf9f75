//! The way to `window.DashCharts` (`style/charts`): an element, and an option that changes.

use leptos::{html, prelude::*};

/// Draws `option` (a function that makes ECharts JSON) into `element` whenever it changes; answers whether a chart is
/// there. Does nothing on the server.
pub fn draw(
    element: NodeRef<html::Div>,
    group: String,
    option: impl Fn() -> String + Send + Sync + 'static,
) -> ReadSignal<bool> {
    let (there, set_there) = signal(false);
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
