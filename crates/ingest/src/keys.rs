//! Ingest keys: shown once, stored as a hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::Rng;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

/// What every ingest key begins with, so that scanners of source code find lost ones.
pub const PREFIX: &str = "dash_ingest_";

/// A key that was just made.
#[derive(Debug)]
pub struct NewKey {
    /// `dash_ingest_` and 43 characters; to be shown once and not stored.
    pub secret: SecretString,
    /// What is stored: see [`hash_key`].
    pub hash: [u8; 32],
    /// How lists show it: the prefix and the first 4 characters behind it.
    pub hint: String,
}

/// Makes a key of 32 random bytes.
pub fn generate_key() -> NewKey {
    let mut random = [0; 32];
    rand::rng().fill_bytes(&mut random);
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    NewKey {
        hash: hash_key(&secret),
        hint: format!("{}…", &secret[..PREFIX.len() + 4]),
        secret: secret.into(),
    }
}

/// SHA-256 of the whole key. A key is random, so that no salt and no slow hash is needed; looking it up by its hash
/// tells an attacker nothing by its time.
pub fn hash_key(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(authorization: Option<&str>) -> Option<&str> {
    let (scheme, token) = authorization?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_key_has_its_form_and_its_hash_and_shows_neither() {
        let key = generate_key();
        let secret = key.secret.expose_secret();
        assert_eq!(secret.len(), PREFIX.len() + 43);
        assert!(secret.starts_with(PREFIX) && secret.is_ascii());
        assert_eq!(key.hash, hash_key(secret));
        assert!(!format!("{key:?}").contains(&secret[PREFIX.len() + 4..]));
        assert_ne!(generate_key().hash, key.hash);
    }

    #[test]
    fn a_hash_is_stable() {
        // sha256sum of "dash_ingest_x": stored hashes must be found again after an update.
        assert_eq!(
            hex::encode(hash_key("dash_ingest_x")),
            "843c19ced33ac0f7232d8e0464971e9a1bb6bfcd01e7d92b14db8ed4a2f99793"
        );
    }

    #[test]
    fn only_bearer_tokens_are_read() {
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("", None),
        ] {
            assert_eq!(bearer(Some(header)), token, "{header:?}");
        }
    }
}
