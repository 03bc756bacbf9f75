//! People: what their ports ([`crate::ports`]) share.

mod enter;
pub mod export;
pub mod post;
pub mod quotas;
pub mod set_up;
pub mod sso;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use app::{
    AppError,
    model::people::{Provider, Ways},
};
use dash_accounts::{
    email::Email,
    password::{self, Hasher, PasswordError},
};
use dash_db::{Db, store};
use dash_model::{DEFAULT_ORGANIZATION, people::Limit};
use dash_passkey::Passkeys;
use dash_sso::Providers;
use secrecy::SecretString;

pub use self::{
    enter::{LONG, begin, enter, enter_or_ask, take},
    quotas::Quotas,
};
use crate::{config::Config, failure::Failure};

/// Hashes of passwords at one time: each takes 19 MiB and a processor.
const HASHES_AT_ONCE: usize = 2;
/// Characters of a name.
const LONGEST_NAME: usize = 80;

/// Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pub hasher: Hasher,
    /// OpenID Connect, where there is some.
    pub providers: Option<Arc<Providers>>,
    /// Where the server has a name that passkeys can be for.
    pub passkeys: Option<Passkeys>,
    config: Arc<Config>,
    /// The first organization has an owner: from then on that stays so.
    has_owner: Arc<AtomicBool>,
}

impl Accounts {
    pub fn new(config: Arc<Config>) -> Result<Self, Failure> {
        let hasher = Hasher::new(HASHES_AT_ONCE).map_err(|e| Failure::internal(e.to_string()))?;
        Ok(Self {
            hasher,
            providers: sso::providers(&config.accounts)?,
            passkeys: Passkeys::new(&config.accounts.url)
                .inspect_err(|error| tracing::info!(%error, "passkeys are off"))
                .ok(),
            config,
            has_owner: Arc::default(),
        })
    }

    /// What is offered to those who are not signed in.
    pub async fn ways(&self, db: &Db) -> Result<Ways, Failure> {
        use crate::config::Mail;
        let accounts = &self.config.accounts;
        let providers = accounts.providers.iter().map(|p| Provider {
            slug: p.slug.clone(),
            name: p.name.clone(),
        });
        Ok(Ways {
            set_up: self.needs_set_up(db).await?,
            sign_up: accounts.sign_up,
            mail: !matches!(accounts.mail, Mail::None),
            mailbox: matches!(accounts.mail, Mail::Mailbox),
            passkeys: self.passkeys.is_some(),
            providers: providers.collect(),
        })
    }

    /// Whether the first organization waits for its owner. That somebody signed up by themselves does not make them one.
    pub async fn needs_set_up(&self, db: &Db) -> Result<bool, Failure> {
        if self.has_owner.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let has = store::members::has_owner(&mut *db.diesel().await?, DEFAULT_ORGANIZATION).await?;
        self.has_owner.store(has, Ordering::Relaxed);
        Ok(!has)
    }

    /// Looks again whether there is an owner.
    pub fn forget(&self) {
        self.has_owner.store(false, Ordering::Relaxed);
    }

    /// A password that somebody wants to have, checked and hashed.
    pub async fn new_password(&self, password: String, email: &Email, name: &str) -> Result<String, Failure> {
        let password = SecretString::from(password);
        password::check(&password, email, &[name]).map_err(|e| of_password(&e))?;
        Ok(self.hasher.hash(password).await.map_err(|e| of_password(&e))?)
    }
}

fn of_password(error: &PasswordError) -> AppError {
    match error {
        PasswordError::Failed { .. } => {
            tracing::error!(%error, "a password could not be hashed");
            AppError::Internal
        }
        other => invalid("password", other.to_string().trim_start_matches("password: ")),
    }
}

/// An address as somebody typed it.
pub fn email(text: &str) -> Result<Email, AppError> {
    text.parse()
        .map_err(|e: dash_accounts::email::EmailError| invalid("email", e.to_string().trim_start_matches("email: ")))
}

/// A name of a person, an organization, a team or a key: one line that shows.
pub fn name(text: &str) -> Result<String, AppError> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() {
        return Err(invalid("name", "it must not be empty"));
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(invalid(
            "name",
            &format!("at most {LONGEST_NAME} characters are allowed"),
        ));
    }
    // Such as those that turn the direction of a line, and with it who wrote what.
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if text.chars().any(hidden) {
        return Err(invalid("name", "characters that do not show are not allowed"));
    }
    Ok(text)
}

pub fn invalid(field: &str, reason: &str) -> AppError {
    AppError::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}

/// Refuses what would go beyond a limit.
pub fn within(limit: &Limit) -> Result<(), AppError> {
    match limit.is_reached() {
        false => Ok(()),
        true => Err(AppError::Limit {
            limit: format!("{} {}", limit.allowed.unwrap_or_default(), limit.what.words()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_shows() {
        assert_eq!(name("  Ada \t Lovelace\r\n").as_deref(), Ok("Ada Lovelace"));
        for bad in ["", " \n", "a\u{202e}b", "a\u{0}b", "x\u{200b}", &"x".repeat(81)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_limit_is_named_when_it_is_reached() {
        let limit = Limit {
            what: dash_model::people::Limited::Members,
            used: 5,
            allowed: Some(5),
        };
        let words = within(&limit).expect_err("reached").to_string();
        assert!(words.contains("5 members"), "{words}");
    }
}
