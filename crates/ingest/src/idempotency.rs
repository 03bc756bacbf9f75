//! What makes a repeated request harmless: its key and the hash of its body.

use sha2::{Digest, Sha256};

use crate::IngestError;

/// Longest key, in bytes.
pub const MAX_LENGTH: usize = 255;

/// The value of an `Idempotency-Key` (or `webhook-id`) header: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads the header's value.
    ///
    /// # Errors
    /// [`IngestError::InvalidKey`], which says what is allowed.
    pub fn new(header: &str) -> Result<Self, IngestError> {
        match header.trim() {
            "" => Err(IngestError::InvalidKey("is empty")),
            long if long.len() > MAX_LENGTH => Err(IngestError::InvalidKey("is longer than 255 characters")),
            key if !key.bytes().all(|b| b.is_ascii_graphic()) => Err(IngestError::InvalidKey("has other characters")),
            key => Ok(Self(key.to_owned())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of the body as it came over the wire: the same key with another hash is a conflict.
pub fn body_hash(raw: &[u8]) -> [u8; 32] {
    Sha256::digest(raw).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_1_to_255_visible_characters() {
        let longest = "x".repeat(255);
        for key in ["a", "8b6e-\"quoted\"~!", longest.as_str()] {
            assert_eq!(IdempotencyKey::new(key).as_ref().map(IdempotencyKey::as_str), Ok(key));
        }
        for key in ["", "  ", "a b", "ä", "a\u{7f}", "x".repeat(256).as_str()] {
            let problem = IdempotencyKey::new(key).expect_err(key).problem();
            assert_eq!(problem.status(), 400);
            assert!(problem.detail.contains("1 to 255"), "{}", problem.detail);
        }
    }
}
