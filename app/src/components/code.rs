//! Text to copy.

use leptos::prelude::*;

use super::icon::{Icon, icons};

/// A block of code with a button that copies it; the button appears where the browser can copy.
#[component]
pub fn CodeBlock(
    #[prop(into)] code: Signal<String>,
    /// What it is, for the button and for screen readers: "command".
    #[prop(into)]
    label: String,
    /// Breaks long lines instead of scrolling.
    #[prop(optional)]
    wrap: bool,
) -> impl IntoView {
    let (ready, set_ready) = signal(false);
    let (copied, set_copied) = signal(false);
    Effect::new(move |_| set_ready.set(clipboard::is_there()));
    let copy = move |_| {
        clipboard::write(code.get_untracked(), move || {
            set_copied.set(true);
            set_timeout(
                move || {
                    set_copied.try_set(false);
                },
                std::time::Duration::from_secs(2),
            );
        });
    };
    let icon = Signal::derive(move || if copied.get() { icons::Check } else { icons::Clipboard });
    let lines = if wrap {
        "whitespace-pre-wrap break-all"
    } else {
        "whitespace-pre"
    };
    let button_label = format!("Copy the {label}");
    view! {
        <div class="relative">
            <pre class=format!("code sm:pr-24 {lines}") tabindex="0" role="region" aria-label=label>
                <code>{move || code.get()}</code>
            </pre>
            <button
                type="button"
                class="btn mt-2 w-full sm:absolute sm:top-1 sm:right-1 sm:mt-0 sm:w-auto"
                hidden=move || !ready.get()
                aria-label=button_label
                on:click=copy
            >
                <Icon icon />
                {move || if copied.get() { "Copied" } else { "Copy" }}
            </button>
            <span class="sr-only" role="status">
                {move || copied.get().then_some("Copied")}
            </span>
        </div>
    }
}

#[cfg(feature = "hydrate")]
mod clipboard {
    use leptos::task::spawn_local;
    use wasm_bindgen::JsValue;
    use wasm_bindgen_futures::JsFuture;

    /// Browsers lend the clipboard to secure pages only: https, or this machine.
    pub fn is_there() -> bool {
        web_sys::window().is_some_and(|window| {
            js_sys::Reflect::get(&window.navigator(), &JsValue::from_str("clipboard"))
                .is_ok_and(|clipboard| !clipboard.is_undefined())
        })
    }

    /// Copies, and calls `done` when that went well.
    pub fn write(text: String, done: impl FnOnce() + 'static) {
        let Some(window) = web_sys::window().filter(|_| is_there()) else {
            return;
        };
        spawn_local(async move {
            if JsFuture::from(window.navigator().clipboard().write_text(&text))
                .await
                .is_ok()
            {
                done();
            }
        });
    }
}

#[cfg(not(feature = "hydrate"))]
mod clipboard {
    pub fn is_there() -> bool {
        false
    }

    pub fn write(_: String, _: impl FnOnce() + 'static) {}
}
