//! Keys of programs: `dash_<public>_<secret>`.
//!
//! The public part names the key in lists and logs and finds its row; the secret part has 256 random bits and is kept as a hash. The
//! prefix lets scanners of source code find keys that were committed by mistake.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PREFIX: &str = "dash_";
/// Letters of the public part.
const PUBLIC: usize = 12;
const SECRET_BYTES: usize = 32;
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A key as its owner holds it; the only copy.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub whole: SecretString,
    pub kept: KeptKey,
}

/// What is kept of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptKey {
    /// By which it is found and named.
    pub public: String,
    pub hash: [u8; 32],
}

/// A key as it came with a request.
#[derive(Clone, Debug)]
pub struct PresentedKey {
    pub public: String,
    hash: [u8; 32],
}

pub fn new() -> NewKey {
    let random: [u8; PUBLIC] = rand::random();
    let public: String = random
        .iter()
        .map(|b| char::from(LETTERS[usize::from(b % 32)]))
        .collect();
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; SECRET_BYTES]>());
    let whole = SecretString::from(format!("{PREFIX}{public}_{secret}"));
    let hash = digest(&whole);
    NewKey {
        whole,
        kept: KeptKey { public, hash },
    }
}

impl PresentedKey {
    /// Nothing when it does not have the form of a key.
    pub fn read(whole: &SecretString) -> Option<Self> {
        let rest = whole.expose_secret().strip_prefix(PREFIX)?;
        let (public, secret) = rest.split_at_checked(PUBLIC)?;
        let secret = secret.strip_prefix('_')?;
        let letters = public.bytes().all(|b| LETTERS.contains(&b));
        let length = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|s| s.len() == SECRET_BYTES);
        (letters && length).then(|| Self {
            public: public.to_owned(),
            hash: digest(whole),
        })
    }

    /// In a time that does not tell how much of it is right.
    pub fn is(&self, kept: &KeptKey) -> bool {
        self.hash.ct_eq(&kept.hash).into()
    }
}

fn digest(whole: &SecretString) -> [u8; 32] {
    Sha256::digest(whole.expose_secret()).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_is_itself_and_no_other() {
        let (one, two) = (new(), new());
        let shown = PresentedKey::read(&one.whole).expect("a key");
        assert_eq!(shown.public, one.kept.public);
        assert!(shown.is(&one.kept) && !shown.is(&two.kept));
        assert!(!format!("{one:?} {shown:?}").contains(one.whole.expose_secret()));
    }

    proptest! {
        #[test]
        fn a_key_with_another_letter_is_none_or_another(at in 0usize..61, letter in "[ -~]") {
            let key = new();
            let mut changed: Vec<char> = key.whole.expose_secret().chars().collect();
            let letter = letter.chars().next().expect("one");
            prop_assume!(changed[at] != letter);
            changed[at] = letter;
            let changed: String = changed.into_iter().collect();
            let shown = PresentedKey::read(&changed.into());
            prop_assert!(shown.is_none_or(|shown| !shown.is(&key.kept)));
        }

        #[test]
        fn whatever_is_presented_is_read_or_not(text in "\\PC{0,80}") {
            let _ = PresentedKey::read(&text.into());
        }
    }
}
