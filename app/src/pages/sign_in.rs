//! `/sign-in`, `/sign-in/code`, `/sign-in/link`, `/sign-up`, `/reset`: the ways in.

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::{
    api,
    components::{Field, Form, Hidden, Icon, Submit, icons},
    form, here,
};

/// A narrow card in the middle of the page.
#[component]
pub fn Narrow(#[prop(into)] title: String, #[prop(optional)] lead: &'static str, children: Children) -> impl IntoView {
    view! {
        <Title text=title.clone() />
        <div class="page pt-8 sm:pt-14">
            <div class="card mx-auto max-w-md p-6">
                <h1>{title}</h1>
                {(!lead.is_empty()).then(|| view! { <p class="mt-1 text-sm text-ink-2">{lead}</p> })}
                <div class="mt-5 space-y-5">{children()}</div>
            </div>
        </div>
    }
}

/// Where somebody wanted to go.
pub fn wanted() -> Option<String> {
    let query = use_query_map();
    let to = query.with_untracked(|q| q.get("to"));
    form::local(to.as_deref()).map(str::to_owned)
}

/// A parameter of the address.
pub fn parameter(name: &'static str) -> String {
    use_query_map().with_untracked(|q| q.get(name)).unwrap_or_default()
}

#[component]
pub fn To(to: Option<String>) -> impl IntoView {
    to.map(|to| view! { <Hidden name="to" value=to /> })
}

#[component]
pub fn SignIn() -> impl IntoView {
    let ways = here::ways();
    let to = wanted();
    let providers = ways.providers.clone();
    let with_to = |path: &str| match &to {
        Some(to) => format!("{path}?to={}", crate::page::encode(to)),
        None => path.to_owned(),
    };
    let link = with_to("/sign-in/link");
    let passkey = ways.passkeys.then(|| view! { <PasskeySignIn to=to.clone() /> });
    let elsewhere: Vec<(String, String)> = providers
        .into_iter()
        .map(|p| (with_to(&format!("/sso/{}", p.slug)), p.name))
        .collect();
    view! {
        <Narrow title="Sign in">
            {ways
                .set_up
                .then(|| {
                    view! {
                        <p class="rounded-md bg-accent-soft px-3 py-2 text-sm text-ink">
                            "Nobody has an account here yet. The link that makes the first one stands on the console where Dash was started."
                        </p>
                    }
                })}
            {(!elsewhere.is_empty())
                .then(|| {
                    view! {
                        <div class="space-y-2">
                            {elsewhere
                                .into_iter()
                                .map(|(href, name)| {
                                    view! {
                                        <a class="btn w-full" href=href rel="external">
                                            {format!("Sign in with {name}")}
                                        </a>
                                    }
                                })
                                .collect_view()}
                        </div>
                        <p class="text-center text-xs text-ink-3">"or"</p>
                    }
                })}
            <Form action=api::SignIn::PATH class="space-y-4">
                <To to=to.clone() />
                <Field label="E-mail address" name="email" kind="email" autocomplete="username webauthn" focus=true />
                <Field label="Password" name="password" kind="password" autocomplete="current-password" />
                <Submit class="btn btn-primary w-full">"Sign in"</Submit>
            </Form>
            {passkey}
            <ul class="space-y-1 text-sm">
                {ways
                    .mail
                    .then(|| {
                        view! {
                            <li>
                                <a class="link" href=link rel="external">
                                    "Send me a link instead"
                                </a>
                            </li>
                            <li>
                                <a class="link" href="/reset" rel="external">
                                    "I forgot my password"
                                </a>
                            </li>
                        }
                    })}
                {ways
                    .sign_up
                    .then(|| {
                        view! {
                            <li>
                                "No account yet? "
                                <a class="link" href="/sign-up" rel="external">
                                    "Make one"
                                </a>
                            </li>
                        }
                    })}
            </ul>
            <MailboxHint />
        </Narrow>
    }
}

/// Shown by its script, where the browser has passkeys.
#[component]
fn PasskeySignIn(to: Option<String>) -> impl IntoView {
    view! {
        <script src="/passkeys.js" defer></script>
        <form
            method="post"
            action=api::PasskeySignIn::PATH
            data-passkey="get"
            data-options=api::BeginPasskeySignIn::PATH
            hidden=true
        >
            <To to />
            <Hidden name="response" value="" />
            <Submit class="btn w-full">
                <Icon icon=icons::Key />
                "Sign in with a passkey"
            </Submit>
            <p class="mt-2 text-sm text-bad" data-passkey-error="" hidden=true role="alert">
                "That did not work. Try again, or sign in another way."
            </p>
        </form>
    }
}

/// Where letters are when this server sends none.
#[component]
pub fn MailboxHint() -> impl IntoView {
    here::ways().mailbox.then(|| {
        view! {
            <p class="flex items-start gap-2 text-xs text-ink-3">
                <Icon icon=icons::Mail />
                <span>
                    "This server sends no mail yet. Its letters are in the "
                    <a class="link" href="/mailbox" rel="external">
                        "mailbox"
                    </a> "."
                </span>
            </p>
        }
    })
}

#[component]
pub fn Code() -> impl IntoView {
    view! {
        <Narrow title="Second factor" lead="Type the code that your app shows now, or one of your recovery codes.">
            <Form action=api::SignInCode::PATH class="space-y-4">
                <Field label="Code" name="code" autocomplete="one-time-code" focus=true />
                <Submit class="btn btn-primary w-full">"Sign in"</Submit>
            </Form>
            <ToSignIn>"Begin again"</ToSignIn>
        </Narrow>
    }
}

#[component]
pub fn AskLink() -> impl IntoView {
    view! {
        <Narrow title="Sign in by mail" lead="We send you a link that signs you in. It works once, for 15 minutes.">
            <Form action=api::AskLink::PATH class="space-y-4">
                <To to=wanted() />
                <Field label="E-mail address" name="email" kind="email" autocomplete="username" focus=true />
                <Submit class="btn btn-primary w-full">"Send the link"</Submit>
            </Form>
            <ToSignIn>"Use a password"</ToSignIn>
            <MailboxHint />
        </Narrow>
    }
}

#[component]
pub fn AskReset() -> impl IntoView {
    view! {
        <Narrow title="New password" lead="We send you a link to choose a new password. It works once, for an hour.">
            <Form action=api::AskReset::PATH class="space-y-4">
                <Field label="E-mail address" name="email" kind="email" autocomplete="username" focus=true />
                <Submit class="btn btn-primary w-full">"Send the link"</Submit>
            </Form>
            <ToSignIn>"Back to the sign-in"</ToSignIn>
            <MailboxHint />
        </Narrow>
    }
}

#[component]
fn ToSignIn(children: Children) -> impl IntoView {
    view! {
        <p class="text-sm">
            <a class="link" href="/sign-in" rel="external">
                {children()}
            </a>
        </p>
    }
}

/// Where somebody chooses a password.
#[component]
pub fn NewPasswordField(
    #[prop(default = "Password")] label: &'static str,
    #[prop(optional)] focus: bool,
) -> impl IntoView {
    let hint = "At least 10 characters. Four words that have nothing to do with each other are good ones.";
    view! { <Field label name="password" kind="password" autocomplete="new-password" hint focus /> }
}

#[component]
pub fn SignUp() -> impl IntoView {
    if !here::ways().sign_up {
        return view! {
            <Narrow title="Make an account" lead="On this server accounts are made by invitation. Ask somebody who has one to invite you.">
                <ToSignIn>"Back to the sign-in"</ToSignIn>
            </Narrow>
        }
        .into_any();
    }
    view! {
        <Narrow title="Make an account" lead="You get an organization of your own, and can join others by invitation.">
            <Form action=api::SignUp::PATH class="space-y-4">
                <Field label="Name" name="name" autocomplete="name" focus=true />
                <Field
                    label="E-mail address"
                    name="email"
                    kind="email"
                    autocomplete="username"
                    hint="We send you a letter. The link in it lets you choose a password."
                />
                <Submit class="btn btn-primary w-full">"Make the account"</Submit>
            </Form>
            <p class="text-sm">
                "You have one? "
                <a class="link" href="/sign-in" rel="external">
                    "Sign in"
                </a>
            </p>
            <MailboxHint />
        </Narrow>
    }
    .into_any()
}
