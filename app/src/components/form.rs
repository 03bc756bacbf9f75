//! Forms that a server function takes, with a script and without alike; see [`crate::form`].

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{
    code::CodeBlock,
    icon::{Icon, icons},
};
use crate::{
    form::{Notice, OF_ORGANIZATION},
    here,
};

/// The address of the form around a field.
#[derive(Clone, Copy)]
struct Address(&'static str);

/// A form that is posted to the server function of this address.
#[component]
pub fn Form(action: &'static str, #[prop(optional)] class: &'static str, children: Children) -> impl IntoView {
    provide_context(Address(action));
    let organization = is_scoped(action)
        .then(here::person)
        .flatten()
        .and_then(|person| person.organization);
    view! {
        <form method="post" action=action class=class>
            {organization.map(|seat| view! { <Hidden name=OF_ORGANIZATION value=seat.id.to_string() /> })}
            {children()}
        </form>
    }
}

/// Whether it is about the organization that is looked at, not about a person or the way in.
fn is_scoped(action: &str) -> bool {
    let function = action.strip_prefix("/api/").unwrap_or_default();
    let about = ["people/", "teams/", "keys/", "organization/", "pipeline/", "dashboard/"];
    about.iter().any(|about| function.starts_with(about))
}

/// Told apart by the form around: a page may have several that ask for the same.
fn id_of(name: &str, of: &str) -> String {
    let form = use_context::<Address>().map_or("", |address| address.0);
    format!("{}-{name}{of}", form.trim_start_matches("/api/").replace('/', "-"))
}

/// What the form around says about the last time that it was posted.
fn of_form() -> Option<Notice> {
    let address = use_context::<Address>()?;
    here::notice().filter(|notice| notice.form == address.0)
}

/// A labelled input. It keeps what was typed when the form came back, and is marked when it is what was wrong.
#[component]
pub fn Field(
    #[prop(into)] label: String,
    name: &'static str,
    /// text, email, password ...
    #[prop(default = "text")]
    kind: &'static str,
    #[prop(optional)] autocomplete: &'static str,
    /// What it begins with.
    #[prop(optional, into)]
    value: String,
    /// A few words below it.
    #[prop(optional, into)]
    hint: String,
    #[prop(default = true)] required: bool,
    #[prop(optional)] focus: bool,
    #[prop(optional)] inputmode: &'static str,
) -> impl IntoView {
    let notice = of_form();
    let wrong = notice
        .as_ref()
        .filter(|n| n.failed && n.field.as_deref() == Some(name))
        .map(|n| n.text.clone());
    let value = notice.and_then(|n| n.typed.get(name).cloned()).unwrap_or(value);
    let id = id_of(name, "");
    let about = format!("{id}-about");
    let described = (wrong.is_some() || !hint.is_empty()).then(|| about.clone());
    let is_wrong = wrong.is_some();
    let words = wrong.unwrap_or(hint);
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                class="input"
                id=id
                name=name
                type=kind
                autocomplete=(!autocomplete.is_empty()).then_some(autocomplete)
                inputmode=(!inputmode.is_empty()).then_some(inputmode)
                required=required
                autofocus=focus
                value=value
                aria-invalid=is_wrong.then_some("true")
                aria-describedby=described
                autocapitalize=(kind != "text").then_some("none")
            />
            {(!words.is_empty())
                .then(|| view! { <p id=about class=if is_wrong { "text-xs text-bad" } else { "text-xs text-ink-3" }>{words}</p> })}
        </div>
    }
}

/// A labelled choice of words.
#[component]
pub fn Select(
    #[prop(into)] label: String,
    name: &'static str,
    /// Value and words.
    options: Vec<(String, String)>,
    #[prop(optional, into)] chosen: String,
    /// For screen readers only, where a table says it.
    #[prop(optional)]
    quiet: bool,
    /// Tells forms of the same page apart.
    #[prop(optional, into)]
    of: String,
) -> impl IntoView {
    let id = id_of(name, &of);
    let options = options.into_iter().map(|(value, words)| {
        let selected = value == chosen;
        view! {
            <option value=value selected=selected>
                {words}
            </option>
        }
    });
    view! {
        <div class="field">
            <label for=id.clone() class=quiet.then_some("sr-only")>{label}</label>
            <select class="input" id=id name=name>
                {options.collect_view()}
            </select>
        </div>
    }
}

#[component]
pub fn Hidden(name: &'static str, #[prop(into)] value: String) -> impl IntoView {
    view! { <input type="hidden" name=name value=value /> }
}

#[component]
pub fn Submit(
    #[prop(default = "btn btn-primary")] class: &'static str,
    /// Says more than the words on it, where many of them stand below each other.
    #[prop(optional, into)]
    label: Option<String>,
    children: Children,
) -> impl IntoView {
    view! {
        <button type="submit" class=class aria-label=label>
            {children()}
        </button>
    }
}

/// What is to be said about the form that was posted before, on the page that came of it.
#[component]
pub fn NoticeBar() -> impl IntoView {
    let path = use_location().pathname;
    let first = path.get_untracked();
    here::notice().map(|notice| {
        let notice = StoredValue::new(notice);
        view! {
            <Show when=move || path.with(|p| *p == first)>
                <div class="page pt-4">
                    <Said notice=notice.get_value() />
                </div>
            </Show>
        }
    })
}

#[component]
fn Said(notice: Notice) -> impl IntoView {
    let (icon, tone, role) = match notice.failed {
        true => (icons::Warning, "border-bad/40 bg-bad-soft text-bad", "alert"),
        false => (icons::CheckCircle, "border-good/40 bg-good-soft text-good", "status"),
    };
    let once = notice.once;
    view! {
        <div class=format!("mx-auto max-w-3xl rounded-lg border px-4 py-3 {tone}") role=role>
            <p class="flex items-start gap-2 text-sm font-medium">
                <Icon icon size="1.25rem" />
                <span>{notice.text}</span>
            </p>
            {(!once.is_empty())
                .then(|| {
                    view! {
                        <div class="mt-3 text-ink">
                            <CodeBlock code=once.join("\n") label="secret" wrap=true />
                            <p class="mt-2 text-xs text-ink-2">"Copy it now: it is not shown again."</p>
                        </div>
                    }
                })}
        </div>
    }
}
