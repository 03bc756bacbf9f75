//! Passkeys of a device that is made up, by which it can do what no real one would.

mod device;
mod registration;
mod script;
mod setup;
mod sign_in;

use dash_passkey::{Begun, Passkeys, Stored};
use device::Device;
use serde_json::Value;
use uuid::Uuid;

const SITE: &str = "https://dash.example";

fn passkeys(url: &str) -> Passkeys {
    Passkeys::new(&url.parse().expect("a URL")).expect("passkeys")
}

fn options(begun: &Begun) -> Value {
    serde_json::from_str(&begun.options).expect("JSON")
}

/// A new user with a device that is registered.
fn registered(passkeys: &Passkeys) -> (Device, Stored) {
    let user = Uuid::new_v4();
    let begun = passkeys
        .begin_registration(user, "ada@example.org", "Ada", &[])
        .expect("begun");
    let device = Device::new(SITE);
    let answer = device.create(&options(&begun));
    let stored = passkeys
        .finish_registration(user, &begun.state, &answer)
        .expect("registered");
    (device.of(user), stored)
}
