//! Signatures over the raw bytes of a body, as they came.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use dash_model::pipeline::SignatureScheme;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use secrecy::SecretString;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// What Standard Webhooks secrets begin with.
const SECRET_PREFIX: &str = "whsec_";
/// Signatures that one header may list: secrets being rotated, no more.
const MAX_SIGNATURES: usize = 16;
/// Padding may be missing: senders differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a body does not count as signed: 401. Says nothing about the signature that would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the header {0} is missing")]
    Missing(String),
    #[error("the header {0} is not a time in seconds since 1970")]
    BadTime(String),
    #[error(
        "the signed time is {seconds} s in the {direction}, {tolerance_s} s are allowed; check the sender's clock, or sign again"
    )]
    OutOfTime {
        seconds: u64,
        direction: &'static str,
        tolerance_s: u32,
    },
    #[error(
        "no signature of the header {0} fits this body and secret; sign the raw bytes of the body as they are sent"
    )]
    Mismatch(String),
    /// The stored secret cannot be used; the sender is not at fault.
    #[error("the signing secret of this pipeline is not whsec_ and base64")]
    BadSecret,
}

/// Makes a signing secret: `whsec_` and 32 random bytes in base64, usable with both schemes.
pub fn generate_signing_secret() -> SecretString {
    let mut random = [0; 32];
    rand::rng().fill_bytes(&mut random);
    format!("{SECRET_PREFIX}{}", STANDARD.encode(random)).into()
}

/// What is stored of a secret, and handed to [`verify`]: its text as it was shown, since the two schemes read it differently.
pub fn secret_bytes(secret: &str) -> Vec<u8> {
    secret.trim().as_bytes().to_vec()
}

/// Checks that `body` was signed with `secret` at a time near `now_s` (seconds since 1970).
///
/// `secret` is what [`secret_bytes`] made of the text that was shown. Standard Webhooks decodes what stands behind `whsec_`; [`SignatureScheme::HmacSha256`]
/// takes the bytes of the whole text as they are. `headers` answers a header's value by its lower-case name.
///
/// # Errors
/// [`SignatureError`]; all but `BadSecret` are the sender's.
pub fn verify<'h>(
    scheme: &SignatureScheme,
    secret: &[u8],
    headers: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
    now_s: i64,
) -> Result<(), SignatureError> {
    let header = |name: &str| {
        let found = headers(&name.to_ascii_lowercase()).map(str::trim);
        found
            .filter(|value| !value.is_empty())
            .ok_or_else(|| SignatureError::Missing(name.to_owned()))
    };
    match scheme {
        SignatureScheme::StandardWebhooks { tolerance_s } => {
            let (id, time, given) = (
                header("webhook-id")?,
                header("webhook-timestamp")?,
                header("webhook-signature")?,
            );
            check_time("webhook-timestamp", time, now_s, *tolerance_s)?;
            let key = std::str::from_utf8(secret)
                .ok()
                .map(|text| text.strip_prefix(SECRET_PREFIX).unwrap_or(text).trim())
                .and_then(|text| BASE64.decode(text).ok())
                .filter(|key| !key.is_empty())
                .ok_or(SignatureError::BadSecret)?;
            let tag = tag(&key, &[id.as_bytes(), b".", time.as_bytes(), b".", body]);
            let fits = given
                .split_ascii_whitespace()
                .take(MAX_SIGNATURES)
                .filter_map(|one| BASE64.decode(one.strip_prefix("v1,")?).ok())
                .any(|one| bool::from(one.ct_eq(&tag)));
            fits.then_some(())
                .ok_or_else(|| SignatureError::Mismatch("webhook-signature".into()))
        }
        SignatureScheme::HmacSha256 {
            header: name,
            timestamp_header,
            tolerance_s,
        } => {
            let (given, time) = (header(name)?, header(timestamp_header)?);
            check_time(timestamp_header, time, now_s, *tolerance_s)?;
            if secret.is_empty() {
                return Err(SignatureError::BadSecret);
            }
            let tag = tag(secret, &[time.as_bytes(), b".", body]);
            let given = hex::decode(given.strip_prefix("sha256=").unwrap_or(given)).unwrap_or_default();
            bool::from(given.ct_eq(&tag))
                .then_some(())
                .ok_or_else(|| SignatureError::Mismatch(name.clone()))
        }
    }
}

fn tag(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn check_time(name: &str, text: &str, now_s: i64, tolerance_s: u32) -> Result<(), SignatureError> {
    let plain = text.len() <= 19 && text.bytes().all(|b| b.is_ascii_digit());
    let signed: i64 = plain
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| SignatureError::BadTime(name.to_owned()))?;
    let seconds = signed.abs_diff(now_s);
    if seconds > u64::from(tolerance_s) {
        return Err(SignatureError::OutOfTime {
            seconds,
            direction: if signed < now_s { "past" } else { "future" },
            tolerance_s,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    type Headers = HashMap<String, String>;

    fn check(
        scheme: &SignatureScheme,
        secret: &str,
        headers: &Headers,
        body: &[u8],
        now_s: i64,
    ) -> Result<(), SignatureError> {
        verify(
            scheme,
            secret.as_bytes(),
            |n| headers.get(n).map(String::as_str),
            body,
            now_s,
        )
    }

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    const STANDARD_SCHEME: SignatureScheme = SignatureScheme::StandardWebhooks { tolerance_s: 300 };
    const NOW: i64 = 1_614_265_330;

    /// The vector that the reference libraries of Standard Webhooks are tested with.
    fn vector(signature: &str) -> (&'static str, Headers, &'static [u8]) {
        let headers = headers(&[
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", signature),
        ]);
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            headers,
            br#"{"test": 2432232314}"#,
        )
    }

    const RIGHT: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_published_vector_passes() {
        let wrong =
            "v1,bm9wZQ== v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        for signature in [
            RIGHT.to_owned(),
            format!("{wrong} {RIGHT}"),
            RIGHT.trim_end_matches('=').to_owned(),
        ] {
            let (secret, headers, body) = vector(&signature);
            assert_eq!(
                check(&STANDARD_SCHEME, secret, &headers, body, NOW),
                Ok(()),
                "{signature}"
            );
            let bare = secret.trim_start_matches("whsec_");
            assert_eq!(check(&STANDARD_SCHEME, bare, &headers, body, NOW), Ok(()));
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_and_the_right_signature_is_not() {
        let (secret, good, body) = vector(RIGHT);
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut less = good.clone();
            less.remove(name);
            assert_eq!(
                check(&STANDARD_SCHEME, secret, &less, body, NOW),
                Err(SignatureError::Missing(name.into()))
            );
        }
        for time in ["", "soon", "-1", "1614265330.0", "99999999999999999999"] {
            let mut odd = good.clone();
            odd.insert("webhook-timestamp".into(), time.into());
            assert!(check(&STANDARD_SCHEME, secret, &odd, body, NOW).is_err(), "{time}");
        }
        for signature in [
            "v1,bm9wZQ==",
            "v1,",
            &RIGHT[3..],
            &RIGHT.replace("v1", "v2"),
            &RIGHT.replace("g0", "g1"),
        ] {
            let (_, headers, _) = vector(signature);
            let error = check(&STANDARD_SCHEME, secret, &headers, body, NOW).expect_err(signature);
            assert_eq!(error, SignatureError::Mismatch("webhook-signature".into()));
            assert!(!error.to_string().contains("g0hM"));
        }
        assert_eq!(
            check(&STANDARD_SCHEME, "whsec_?", &good, body, NOW),
            Err(SignatureError::BadSecret)
        );
    }

    #[test]
    fn the_time_may_be_off_by_the_tolerance_both_ways() {
        let (secret, good, body) = vector(RIGHT);
        for (offset, passes) in [(300, true), (-300, true), (301, false), (-301, false)] {
            assert_eq!(
                check(&STANDARD_SCHEME, secret, &good, body, NOW + offset).is_ok(),
                passes,
                "{offset}"
            );
        }
        assert!(check(&STANDARD_SCHEME, secret, &good, body, i64::MIN).is_err());
    }

    fn hmac_scheme() -> SignatureScheme {
        SignatureScheme::HmacSha256 {
            header: "X-Signature".into(),
            timestamp_header: "X-Timestamp".into(),
            tolerance_s: 60,
        }
    }

    #[test]
    fn hmac_sha256_of_openssl_passes() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
        let hex = "49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686";
        for given in [hex.to_owned(), hex.to_uppercase(), format!("sha256={hex}")] {
            let headers = headers(&[("x-signature", &given), ("x-timestamp", "1700000000")]);
            assert_eq!(
                check(&hmac_scheme(), "secret", &headers, br#"{"a":1}"#, 1_700_000_030),
                Ok(()),
                "{given}"
            );
            assert!(check(&hmac_scheme(), "Secret", &headers, br#"{"a":1}"#, 1_700_000_030).is_err());
            assert!(check(&hmac_scheme(), "", &headers, br#"{"a":1}"#, 1_700_000_030).is_err());
        }
    }

    #[test]
    fn a_generated_secret_works_with_both_schemes() {
        let secret = generate_signing_secret();
        let secret = secret.expose_secret();
        assert_eq!(secret_bytes(secret), secret.as_bytes());
        let key = STANDARD.decode(&secret[6..]).expect("base64");
        assert_eq!(key.len(), 32);
        let given = format!("v1,{}", STANDARD.encode(tag(&key, &[b"id.1.body"])));
        let standard = headers(&[
            ("webhook-id", "id"),
            ("webhook-timestamp", "1"),
            ("webhook-signature", &given),
        ]);
        assert_eq!(check(&STANDARD_SCHEME, secret, &standard, b"body", 1), Ok(()));
        let given = hex::encode(tag(secret.as_bytes(), &[b"1.body"]));
        let plain = headers(&[("x-signature", &given), ("x-timestamp", "1")]);
        assert_eq!(check(&hmac_scheme(), secret, &plain, b"body", 1), Ok(()));
    }

    proptest! {
        #[test]
        fn any_flipped_bit_of_the_body_is_refused(body in proptest::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0u8..8) {
            let given = hex::encode(tag(b"secret", &[b"1.", &body]));
            let headers = headers(&[("x-signature", &given), ("x-timestamp", "1")]);
            prop_assert_eq!(check(&hmac_scheme(), "secret", &headers, &body, 1), Ok(()));
            let mut other = body.clone();
            other[at.index(body.len())] ^= 1 << bit;
            prop_assert!(check(&hmac_scheme(), "secret", &headers, &other, 1).is_err());
        }

        #[test]
        fn any_flipped_bit_of_the_signature_is_refused(at in 0usize..32, bit in 0u8..8) {
            let (secret, _, body) = vector(RIGHT);
            let mut bytes = STANDARD.decode(&RIGHT[3..]).expect("base64");
            bytes[at] ^= 1 << bit;
            let (_, headers, _) = vector(&format!("v1,{}", STANDARD.encode(bytes)));
            prop_assert!(check(&STANDARD_SCHEME, secret, &headers, body, NOW).is_err());
        }

        #[test]
        fn any_headers_are_refused_without_a_panic(id in ".*", time in ".*", signature in ".*") {
            let headers = headers(&[("webhook-id", &id), ("webhook-timestamp", &time), ("webhook-signature", &signature)]);
            prop_assert!(check(&STANDARD_SCHEME, "whsec_c2VjcmV0", &headers, b"x", NOW).is_err());
        }
    }
}
