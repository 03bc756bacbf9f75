//! Accounts elsewhere that sign one in here.

use leptos::{prelude::*, server_fn::ServerFn};
use uuid::Uuid;

use crate::{
    api,
    components::{Card, Form, Hidden, Submit},
    model::people::{Identity, Provider},
};

#[component]
pub fn Elsewhere(
    identities: Vec<Identity>,
    providers: Vec<Provider>,
    /// Of this device: nobody else can begin a link for who looks at this page.
    session: Option<Uuid>,
) -> impl IntoView {
    let link = session.map(|id| format!("?link={id}")).unwrap_or_default();
    view! {
        <Card title="Accounts elsewhere">
            <ul class="divide-y divide-line">
                {identities.into_iter().map(|identity| view! { <Row identity /> }).collect_view()}
            </ul>
            <p class="mt-3 flex flex-wrap gap-2">
                {providers
                    .into_iter()
                    .map(|provider| {
                        view! {
                            <a class="btn" href=format!("/sso/{}{link}", provider.slug) rel="external">
                                {format!("Link one of {}", provider.name)}
                            </a>
                        }
                    })
                    .collect_view()}
            </p>
        </Card>
    }
}

#[component]
fn Row(identity: Identity) -> impl IntoView {
    let Identity { issuer, subject, email } = identity;
    let name = email.unwrap_or_else(|| subject.clone());
    let label = format!("Unlink {name}");
    view! {
        <li class="flex flex-wrap items-center gap-3 py-3">
            <div class="min-w-0 flex-1">
                <p class="text-sm font-medium break-all">{name}</p>
                <p class="text-xs break-all text-ink-2">{issuer.clone()}</p>
            </div>
            <Form action=api::Unlink::PATH>
                <Hidden name="issuer" value=issuer />
                <Hidden name="subject" value=subject />
                <Submit class="btn btn-danger" label>
                    "Unlink"
                </Submit>
            </Form>
        </li>
    }
}
