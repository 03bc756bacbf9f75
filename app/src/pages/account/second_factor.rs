//! Codes that change with time.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api,
    components::{Badge, Card, Field, Form, Submit, Tone},
    model::people::{SecondFactorStart, SecondFactorState},
};

#[component]
pub fn SecondFactor(state: SecondFactorState) -> impl IntoView {
    let body = match state {
        SecondFactorState::Off => view! { <Off /> }.into_any(),
        SecondFactorState::Begun(start) => view! { <Begun start /> }.into_any(),
        SecondFactorState::On { recovery_codes } => view! { <On recovery_codes /> }.into_any(),
    };
    view! { <Card title="Second factor">{body}</Card> }
}

#[component]
fn Off() -> impl IntoView {
    view! {
        <p class="max-w-prose text-sm text-ink-2">
            "Besides the password, sign-in then asks for a code that an app on your telephone shows. Whoever learns your password gets no further."
        </p>
        <Form action=api::BeginSecondFactor::PATH class="mt-3">
            <Submit class="btn">"Switch it on"</Submit>
        </Form>
    }
}

#[component]
fn Begun(start: SecondFactorStart) -> impl IntoView {
    view! {
        <div class="grid gap-6 sm:grid-cols-[auto_1fr]">
            // A picture that the server drew of an address that it made.
            <div
                class="size-48 rounded-md bg-white p-2 [&>svg]:size-full"
                role="img"
                aria-label="A picture for your app"
                inner_html=start.picture
            ></div>
            <div class="space-y-4">
                <ol class="list-decimal space-y-1 pl-5 text-sm text-ink-2">
                    <li>"Open an app for such codes, and take this picture with it."</li>
                    <li>"No camera? Type this: " <code class="text-ink">{start.secret}</code></li>
                    <li>"Type the code that it shows."</li>
                </ol>
                <Form action=api::ConfirmSecondFactor::PATH class="grid max-w-xs gap-4">
                    <Field label="Code" name="code" autocomplete="one-time-code" inputmode="numeric" />
                    <div>
                        <Submit>"Switch it on"</Submit>
                    </div>
                </Form>
            </div>
        </div>
    }
}

#[component]
fn On(recovery_codes: u32) -> impl IntoView {
    let tone = if recovery_codes < 3 { Tone::Warn } else { Tone::Good };
    view! {
        <p class="flex flex-wrap items-center gap-2 text-sm">
            <Badge tone=Tone::Good>"On"</Badge>
            <Badge tone>{format!("{recovery_codes} recovery codes left")}</Badge>
        </p>
        <div class="mt-4 grid gap-6 sm:grid-cols-2">
            <Form action=api::NewRecoveryCodes::PATH class="grid gap-3">
                <Field label="A code of your app, for new recovery codes" name="code" autocomplete="one-time-code" inputmode="numeric" />
                <div>
                    <Submit class="btn">"Make new ones"</Submit>
                </div>
            </Form>
            <Form action=api::StopSecondFactor::PATH class="grid gap-3">
                <Field label="A code of your app, to switch it off" name="code" autocomplete="one-time-code" inputmode="numeric" />
                <div>
                    <Submit class="btn btn-danger">"Switch it off"</Submit>
                </div>
            </Form>
        </div>
    }
}
