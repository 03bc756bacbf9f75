//! Secrets that somebody gets once, by mail or on the screen. They have 256 random bits, so that a plain hash of them is enough to keep.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

const BYTES: usize = 32;

/// What a token is for. One that is for something else does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Makes the first owner.
    SetUp,
    /// Signs in without a password.
    MagicLink,
    ConfirmEmail,
    ResetPassword,
    Invitation,
}

impl Purpose {
    pub const ALL: [Self; 5] = [
        Self::SetUp,
        Self::MagicLink,
        Self::ConfirmEmail,
        Self::ResetPassword,
        Self::Invitation,
    ];

    /// As it is kept.
    pub fn word(self) -> &'static str {
        match self {
            Self::SetUp => "set_up",
            Self::MagicLink => "magic_link",
            Self::ConfirmEmail => "confirm_email",
            Self::ResetPassword => "reset_password",
            Self::Invitation => "invitation",
        }
    }

    /// How long it can be used.
    pub fn lifetime(self) -> Duration {
        const HOUR: u64 = 3_600;
        Duration::from_secs(match self {
            Self::MagicLink => HOUR / 4,
            Self::ResetPassword => HOUR,
            Self::SetUp | Self::ConfirmEmail => 24 * HOUR,
            Self::Invitation => 7 * 24 * HOUR,
        })
    }
}

/// SHA-256 of a token and its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// A new token, and what is kept of it.
pub fn new(purpose: Purpose) -> (SecretString, TokenHash) {
    let token = SecretString::from(URL_SAFE_NO_PAD.encode(rand::random::<[u8; BYTES]>()));
    let hash = digest(purpose, &token);
    (token, hash)
}

/// What is kept of a token that came back; nothing when it cannot be one.
pub fn hash(purpose: Purpose, token: &SecretString) -> Option<TokenHash> {
    let bytes = URL_SAFE_NO_PAD.decode(token.expose_secret()).ok()?;
    (bytes.len() == BYTES).then(|| digest(purpose, token))
}

fn digest(purpose: Purpose, token: &SecretString) -> TokenHash {
    let hash = Sha256::new()
        .chain_update(purpose.word())
        .chain_update([0])
        .chain_update(token.expose_secret())
        .finalize();
    TokenHash(hash.into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_for_its_purpose_alone() {
        let mut all = HashSet::new();
        for purpose in Purpose::ALL {
            let (token, kept) = new(purpose);
            assert_eq!(hash(purpose, &token), Some(kept));
            let others = Purpose::ALL.into_iter().filter(|p| *p != purpose);
            assert!(others.into_iter().all(|p| hash(p, &token) != Some(kept)));
            assert!(token.expose_secret().len() == 43, "fits an address");
            assert!(all.insert(kept));
        }
        for wrong in [
            "",
            "short",
            &"a".repeat(44),
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa+",
        ] {
            assert_eq!(hash(Purpose::MagicLink, &wrong.into()), None, "{wrong}");
        }
    }
}
