//! What a page knows before it asks anything: who looks at it, and what is to be said to them.
//!
//! The server embeds it into the page; the browser reads it there, and keeps it until the next page is loaded whole. Every form loads one, so
//! that signing in, out or elsewhere shows at once.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    form::Notice,
    model::people::{Me, Person, Ways},
    page::Embedded,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Here {
    pub me: Me,
    pub notice: Option<Notice>,
}

#[derive(Clone, Copy)]
struct Context(StoredValue<Here>);

/// For all of the page.
pub fn provide() {
    let here: SharedValue<Here, Embedded> = SharedValue::new_with_encoding(rendered);
    provide_context(Context(StoredValue::new(here.into_inner())));
}

/// Route generation renders the app without ports.
fn rendered() -> Here {
    #[cfg(feature = "ssr")]
    return crate::ports::ports().map(|ports| ports.here).unwrap_or_default();
    // Only a page that the server has not rendered comes here.
    #[cfg(not(feature = "ssr"))]
    Here::default()
}

fn with<T>(read: impl FnOnce(&Here) -> T) -> Option<T> {
    use_context::<Context>().map(|context| context.0.with_value(read))
}

/// Who is signed in.
pub fn person() -> Option<Person> {
    with(|here| here.me.person.clone()).flatten()
}

/// What this server offers.
pub fn ways() -> Ways {
    with(|here| here.me.ways.clone()).unwrap_or_default()
}

/// What is to be said about the form that was posted before.
pub fn notice() -> Option<Notice> {
    with(|here| here.notice.clone()).flatten()
}
