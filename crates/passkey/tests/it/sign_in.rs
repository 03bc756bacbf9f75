//! Using a passkey.

use dash_passkey::{PasskeyError, SignedIn, Stored};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    SITE,
    device::{Device, encode, new_key},
    options, passkeys, registered,
};

fn sign_in(device: &Device, stored: &[Stored]) -> Result<SignedIn, PasskeyError> {
    let passkeys = passkeys(SITE);
    let begun = passkeys.begin_sign_in().expect("begun");
    passkeys.finish_sign_in(&begun.state, &device.get(&options(&begun)), stored)
}

/// What becomes of the answer of a device that a test has changed since it was registered.
fn refused(change: impl FnOnce(&mut Device)) -> PasskeyError {
    let (mut device, stored) = registered(&passkeys(SITE));
    device.counter += 1;
    change(&mut device);
    sign_in(&device, &[stored]).expect_err("refused")
}

#[test]
fn somebody_signs_in_without_saying_who() {
    let passkeys = passkeys(SITE);
    let (mut device, stored) = registered(&passkeys);
    let (_, another) = registered(&passkeys);
    device.counter = 7;
    let begun = passkeys.begin_sign_in().expect("begun");
    let asked = options(&begun);
    assert_eq!(asked["rpId"], "dash.example");
    assert_eq!(asked["allowCredentials"], json!([]));
    assert_eq!(asked["userVerification"], "required");
    assert!(
        asked["challenge"].as_str().is_some_and(|c| c.len() == 43),
        "32 bytes in base64url"
    );
    let answer = device.get(&asked);
    assert_eq!(passkeys.who(&answer), Ok((stored.user(), stored.id())));
    let all = [another, stored.clone()];
    let signed_in = passkeys.finish_sign_in(&begun.state, &answer, &all).expect("signed in");
    assert_eq!((signed_in.user, signed_in.credential_id), (stored.user(), stored.id()));
    assert!(signed_in.updated.is_some_and(|u| u.id() == stored.id()));
}

#[test]
fn a_counter_that_goes_back_is_a_copy() {
    let (mut device, stored) = registered(&passkeys(SITE));
    device.counter = 5;
    let updated = sign_in(&device, &[stored])
        .expect("signed in")
        .updated
        .expect("a new counter");
    for counter in [5, 4, 0] {
        device.counter = counter;
        assert_eq!(
            sign_in(&device, std::slice::from_ref(&updated)).expect_err("a copy"),
            PasskeyError::Copied
        );
    }
    device.counter = 6;
    sign_in(&device, &[updated]).expect("signed in");
}

#[test]
fn a_key_without_a_counter_stays_as_it_is() {
    let passkeys = passkeys(SITE);
    let user = Uuid::new_v4();
    let begun = passkeys
        .begin_registration(user, "ada@example.org", "Ada", &[])
        .expect("begun");
    let mut device = Device::new(SITE).of(user);
    device.counter = 0;
    let stored = passkeys.finish_registration(user, &begun.state, &device.create(&options(&begun)));
    let stored = stored.expect("registered");
    for _ in 0..2 {
        assert!(
            sign_in(&device, std::slice::from_ref(&stored))
                .expect("signed in")
                .updated
                .is_none()
        );
    }
}

#[test]
fn an_answer_from_elsewhere_is_refused() {
    assert_eq!(
        refused(|d| d.origin = "https://evil.example".to_owned()),
        PasskeyError::Origin
    );
    assert_eq!(
        refused(|d| d.origin = "https://sub.dash.example".to_owned()),
        PasskeyError::Origin
    );
    assert_eq!(
        refused(|d| d.origin = "http://dash.example".to_owned()),
        PasskeyError::Origin
    );
    assert_eq!(refused(|d| d.domain = "evil.example".to_owned()), PasskeyError::Origin);
    assert_eq!(refused(|d| d.cross_origin = true), PasskeyError::Origin);
}

#[test]
fn only_the_key_that_is_stored_signs_in_and_only_its_owner() {
    assert!(matches!(refused(|d| d.key = new_key()), PasskeyError::Refused { .. }));
    assert_eq!(refused(|d| d.verifies = false), PasskeyError::Unverified);
    assert_eq!(refused(|d| d.id = vec![7; 32]), PasskeyError::Unknown);
    assert_eq!(
        refused(|d| d.user = Uuid::new_v4().as_bytes().to_vec()),
        PasskeyError::Unknown
    );
    assert_eq!(refused(|d| d.user = Vec::new()), PasskeyError::Unknown);
    let (device, _) = registered(&passkeys(SITE));
    assert_eq!(
        sign_in(&device, &[]).expect_err("nothing stored"),
        PasskeyError::Unknown
    );
}

#[test]
fn an_answer_belongs_to_its_question() {
    let passkeys = passkeys(SITE);
    let (mut device, stored) = registered(&passkeys);
    device.counter = 2;
    let (one, other) = (
        passkeys.begin_sign_in().expect("begun"),
        passkeys.begin_sign_in().expect("begun"),
    );
    let answer = device.get(&options(&one));
    let stored = [stored];
    let finish = |state: &str| passkeys.finish_sign_in(state, &answer, &stored).map(|_| ());
    assert_eq!(finish(&other.state), Err(PasskeyError::Challenge));
    let registration = passkeys
        .begin_registration(stored[0].user(), "a", "b", &[])
        .expect("begun");
    for state in ["", "{}", &registration.state] {
        assert_eq!(finish(state), Err(PasskeyError::State), "{state}");
    }
    let mut old: Value = serde_json::from_str(&one.state).expect("JSON");
    old["begun"] = json!(old["begun"].as_u64().expect("seconds") - 601);
    assert_eq!(finish(&old.to_string()), Err(PasskeyError::Expired));
    assert_eq!(finish(&one.state), Ok(()));
}

proptest! {
    #[test]
    fn whatever_is_answered_is_refused(part in 0usize..4, bytes: Vec<u8>, text in "\\PC{0,80}") {
        let passkeys = passkeys(SITE);
        let (mut device, stored) = registered(&passkeys);
        device.counter = 2;
        let begun = passkeys.begin_sign_in().expect("begun");
        let mut answer: Value = serde_json::from_str(&device.get(&options(&begun))).expect("JSON");
        let part = ["clientDataJSON", "authenticatorData", "signature", "userHandle"][part];
        answer["response"][part] = json!(encode(bytes));
        let stored = [stored];
        prop_assert!(passkeys.finish_sign_in(&begun.state, &answer.to_string(), &stored).is_err());
        prop_assert!(passkeys.finish_sign_in(&begun.state, &text, &stored).is_err());
        prop_assert!(passkeys.who(&text).is_err());
    }
}
