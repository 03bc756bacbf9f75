//! Secrets that the database keeps and that must be known in clear: encrypted, each for the one place it belongs to.
//!
//! A [`Vault`] seals with its newest key and opens with that or an older one. What is sealed names its key, so keys can be
//! changed while the server runs on: add the new one, seal everything again, then take the old one away.
//!
//! The cipher is XChaCha20-Poly1305 ([draft-irtf-cfrg-xchacha](https://datatracker.ietf.org/doc/html/draft-irtf-cfrg-xchacha-03)).
//! Its 24 bytes of nonce are random: no counter has to be kept, and no two nodes can use one twice. Table, column and row are
//! authenticated with it, so that a sealed value that is copied to another row does not open there.

mod key;
mod place;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use secrecy::{ExposeSecret, SecretSlice};
use zeroize::Zeroizing;

pub use key::{Key, KeyError, KeyId};
pub use place::Place;

/// First byte of what is sealed.
const FORMAT: u8 = 1;
const NONCE: usize = 24;
/// Format, key, nonce.
const HEAD: usize = 1 + key::ID + NONCE;

/// Why a sealed value does not open. Never says what was in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("{place}: it is not a sealed value, or of a newer version of Dash")]
    Format { place: String },
    #[error("{place}: it is sealed with key {key}, which is not configured; add that key to DASH_SECRET_KEYS_OLD")]
    UnknownKey { place: String, key: KeyId },
    #[error("{place}: it was changed, or belongs to another place; restore it from a backup, or set the secret again")]
    Changed { place: String },
}

/// Seals and opens. Cheap enough to share behind an `Arc`; its keys are wiped from memory with it.
#[derive(Debug)]
pub struct Vault {
    newest: Key,
    older: Vec<Key>,
}

impl Vault {
    pub fn new(newest: Key, older: Vec<Key>) -> Self {
        Self { newest, older }
    }

    /// What may be stored at `place`: 49 bytes more than `clear`.
    pub fn seal(&self, place: &Place<'_>, clear: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: clear,
            aad: &place.authenticated(),
        };
        let mut sealed = Vec::with_capacity(HEAD + clear.len() + 16);
        sealed.push(FORMAT);
        sealed.extend(self.newest.id().0);
        sealed.extend(nonce);
        let encrypted = cipher(&self.newest).encrypt(&XNonce::from(nonce), payload);
        sealed.extend(encrypted.expect("a secret has less than 256 GiB"));
        sealed
    }

    /// What was sealed for `place`.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<SecretSlice<u8>, OpenError> {
        let (id, nonce, rest) = parts(sealed).ok_or_else(|| OpenError::Format {
            place: place.to_string(),
        })?;
        let key = self.key(id).ok_or_else(|| OpenError::UnknownKey {
            place: place.to_string(),
            key: id,
        })?;
        let payload = Payload {
            msg: rest,
            aad: &place.authenticated(),
        };
        let clear = cipher(key).decrypt(&XNonce::from(nonce), payload);
        clear.map(SecretSlice::from).map_err(|_| OpenError::Changed {
            place: place.to_string(),
        })
    }

    /// The same, sealed with the newest key; nothing when it is already.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn renew(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Option<Vec<u8>>, OpenError> {
        let newest = parts(sealed).is_some_and(|(id, ..)| id == self.newest.id());
        // Opened in any case: a change of keys is the time to find out what does not open.
        let clear = self.open(place, sealed)?;
        Ok((!newest).then(|| self.seal(place, clear.expose_secret())))
    }

    fn key(&self, id: KeyId) -> Option<&Key> {
        std::iter::once(&self.newest).chain(&self.older).find(|k| k.id() == id)
    }
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    let bytes = Zeroizing::new(*key.bytes());
    XChaCha20Poly1305::new((&*bytes).into())
}

fn parts(sealed: &[u8]) -> Option<(KeyId, [u8; NONCE], &[u8])> {
    let (head, rest) = sealed.split_first_chunk::<HEAD>()?;
    let (id, nonce) = head.strip_prefix(&[FORMAT])?.split_first_chunk()?;
    Some((KeyId(*id), nonce.try_into().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(row: &str) -> Place<'_> {
        Place {
            table: "t",
            column: "c",
            row,
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_at_its_place_and_nowhere_else(clear: Vec<u8>, a in "[a-z|]{0,4}", b in "[a-z|]{0,4}") {
            let vault = Vault::new(Key::random(), Vec::new());
            let sealed = vault.seal(&place(&a), &clear);
            prop_assert_eq!(sealed.len(), clear.len() + 49);
            let opened = vault.open(&place(&a), &sealed).expect("opens");
            prop_assert_eq!(opened.expose_secret(), &clear[..]);
            if a != b {
                let refused = OpenError::Changed { place: place(&b).to_string() };
                prop_assert_eq!(vault.open(&place(&b), &sealed).expect_err("another row"), refused);
            }
        }

        #[test]
        fn a_changed_byte_anywhere_is_noticed(clear: Vec<u8>, at: prop::sample::Index, flip in 1u8..) {
            let vault = Vault::new(Key::random(), Vec::new());
            let mut sealed = vault.seal(&place("1"), &clear);
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(vault.open(&place("1"), &sealed).is_err());
            sealed.truncate(at);
            prop_assert!(vault.open(&place("1"), &sealed).is_err());
        }
    }

    #[test]
    fn a_new_key_takes_over_and_the_old_one_can_go() {
        let (old, new) = (Key::random(), Key::random());
        let sealed = Vault::new(old.clone(), Vec::new()).seal(&place("1"), b"secret");
        let both = Vault::new(new.clone(), vec![old]);
        let renewed = both
            .renew(&place("1"), &sealed)
            .expect("opens")
            .expect("sealed with an old key");
        assert_eq!(both.renew(&place("1"), &renewed), Ok(None));
        let only = Vault::new(new, Vec::new());
        assert_eq!(
            only.open(&place("1"), &renewed).expect("opens").expose_secret(),
            b"secret"
        );
        let error = only.open(&place("1"), &sealed).expect_err("the key is gone");
        assert!(error.to_string().contains("DASH_SECRET_KEYS_OLD"), "{error}");
    }

    #[test]
    fn the_same_is_never_sealed_to_the_same() {
        let vault = Vault::new(Key::random(), Vec::new());
        assert_ne!(vault.seal(&place("1"), b"x"), vault.seal(&place("1"), b"x"));
    }
}
