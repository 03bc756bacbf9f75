//! A second factor: codes by [RFC 6238](https://www.rfc-editor.org/rfc/rfc6238) (SHA-1, six digits, 30 s, as every app knows them), and recovery
//! codes for when the device is gone.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256};
use totp_rs::{Algorithm, Builder, Totp};

use crate::email::Email;

/// Bytes of a secret, as RFC 4226 recommends.
const SECRET: usize = 20;
/// Codes of so many steps before and after now count: clocks differ, and people type slowly.
const SKEW: u16 = 1;
/// Recovery codes of a person.
const CODES: usize = 10;
/// Five bits each: 50 bits in a code, each of which can be tried once and only after the password.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const LENGTH: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the second factor cannot be used: {reason}")]
pub struct SecondFactorError {
    reason: String,
}

/// What is kept, sealed.
pub fn new_secret() -> SecretSlice<u8> {
    SecretSlice::from(rand::random::<[u8; SECRET]>().to_vec())
}

/// What the app is told, as an address that is shown as a picture and as text.
///
/// # Errors
/// When the secret is not one of [`new_secret`].
pub fn address(secret: &SecretSlice<u8>, email: &Email) -> Result<SecretString, SecondFactorError> {
    // A colon separates issuer and account there.
    Ok(totp(secret, &email.as_str().replace(':', "_"))?
        .to_url()
        .map_err(failed)?
        .into())
}

/// The secret as people type it into an app that takes no picture: base32.
///
/// # Errors
/// When the secret is not one of [`new_secret`].
pub fn text(secret: &SecretSlice<u8>) -> Result<SecretString, SecondFactorError> {
    let address = totp(secret, "x")?.to_url().map_err(failed)?;
    let (_, rest) = address
        .split_once("secret=")
        .ok_or_else(|| failed("an address without a secret"))?;
    Ok(rest.split('&').next().unwrap_or_default().into())
}

/// The step that a code is of, if it is one of now (seconds since 1970). A code counts once: `last` is the step of the last that did, and
/// neither it nor an earlier one counts again.
///
/// # Errors
/// When the secret is not one of [`new_secret`].
pub fn check(
    secret: &SecretSlice<u8>,
    code: &str,
    now: u64,
    last: Option<u64>,
) -> Result<Option<u64>, SecondFactorError> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let step = totp(secret, "x")?.check(&code, now);
    Ok(step.filter(|step| last.is_none_or(|last| *step > last)))
}

fn totp(secret: &SecretSlice<u8>, account: &str) -> Result<Totp, SecondFactorError> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(30)
        .with_secret(secret.expose_secret().to_vec())
        .with_issuer(Some("Dash"))
        .with_account_name(account)
        .build()
        .map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> SecondFactorError {
    SecondFactorError {
        reason: error.to_string(),
    }
}

/// A set of recovery codes, to be shown once, and what is kept of each.
pub fn recovery_codes() -> Vec<(SecretString, [u8; 32])> {
    let code = |_| {
        let random: [u8; LENGTH] = rand::random();
        let letters: String = random
            .iter()
            .map(|b| char::from(LETTERS[usize::from(b % 32)]))
            .collect();
        let hash = Sha256::digest(&letters).into();
        // Halves are easier to copy.
        let (a, b) = letters.split_at(LENGTH / 2);
        (SecretString::from(format!("{a}-{b}")), hash)
    };
    (0..CODES).map(code).collect()
}

/// What is kept of a code as somebody types it.
pub fn recovery_hash(code: &SecretString) -> [u8; 32] {
    let letters = code.expose_secret().chars().filter(|c| c.is_alphanumeric());
    let letters: String = letters.flat_map(char::to_lowercase).collect();
    Sha256::digest(letters).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix B of RFC 6238, the last six digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = SecretSlice::from(b"12345678901234567890".to_vec());
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(check(&secret, code, time, None), Ok(Some(time / 30)), "{time}");
            assert_eq!(
                check(&secret, &format!("{} {}", &code[..3], &code[3..]), time, None),
                Ok(Some(time / 30))
            );
            assert_eq!(
                check(&secret, code, time + 30, None),
                Ok(Some(time / 30)),
                "one step late"
            );
            assert_eq!(check(&secret, code, time + 90, None), Ok(None), "too late");
            assert_eq!(check(&secret, code, time, Some(time / 30)), Ok(None), "a second time");
            assert_eq!(check(&secret, code, time, Some(time / 30 - 1)), Ok(Some(time / 30)));
        }
        for wrong in ["", "28708", "2870822", "28708a", "２８７０８２"] {
            assert_eq!(check(&secret, wrong, 59, None), Ok(None), "{wrong}");
        }
    }

    #[test]
    fn an_app_is_told_secret_issuer_and_account() {
        let address = address(&new_secret(), &"ada@example.org".parse().expect("an address")).expect("an address");
        let text = address.expose_secret();
        assert!(
            text.starts_with("otpauth://totp/Dash:ada%40example.org?secret="),
            "{text}"
        );
        assert!(text.contains("issuer=Dash"), "{text}");
        // Base32 writes five zero bits as A.
        let zeros = super::text(&SecretSlice::from(vec![0; 20])).expect("text");
        assert_eq!(zeros.expose_secret(), "A".repeat(32));
        assert!(check(&SecretSlice::from(vec![1, 2, 3]), "123456", 0, None).is_err());
    }

    #[test]
    fn recovery_codes_are_known_however_they_are_typed() {
        let codes = recovery_codes();
        assert_eq!(codes.len(), CODES);
        for (code, kept) in &codes {
            let text = code.expose_secret();
            assert_eq!(text.len(), LENGTH + 1);
            for typed in [
                text.to_owned(),
                text.to_uppercase(),
                text.replace('-', " "),
                format!(" {text}\n"),
            ] {
                assert_eq!(recovery_hash(&typed.into()), *kept);
            }
        }
        let different: std::collections::HashSet<_> = codes.iter().map(|c| c.1).collect();
        assert_eq!(different.len(), CODES);
    }
}
