//! A browser with an authenticator: ES256, attestation "none".

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
const WITH_KEY: u8 = 0x40;

/// Its fields are what a test lets it lie about.
#[derive(Clone)]
pub struct Device {
    pub origin: String,
    /// The domain that the authenticator believes to be at.
    pub domain: String,
    pub id: Vec<u8>,
    pub user: Vec<u8>,
    pub counter: u32,
    /// By a PIN or a finger.
    pub verifies: bool,
    pub cross_origin: bool,
    pub key: SigningKey,
}

impl Device {
    pub fn new(origin: &str) -> Self {
        let domain = origin.split("//").nth(1).and_then(|rest| rest.split(':').next());
        Self {
            origin: origin.to_owned(),
            domain: domain.expect("a domain").to_owned(),
            id: rand::random::<[u8; 32]>().to_vec(),
            user: Vec::new(),
            counter: 1,
            verifies: true,
            cross_origin: false,
            key: new_key(),
        }
    }

    /// It remembers whose it is.
    pub fn of(mut self, user: Uuid) -> Self {
        self.user = user.as_bytes().to_vec();
        self
    }

    /// `navigator.credentials.create`, and `toJSON` of what it gives.
    pub fn create(&self, options: &Value) -> String {
        let point = self.key.verifying_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        // The types of key and of signature, the curve, and where on it.
        let key = map(&[
            (int(1), int(2)),
            (int(3), int(-7)),
            (int(-1), int(1)),
            (int(-2), bytes(x)),
            (int(-3), bytes(y)),
        ]);
        let mut data = self.data(WITH_KEY);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).expect("short").to_be_bytes());
        data.extend(&self.id);
        data.extend(key);
        let attestation = map(&[
            (text("fmt"), text("none")),
            (text("attStmt"), map(&[])),
            (text("authData"), bytes(&data)),
        ]);
        self.answer(json!({
            "clientDataJSON": encode(self.client(options, "webauthn.create")),
            "attestationObject": encode(attestation),
            "authenticatorData": encode(data),
            "publicKeyAlgorithm": -7,
            "transports": ["internal", "a transport of tomorrow"],
        }))
    }

    /// `navigator.credentials.get`, and `toJSON` of what it gives.
    pub fn get(&self, options: &Value) -> String {
        let client = self.client(options, "webauthn.get");
        let data = self.data(0);
        let signed = [&data[..], &Sha256::digest(&client)].concat();
        let signature: Signature = self.key.sign(&signed);
        self.answer(json!({
            "clientDataJSON": encode(client),
            "authenticatorData": encode(data),
            "signature": encode(signature.to_der().as_bytes()),
            "userHandle": encode(&self.user),
        }))
    }

    fn client(&self, options: &Value, type_: &str) -> String {
        json!({
            "type": type_,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        })
        .to_string()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let flags = flags | PRESENT | if self.verifies { VERIFIED } else { 0 };
        let mut data = Sha256::digest(&self.domain).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn answer(&self, response: Value) -> String {
        json!({
            "id": encode(&self.id),
            "rawId": encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {"credProps": {"rk": true}},
            "response": response,
        })
        .to_string()
    }
}

pub fn new_key() -> SigningKey {
    SigningKey::from_slice(&rand::random::<[u8; 32]>()).expect("a key, but for once in 2^32 times")
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The head of a value in CBOR (RFC 8949): its type and a number.
fn head(major: u8, number: usize) -> Vec<u8> {
    let major = major << 5;
    match u16::try_from(number).expect("short") {
        n @ 0..=23 => vec![major | n as u8],
        n @ 24..=255 => vec![major | 24, n as u8],
        n => [&[major | 25], &n.to_be_bytes()[..]].concat(),
    }
}

fn int(number: i8) -> Vec<u8> {
    match usize::try_from(number) {
        Ok(number) => head(0, number),
        Err(_) => head(1, usize::from(number.unsigned_abs()) - 1),
    }
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    [&head(2, bytes.len())[..], bytes].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&head(3, text.len())[..], text.as_bytes()].concat()
}

fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let entry = |(key, value): &(Vec<u8>, Vec<u8>)| [&key[..], value].concat();
    [head(5, entries.len()), entries.iter().flat_map(entry).collect()].concat()
}
