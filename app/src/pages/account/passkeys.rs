//! Passkeys.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api,
    components::{Card, Field, Form, Hidden, Icon, RelativeTime, Submit, icons},
    model::people::Passkey,
};

#[component]
pub fn PasskeysCard(passkeys: Vec<Passkey>) -> impl IntoView {
    view! {
        <Card title="Passkeys">
            <script src="/passkeys.js" defer></script>
            <p class="max-w-prose text-sm text-ink-2">
                "A passkey signs you in with your device's lock instead of a password. It cannot be guessed, and no other site can ask for it."
            </p>
            <ul class="divide-y divide-line">
                {passkeys.into_iter().map(|passkey| view! { <Row passkey /> }).collect_view()}
            </ul>
            <form
                method="post"
                action=api::AddPasskey::PATH
                data-passkey="create"
                data-options=api::BeginPasskey::PATH
                hidden=true
                class="mt-3 grid gap-4 sm:grid-cols-[1fr_auto] sm:items-end"
            >
                <Hidden name="response" value="" />
                <Field label="Name of the new passkey" name="name" hint="Such as the device that keeps it." />
                <Submit class="btn sm:mb-5">"Make a passkey"</Submit>
                <p class="text-sm text-bad" data-passkey-error="" hidden=true role="alert">
                    "That did not work. This device may have one already."
                </p>
            </form>
            <noscript>
                <p class="mt-3 text-sm text-ink-3">"To make one, a script is needed."</p>
            </noscript>
        </Card>
    }
}

#[component]
fn Row(passkey: Passkey) -> impl IntoView {
    let Passkey {
        id,
        name,
        created_at,
        last_used_at,
    } = passkey;
    let label = format!("Remove the passkey {name}");
    view! {
        <li class="flex flex-wrap items-center gap-3 py-3">
            <Icon icon=icons::Key size="1.25rem" class="text-ink-3" />
            <div class="min-w-0 flex-1">
                <p class="text-sm font-medium">{name}</p>
                <p class="text-xs text-ink-2">
                    "made " <RelativeTime ms=created_at.millis() />
                    {last_used_at.map(|at| view! { " · last used " <RelativeTime ms=at.millis() /> })}
                </p>
            </div>
            <Form action=api::RemovePasskey::PATH>
                <Hidden name="id" value=id.to_string() />
                <Submit class="btn btn-danger" label>
                    "Remove"
                </Submit>
            </Form>
        </li>
    }
}
