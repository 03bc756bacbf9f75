//! Making a passkey.

use dash_passkey::{PasskeyError, Stored};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    SITE,
    device::{Device, encode},
    options, passkeys, registered,
};

/// What becomes of the answer of a device that a test has changed.
fn register(change: impl FnOnce(&mut Device)) -> Result<Stored, PasskeyError> {
    let (passkeys, user) = (passkeys(SITE), Uuid::new_v4());
    let begun = passkeys
        .begin_registration(user, "ada@example.org", "Ada", &[])
        .expect("begun");
    let mut device = Device::new(SITE);
    change(&mut device);
    passkeys.finish_registration(user, &begun.state, &device.create(&options(&begun)))
}

#[test]
fn the_browser_is_asked_for_a_key_that_says_whose_it_is() {
    let passkeys = passkeys("https://dash.example:8443/");
    let (_, stored) = registered(&self::passkeys(SITE));
    let user = Uuid::new_v4();
    let begun = passkeys.begin_registration(user, "ada@example.org", " ", std::slice::from_ref(&stored));
    let options = options(&begun.expect("begun"));
    assert_eq!(options["rp"], json!({"id": "dash.example", "name": "Dash"}));
    let expected = json!({"id": encode(user.as_bytes()), "name": "ada@example.org", "displayName": "ada@example.org"});
    assert_eq!(options["user"], expected);
    let expected = json!({"residentKey": "required", "requireResidentKey": true, "userVerification": "required"});
    assert_eq!(options["authenticatorSelection"], expected);
    let expected = json!([{"type": "public-key", "id": encode(stored.id())}]);
    assert_eq!(options["excludeCredentials"], expected);
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["pubKeyCredParams"][0], json!({"type": "public-key", "alg": -7}));
    assert!(
        options["challenge"].as_str().is_some_and(|c| c.len() == 43),
        "32 bytes in base64url"
    );
}

#[test]
fn what_is_stored_comes_back_from_the_database() {
    let stored = register(|_| {}).expect("registered");
    let row = serde_json::to_value(&stored).expect("JSON");
    let read: Stored = serde_json::from_value(row.clone()).expect("read");
    assert_eq!((read.id(), read.user()), (stored.id(), stored.user()));
    assert_eq!(serde_json::to_value(&read).expect("JSON"), row);
}

#[test]
fn an_answer_from_elsewhere_is_refused() {
    for origin in [
        "https://evil.example",
        "https://dash.example.evil.example",
        "https://sub.dash.example",
        "https://dash.example:8443",
        "http://dash.example",
    ] {
        let result = register(|d| d.origin = origin.to_owned());
        assert_eq!(result.expect_err(origin), PasskeyError::Origin, "{origin}");
    }
    let result = register(|d| d.domain = "evil.example".to_owned());
    assert_eq!(result.expect_err("another domain"), PasskeyError::Origin);
    assert_eq!(
        register(|d| d.cross_origin = true).expect_err("in a frame"),
        PasskeyError::Origin
    );
}

#[test]
fn an_id_is_as_long_as_ids_may_be() {
    let stored = register(|d| d.id = vec![7; 1_023]).expect("registered");
    assert_eq!(stored.id().len(), 1_023);
    for length in [1_024, 4_096] {
        let result = register(|d| d.id = vec![7; length]);
        assert_eq!(result.expect_err("too long"), PasskeyError::LongId, "{length}");
    }
}

#[test]
fn a_key_that_does_not_check_its_user_is_refused() {
    assert_eq!(
        register(|d| d.verifies = false).expect_err("unverified"),
        PasskeyError::Unverified
    );
}

#[test]
fn an_answer_belongs_to_its_question_and_its_person() {
    let (passkeys, user) = (passkeys(SITE), Uuid::new_v4());
    let begin = || {
        passkeys
            .begin_registration(user, "ada@example.org", "Ada", &[])
            .expect("begun")
    };
    let (one, other) = (begin(), begin());
    let answer = Device::new(SITE).create(&options(&one));
    let finish = |state: &str| passkeys.finish_registration(user, state, &answer).map(|_| ());
    assert_eq!(finish(&other.state), Err(PasskeyError::Challenge));
    let somebody_else = passkeys.finish_registration(Uuid::new_v4(), &one.state, &answer);
    assert_eq!(somebody_else.expect_err("another person"), PasskeyError::State);
    for state in ["", "{}", "null", &passkeys.begin_sign_in().expect("begun").state] {
        assert_eq!(finish(state), Err(PasskeyError::State), "{state}");
    }
    let mut old: Value = serde_json::from_str(&one.state).expect("JSON");
    old["begun"] = json!(old["begun"].as_u64().expect("seconds") - 601);
    assert_eq!(finish(&old.to_string()), Err(PasskeyError::Expired));
    assert_eq!(finish(&one.state), Ok(()));
}

#[test]
fn the_same_key_is_not_registered_twice() {
    let passkeys = passkeys(SITE);
    let (device, stored) = registered(&passkeys);
    let user = stored.user();
    let begun = passkeys
        .begin_registration(user, "ada@example.org", "Ada", &[stored])
        .expect("begun");
    let again = passkeys.finish_registration(user, &begun.state, &device.create(&options(&begun)));
    assert_eq!(again.expect_err("again"), PasskeyError::Again);
    let nobody = passkeys.begin_registration(user, "", "", &[]);
    assert_eq!(nobody.expect_err("no name"), PasskeyError::NoName);
}

proptest! {
    #[test]
    fn whatever_is_answered_is_refused(attestation: Vec<u8>, client in "\\PC{0,80}") {
        let passkeys = passkeys(SITE);
        let begun = passkeys.begin_registration(Uuid::nil(), "a", "b", &[]).expect("begun");
        let answer = Device::new(SITE).create(&options(&begun));
        let mut changed: Value = serde_json::from_str(&answer).expect("JSON");
        changed["response"]["attestationObject"] = json!(encode(attestation));
        prop_assert!(passkeys.finish_registration(Uuid::nil(), &begun.state, &changed.to_string()).is_err());
        let mut changed: Value = serde_json::from_str(&answer).expect("JSON");
        changed["response"]["clientDataJSON"] = json!(encode(&client));
        prop_assert!(passkeys.finish_registration(Uuid::nil(), &begun.state, &changed.to_string()).is_err());
        prop_assert!(passkeys.finish_registration(Uuid::nil(), &begun.state, &client).is_err());
    }
}
