//! What one-time links lead to: `/link`, `/confirm`, `/reset/new`, `/set-up`, `/invitation`. Opening one does nothing, since scanners of mail open
//! links: a button does.

use leptos::{prelude::*, server_fn::ServerFn};

use super::sign_in::{Narrow, NewPasswordField, To, parameter, wanted};
use crate::{
    AppError, api,
    components::{Field, Form, Hidden, PageError, PageSkeleton, Submit},
    here,
    model::people::LinkState,
    page,
};

/// Asks whether the link of this address works, and shows what it leads to.
#[component]
fn Checked<V, F>(purpose: &'static str, show: F) -> impl IntoView
where
    V: IntoView + 'static,
    F: Fn(String, LinkState) -> V + Copy + Send + Sync + 'static,
{
    let token = StoredValue::new(parameter("token"));
    let state = page::data(|| (), move |()| api::check_link(purpose.to_owned(), token.get_value()));
    view! {
        <Suspense fallback=|| view! { <PageSkeleton cards=["h-64", "h-8"] /> }>
            {move || Suspend::new(async move {
                match state.await {
                    Ok(LinkState::Gone) => view! { <PageError error=AppError::Gone /> }.into_any(),
                    Ok(state) => show(token.get_value(), state).into_any(),
                    Err(error) => view! { <PageError error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
pub fn UseLink() -> impl IntoView {
    let show = |token, _| {
        view! {
            <Narrow title="Sign in" lead="This link signs you in on this device, once.">
                <Form action=api::UseLink::PATH>
                    <Hidden name="token" value=token />
                    <To to=wanted() />
                    <Submit class="btn btn-primary w-full">"Sign in"</Submit>
                </Form>
            </Narrow>
        }
    };
    view! { <Checked purpose="magic_link" show /> }
}

#[component]
pub fn Confirm() -> impl IntoView {
    let show = |token, _| {
        view! {
            <Narrow title="Choose a password" lead="Then your account is ready.">
                <Form action=api::ConfirmEmail::PATH class="space-y-4">
                    <Hidden name="token" value=token />
                    <NewPasswordField focus=true />
                    <Submit class="btn btn-primary w-full">"Make the account ready"</Submit>
                </Form>
            </Narrow>
        }
    };
    view! { <Checked purpose="confirm_email" show /> }
}

#[component]
pub fn NewPassword() -> impl IntoView {
    let show = |token, _| {
        view! {
            <Narrow title="Choose a new password" lead="It signs you out everywhere else.">
                <Form action=api::ResetPassword::PATH class="space-y-4">
                    <Hidden name="token" value=token />
                    <NewPasswordField label="New password" focus=true />
                    <Submit class="btn btn-primary w-full">"Set it"</Submit>
                </Form>
            </Narrow>
        }
    };
    view! { <Checked purpose="reset_password" show /> }
}

#[component]
pub fn SetUp() -> impl IntoView {
    let show = |token, _| {
        view! {
            <Narrow title="Welcome to Dash" lead="Make the first account. It owns this installation.">
                <Form action=api::SetUp::PATH class="space-y-4">
                    <Hidden name="token" value=token />
                    <Field label="Your name" name="name" autocomplete="name" focus=true />
                    <Field label="E-mail address" name="email" kind="email" autocomplete="username" />
                    <NewPasswordField />
                    <Field
                        label="Organization"
                        name="organization"
                        autocomplete="organization"
                        hint="A company, a team, a household: whoever shares pipelines and dashboards."
                    />
                    <Submit class="btn btn-primary w-full">"Make the account"</Submit>
                </Form>
            </Narrow>
        }
    };
    view! { <Checked purpose="set_up" show /> }
}

#[component]
pub fn InvitationPage() -> impl IntoView {
    view! { <Checked purpose="invitation" show=invitation /> }
}

fn invitation(token: String, state: LinkState) -> impl IntoView {
    let LinkState::Invitation {
        organization,
        email,
        role,
        has_account,
    } = state
    else {
        return view! { <PageError error=AppError::Gone /> }.into_any();
    };
    let title = format!("Join {organization}");
    let as_role = format!("{email} is invited as {role}.");
    let person = here::person();
    let path = format!("/invitation?token={token}");
    let body = match person {
        Some(person) if person.email.eq_ignore_ascii_case(&email) => view! {
            <Form action=api::AcceptInvitation::PATH>
                <Hidden name="token" value=token />
                <Submit class="btn btn-primary w-full">"Join"</Submit>
            </Form>
        }
        .into_any(),
        Some(person) => view! {
            <p class="text-sm text-ink-2">
                {format!("You are signed in as {}. Sign out, and open the link again.", person.email)}
            </p>
            <Form action=api::SignOut::PATH>
                <Submit class="btn w-full">"Sign out"</Submit>
            </Form>
        }
        .into_any(),
        None if has_account => view! {
            <a class="btn btn-primary w-full" href=format!("/sign-in?to={}", page::encode(&path)) rel="external">
                "Sign in to join"
            </a>
        }
        .into_any(),
        None => view! {
            <Form action=api::Join::PATH class="space-y-4">
                <Hidden name="token" value=token />
                <Field label="Your name" name="name" autocomplete="name" focus=true />
                <NewPasswordField />
                <Submit class="btn btn-primary w-full">"Make an account and join"</Submit>
            </Form>
        }
        .into_any(),
    };
    view! {
        <Narrow title=title>
            <p class="text-sm text-ink-2">{as_role}</p>
            {body}
        </Narrow>
    }
    .into_any()
}
