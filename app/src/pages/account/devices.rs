//! Where one is signed in.

use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api,
    components::{Badge, Card, Form, Hidden, Icon, RelativeTime, Submit, Tone, icons},
    model::people::Device,
};

#[component]
pub fn Devices(devices: Vec<Device>) -> impl IntoView {
    let others = devices.len() > 1;
    view! {
        <Card title="Where you are signed in">
            <ul class="divide-y divide-line">
                {devices.into_iter().map(|device| view! { <Row device /> }).collect_view()}
            </ul>
            {others
                .then(|| {
                    view! {
                        <Form action=api::EndOtherDevices::PATH class="mt-3">
                            <Submit class="btn btn-danger">"Sign out everywhere else"</Submit>
                        </Form>
                    }
                })}
        </Card>
    }
}

#[component]
fn Row(device: Device) -> impl IntoView {
    let Device {
        id,
        agent,
        address,
        created_at,
        seen_at,
        this,
    } = device;
    let label = format!("Sign out {agent}");
    view! {
        <li class="flex flex-wrap items-center gap-x-3 gap-y-2 py-3">
            <Icon icon=icons::Device size="1.25rem" class="text-ink-3" />
            <div class="min-w-0 flex-1">
                <p class="flex flex-wrap items-center gap-2 text-sm font-medium">
                    {agent} {this.then(|| view! { <Badge tone=Tone::Good>"this one"</Badge> })}
                </p>
                <p class="text-xs text-ink-2">
                    {address.map(|address| format!("{address} · "))} "last seen " <RelativeTime ms=seen_at.millis() />
                    " · signed in " <RelativeTime ms=created_at.millis() />
                </p>
            </div>
            {(!this)
                .then(|| {
                    view! {
                        <Form action=api::EndDevice::PATH>
                            <Hidden name="id" value=id.to_string() />
                            <Submit class="btn" label>
                                "Sign out"
                            </Submit>
                        </Form>
                    }
                })}
        </li>
    }
}
