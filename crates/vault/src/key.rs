//! Keys of 256 bits, as people write them.

use std::{collections::HashSet, fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

const BYTES: usize = 32;
pub(crate) const ID: usize = 8;
/// Different bytes in a key that came out of a random generator: fewer happen once in 10^15 keys.
const DIFFERENT: usize = 16;

/// Wiped from memory when it is dropped; never printed.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; BYTES]);

/// Tells keys apart and says nothing of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) [u8; ID]);

/// What is wrong with a key, without the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("it is neither 64 hexadecimal digits nor the base64 of 32 bytes")]
    Length,
    #[error("it is not random: it has only {0} different bytes of 32")]
    Guessable(usize),
}

impl Key {
    pub fn random() -> Self {
        Self(rand::random())
    }

    pub fn id(&self) -> KeyId {
        let hash = Sha256::new()
            .chain_update(b"dash key id")
            .chain_update(self.0)
            .finalize();
        let mut id = [0; ID];
        id.copy_from_slice(&hash[..ID]);
        KeyId(id)
    }

    /// 64 hexadecimal digits, which parse to this key.
    pub fn to_hex(&self) -> SecretString {
        hex::encode(self.0).into()
    }

    pub(crate) fn bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let unpadded = text.trim_end_matches('=');
        let decoded = hex::decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(unpadded))
            .or_else(|_| URL_SAFE_NO_PAD.decode(unpadded));
        let mut decoded = decoded.map_err(|_| KeyError::Length)?;
        let key = <[u8; BYTES]>::try_from(&decoded[..]).map(Self);
        decoded.zeroize();
        let key = key.map_err(|_| KeyError::Length)?;
        // Zeros, counted-up bytes, a word repeated, and text: all that documentation is full of, and what is made up by hand.
        let different = key.0.iter().collect::<HashSet<_>>().len();
        let text = key.0.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
        let steps: HashSet<u8> = key.0.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
        if different < DIFFERENT || text || steps.len() < DIFFERENT / 2 {
            return Err(KeyError::Guessable(if steps.len() == 1 { 1 } else { different }));
        }
        Ok(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn keys_are_read_as_hex_and_as_base64() {
        for _ in 0..1_000 {
            let key = Key::random();
            let hex = key.to_hex().expose_secret().to_owned();
            assert_eq!(hex.parse(), Ok(key.clone()));
            assert_eq!(format!(" {}\n", hex.to_uppercase()).parse(), Ok(key.clone()));
            assert_eq!(STANDARD_NO_PAD.encode(key.bytes()).parse(), Ok(key.clone()));
            assert_eq!(format!("{}=", URL_SAFE_NO_PAD.encode(key.bytes())).parse(), Ok(key));
        }
    }

    #[test]
    fn short_and_made_up_keys_are_refused() {
        for text in [
            "",
            "changeme",
            "00",
            &"ab".repeat(31),
            &"ab".repeat(33),
            "not base64 at all!",
        ] {
            assert_eq!(text.parse::<Key>(), Err(KeyError::Length), "{text}");
        }
        let counted: Vec<u8> = (0..32).collect();
        let words = *b"correct horse battery staple 123";
        for bytes in [
            &[0_u8; 32][..],
            &[0xAB; 32],
            &b"0123456789abcde\xff".repeat(2),
            &counted,
            &words,
        ] {
            let error = hex::encode(bytes).parse::<Key>().expect_err("made up");
            assert!(matches!(error, KeyError::Guessable(_)), "{bytes:?}");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = Key::random();
        let hex = key.to_hex();
        assert!(!format!("{key:?} {hex:?}").contains(hex.expose_secret()));
    }
}
