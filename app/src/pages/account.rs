//! `/account`: who one is, how one gets in, where one is signed in, and one's keys.

mod devices;
mod elsewhere;
mod keys;
mod passkeys;
mod second_factor;

use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

pub use self::keys::KeysCard;
use self::{devices::Devices, elsewhere::Elsewhere, passkeys::PasskeysCard, second_factor::SecondFactor};
use super::sign_in::NewPasswordField;
use crate::{
    AppError, api,
    components::{Card, Field, Form, PageError, PageSkeleton, Submit},
    here,
    model::people::{Account, KeyInfo, People},
    page,
};

async fn load(member: bool) -> Result<(Account, Option<(Vec<KeyInfo>, People)>), AppError> {
    let account = api::get_account().await?;
    let keys = match member {
        true => Some((api::list_keys(false).await?, api::list_people().await?)),
        false => None,
    };
    Ok((account, keys))
}

#[component]
pub fn AccountPage() -> impl IntoView {
    let member = here::person().is_some_and(|person| person.organization.is_some());
    let loaded = page::data(|| (), move |()| load(member));
    view! {
        <Title text="Account" />
        <Suspense fallback=|| view! { <PageSkeleton cards=["h-64", "h-64"] /> }>
            {move || Suspend::new(async move {
                match loaded.await {
                    Ok((account, keys)) => view! { <Loaded account keys /> }.into_any(),
                    Err(error) => view! { <PageError error /> }.into_any(),
                }
            })}
        </Suspense>
    }
}

#[component]
fn Loaded(account: Account, keys: Option<(Vec<KeyInfo>, People)>) -> impl IntoView {
    let Account {
        name,
        email,
        has_password,
        second_factor,
        devices,
        passkeys,
        identities,
    } = account;
    let ways = here::ways();
    let session = devices.iter().find(|device| device.this).map(|device| device.id);
    let who = format!("You sign in as {email}.");
    view! {
        <div class="page max-w-4xl space-y-4 pt-6">
            <h1>"Account"</h1>
            <Card title="Who you are">
                <Form action=api::Rename::PATH class="grid gap-4 sm:grid-cols-[1fr_auto] sm:items-end">
                    <Field label="Name" name="name" autocomplete="name" value=name />
                    <Submit>"Save"</Submit>
                </Form>
                <p class="mt-3 text-sm text-ink-2">{who}</p>
            </Card>
            <Password has_password email />
            <SecondFactor state=second_factor />
            {(ways.passkeys || !passkeys.is_empty()).then(|| view! { <PasskeysCard passkeys /> })}
            {(!ways.providers.is_empty() || !identities.is_empty())
                .then(|| view! { <Elsewhere identities providers=ways.providers.clone() session /> })}
            <Devices devices />
            {keys.map(|(keys, people)| view! { <KeysCard keys teams=people.teams service=false /> })}
            <NewOrganization />
        </div>
    }
}

#[component]
fn Password(has_password: bool, email: String) -> impl IntoView {
    view! {
        <Card title="Password">
            <Form action=api::ChangePassword::PATH class="grid max-w-md gap-4">
                // For the browser's store of passwords.
                <input type="text" name="username" autocomplete="username" value=email hidden=true readonly=true />
                {has_password
                    .then(|| {
                        view! {
                            <Field label="Current password" name="current" kind="password" autocomplete="current-password" />
                        }
                    })}
                <NewPasswordField label="New password" />
                <div>
                    <Submit>{if has_password { "Change it" } else { "Set it" }}</Submit>
                </div>
            </Form>
            <p class="mt-3 text-xs text-ink-3">"A new password signs you out everywhere else."</p>
        </Card>
    }
}

#[component]
fn NewOrganization() -> impl IntoView {
    view! {
        <Card title="Another organization">
            <Form action=api::MakeOrganization::PATH class="grid gap-4 sm:grid-cols-[1fr_auto] sm:items-end">
                <Field
                    label="Its name"
                    name="name"
                    autocomplete="organization"
                    hint="With pipelines, dashboards and people of its own."
                />
                <Submit class="btn sm:mb-5">"Make it"</Submit>
            </Form>
        </Card>
    }
}
