//! Passwords: which are taken, and how they are kept.
//!
//! Argon2id with the parameters of the [OWASP cheat sheet](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id):
//! 19 MiB, two passes, one lane. A hash takes some 20 ms of a core, so only so many are computed at one time; who comes then waits.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use zxcvbn::{Score, zxcvbn};

use crate::email::Email;

/// Characters.
pub const SHORTEST: usize = 10;
pub const LONGEST: usize = 128;

/// Why a password is not taken. Never holds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("password: at least {SHORTEST} characters are needed")]
    Short,
    #[error("password: at most {LONGEST} characters are allowed")]
    Long,
    /// Known from breaches, made of a common word, a name, a date or a row of keys.
    #[error(
        "password: it is too easy to guess ({reason}); take a longer one, such as four words that have nothing to do with each other"
    )]
    Guessable { reason: String },
    #[error("the password could not be checked: {reason}")]
    Failed { reason: String },
}

/// Checks a password that somebody wants to have. `about` is what is known of them: name, organization.
///
/// # Errors
/// [`PasswordError::Short`], [`PasswordError::Long`], [`PasswordError::Guessable`].
pub fn check(password: &SecretString, email: &Email, about: &[&str]) -> Result<(), PasswordError> {
    let text = password.expose_secret();
    match text.chars().count() {
        n if n < SHORTEST => return Err(PasswordError::Short),
        n if n > LONGEST => return Err(PasswordError::Long),
        _ => {}
    }
    let known = words_about(email, about);
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let estimate = zxcvbn(text, &known);
    if estimate.score() < Score::Three {
        let warning = estimate.feedback().and_then(|f| f.warning());
        return Err(PasswordError::Guessable {
            reason: warning.map_or_else(
                || "few guesses find it".to_owned(),
                |w| w.to_string().trim_end_matches('.').to_lowercase(),
            ),
        });
    }
    Ok(())
}

/// Whole, without what is between words, and word by word.
fn words_about(email: &Email, about: &[&str]) -> Vec<String> {
    let mut words = vec!["dash".to_owned()];
    for text in std::iter::once(email.as_str()).chain(about.iter().copied()) {
        let text = text.to_lowercase();
        let parts: Vec<&str> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| w.chars().count() > 2)
            .collect();
        words.push(parts.concat());
        // Of an address: name and surname together are what people take.
        let local = text.split('@').next().unwrap_or_default();
        words.push(local.to_owned());
        words.push(local.chars().filter(|c| c.is_alphanumeric()).collect());
        words.extend(parts.into_iter().map(str::to_owned));
        words.push(text);
    }
    words
}

/// Makes and checks hashes. Cheap to clone.
#[derive(Clone)]
pub struct Hasher {
    argon: Argon2<'static>,
    slots: Arc<Semaphore>,
    /// Of a password that nobody has: what an unknown address is checked against, so that it takes as long as a known one.
    nobody: Arc<str>,
}

/// What checking a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    Wrong,
    Right {
        /// It was hashed with other parameters than today's: hash it anew, now that it is known.
        outdated: bool,
    },
}

impl Hasher {
    /// With so many hashes at one time; each needs 19 MiB.
    ///
    /// # Errors
    /// [`PasswordError::Failed`] when the machine has no random numbers.
    pub fn new(at_once: usize) -> Result<Self, PasswordError> {
        Self::with(Params::new(19 * 1_024, 2, 1, Some(32)).map_err(failed)?, at_once)
    }

    fn with(params: Params, at_once: usize) -> Result<Self, PasswordError> {
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = argon.hash_password(&rand::random::<[u8; 32]>()).map_err(failed)?;
        Ok(Self {
            nobody: nobody.to_string().into(),
            argon,
            slots: Arc::new(Semaphore::new(at_once.max(1))),
        })
    }

    /// A PHC string, with a salt of its own.
    ///
    /// # Errors
    /// [`PasswordError::Failed`]
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        let argon = self.argon.clone();
        let hash = move || {
            argon
                .hash_password(password.expose_secret().as_bytes())
                .map(|h| h.to_string())
        };
        self.on_pool(hash).await?.map_err(failed)
    }

    /// Checks against a stored hash; against none it takes as long and is wrong.
    ///
    /// # Errors
    /// [`PasswordError::Failed`], also for a stored hash that cannot be read.
    pub async fn verify(&self, password: SecretString, stored: Option<String>) -> Result<Checked, PasswordError> {
        let (argon, known) = (self.argon.clone(), stored.is_some());
        let stored = stored.unwrap_or_else(|| self.nobody.to_string());
        let check = move || {
            let hash = PasswordHash::new(&stored).map_err(failed)?;
            let right = argon
                .verify_password(password.expose_secret().as_bytes(), &hash)
                .is_ok();
            let outdated = Params::try_from(&hash).ok().as_ref() != Some(argon.params());
            Ok(match right && known {
                true => Checked::Right { outdated },
                false => Checked::Wrong,
            })
        };
        self.on_pool(check).await?
    }

    async fn on_pool<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(failed)?;
        let task = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(slot);
            done
        });
        task.await.map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> PasswordError {
    PasswordError::Failed {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn email() -> Email {
        "ada.lovelace@example.org".parse().expect("an address")
    }

    fn checked(password: &str) -> Result<(), PasswordError> {
        check(&password.into(), &email(), &["Ada Lovelace", "Analytical Engines"])
    }

    #[test]
    fn what_is_easy_to_guess_is_not_taken() {
        assert_eq!(checked("short"), Err(PasswordError::Short));
        assert_eq!(checked(&"long ".repeat(30)), Err(PasswordError::Long));
        for guessable in [
            "password123",
            "1234567890",
            "qwertyuiop",
            "aaaaaaaaaaaa",
            "ada.lovelace1",
            "AdaLovelace!",
            "analyticalengines",
            "1815-12-10",
        ] {
            let error = checked(guessable).expect_err(guessable);
            assert!(matches!(error, PasswordError::Guessable { .. }), "{guessable}: {error}");
            assert!(!error.to_string().contains(guessable));
        }
        for good in ["tulip anvil gravel moth", "fh9!kWq2#mZx", "Schraubenzieher am Dienstag"] {
            assert_eq!(checked(good), Ok(()), "{good}");
        }
    }

    #[tokio::test]
    async fn a_hash_is_of_its_password_and_salted() {
        let hasher = Hasher::new(2).expect("random numbers");
        let (one, two) = (
            hasher.hash("tulip anvil".into()).await,
            hasher.hash("tulip anvil".into()).await,
        );
        let (one, two) = (one.expect("hashed"), two.expect("hashed"));
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        let verify = |password: &str, stored: &str| hasher.verify(password.into(), Some(stored.to_owned()));
        assert_eq!(
            verify("tulip anvil", &one).await,
            Ok(Checked::Right { outdated: false })
        );
        assert_eq!(verify("tulip anvil ", &one).await, Ok(Checked::Wrong));
        assert!(matches!(
            verify("tulip anvil", "nonsense").await,
            Err(PasswordError::Failed { .. })
        ));
    }

    #[tokio::test]
    async fn hashes_of_other_parameters_are_right_and_outdated() {
        let weak = Hasher::with(Params::new(8 * 1_024, 1, 1, None).expect("parameters"), 1).expect("random numbers");
        let stored = weak.hash("tulip anvil".into()).await.expect("hashed");
        let today = Hasher::new(1).expect("random numbers");
        let checked = today.verify("tulip anvil".into(), Some(stored)).await;
        assert_eq!(checked, Ok(Checked::Right { outdated: true }));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_unknown_address_is_wrong_after_the_same_work() {
        let hasher = Hasher::new(1).expect("random numbers");
        let stored = hasher.hash("tulip anvil".into()).await.expect("hashed");
        let mut took = [Duration::MAX; 2];
        for _ in 0..5 {
            for (took, stored) in took.iter_mut().zip([Some(stored.clone()), None]) {
                let begun = Instant::now();
                assert_eq!(hasher.verify("wrong".into(), stored).await, Ok(Checked::Wrong));
                *took = begun.elapsed().min(*took);
            }
        }
        // The least of five of each: not a measurement, but a look-up without a hash would be a thousand times faster.
        assert!(took[1] * 10 > took[0], "{took:?}");
    }
}
