//! How often something may be tried.

use std::{hash::Hash, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use app::AppError;
use dash_accounts::token::Purpose;
use dash_model::{PipelineId, UserId};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use uuid::Uuid;

use super::network::sender;
use crate::config;

/// Cheap to clone.
#[derive(Clone)]
pub struct Rates(Arc<Inner>);

struct Inner {
    /// Ways in, by where they are tried from.
    from: Limiter<IpAddr>,
    /// Passwords of an account, from devices where nobody has signed in to it. Devices where somebody has are counted apart: whoever guesses
    /// passwords of somebody else cannot lock them out there, and a link by mail always lets them in.
    account: Limiter<String>,
    device: Limiter<UserId>,
    /// Codes of the second factor.
    code: Limiter<UserId>,
    /// Letters to an address, by what they are for: whoever signs up with the address of somebody else, again and again, does not keep the
    /// links from them that they ask for.
    letters: Limiter<(Purpose, String)>,
    /// Invitations by a person, to whomever.
    invitations: Limiter<UserId>,
    /// Organizations that a person makes.
    organizations: Limiter<UserId>,
    /// Keys and signatures that were wrong, by where they come from.
    wrong_keys: Limiter<IpAddr>,
    ingest: Option<Limiter<PipelineId>>,
    api: Option<Limiter<Uuid>>,
}

impl Rates {
    pub fn new(config: config::Rates) -> Self {
        let per_second = |n: u32| Quota::per_second(nonzero(n));
        Self(Arc::new(Inner {
            from: Limiter::new(Quota::per_minute(nonzero(60))),
            account: Limiter::new(few(Duration::from_secs(60), 10)),
            device: Limiter::new(few(Duration::from_secs(30), 20)),
            code: Limiter::new(few(Duration::from_secs(60), 8)),
            letters: Limiter::new(few(Duration::from_secs(180), 5)),
            invitations: Limiter::new(few(Duration::from_secs(120), 30)),
            organizations: Limiter::new(few(Duration::from_secs(600), 5)),
            wrong_keys: Limiter::new(Quota::per_minute(nonzero(300))),
            ingest: config.ingest.map(|n| Limiter::new(per_second(n))),
            api: config.api.map(|n| Limiter::new(per_second(n))),
        }))
    }

    /// A way in is tried.
    pub fn way_in(&self, address: Option<IpAddr>) -> Result<(), AppError> {
        address.map_or(Ok(()), |ip| self.0.from.check(&sender(ip)))
    }

    /// A password is tried; `known` is whose device it is.
    pub fn password(&self, email_key: &str, known: Option<UserId>) -> Result<(), AppError> {
        match known {
            Some(user) => self.0.device.check(&user),
            None => self.0.account.check(&email_key.to_owned()),
        }
    }

    pub fn code(&self, user: UserId) -> Result<(), AppError> {
        self.0.code.check(&user)
    }

    /// A letter is asked for, to this address.
    pub fn letter(&self, purpose: Purpose, email_key: &str) -> Result<(), AppError> {
        self.0.letters.check(&(purpose, email_key.to_owned()))
    }

    /// Somebody invites.
    pub fn invitation(&self, by: UserId) -> Result<(), AppError> {
        self.0.invitations.check(&by)
    }

    /// Somebody makes an organization.
    pub fn organization(&self, by: UserId) -> Result<(), AppError> {
        self.0.organizations.check(&by)
    }

    /// A key or a signature was wrong, or none came where one is needed.
    pub fn wrong_key(&self, address: Option<IpAddr>) -> Result<(), AppError> {
        address.map_or(Ok(()), |ip| self.0.wrong_keys.check(&sender(ip)))
    }

    pub fn ingest(&self, pipeline: PipelineId) -> Result<(), AppError> {
        self.0
            .ingest
            .as_ref()
            .map_or(Ok(()), |limiter| limiter.check(&pipeline))
    }

    pub fn api(&self, key: Uuid) -> Result<(), AppError> {
        self.0.api.as_ref().map_or(Ok(()), |limiter| limiter.check(&key))
    }

    /// Forgets whoever has waited long enough.
    pub fn forget(&self) {
        self.0.from.0.retain_recent();
        self.0.account.0.retain_recent();
        self.0.device.0.retain_recent();
        self.0.code.0.retain_recent();
        self.0.letters.0.retain_recent();
        self.0.invitations.0.retain_recent();
        self.0.organizations.0.retain_recent();
        self.0.wrong_keys.0.retain_recent();
        if let Some(ingest) = &self.0.ingest {
            ingest.0.retain_recent();
        }
        if let Some(api) = &self.0.api {
            api.0.retain_recent();
        }
    }
}

struct Limiter<K: Hash + Eq + Clone>(DefaultKeyedRateLimiter<K>);

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(quota: Quota) -> Self {
        Self(RateLimiter::keyed(quota))
    }

    fn check(&self, key: &K) -> Result<(), AppError> {
        self.0.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(DefaultClock::default().now());
            AppError::TooMany {
                seconds: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1),
            }
        })
    }
}

/// One each `every`, and `burst` at once.
fn few(every: Duration, burst: u32) -> Quota {
    Quota::with_period(every)
        .expect("a duration that is not nothing")
        .allow_burst(nonzero(burst))
}

fn nonzero(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    #[test]
    fn whoever_guesses_does_not_lock_out_a_device_that_is_known() {
        let rates = Rates::new(config::Rates::default());
        let guessed = (0..100)
            .filter(|_| rates.password("ada@example.org", None).is_ok())
            .count();
        assert_eq!(guessed, 10);
        assert!(matches!(
            rates.password("ada@example.org", None),
            Err(AppError::TooMany { seconds: 1..=60 })
        ));
        assert_eq!(rates.password("ada@example.org", Some(user(1))), Ok(()));
        assert_eq!(
            rates.password("bob@example.org", None),
            Ok(()),
            "nobody else is concerned"
        );
    }

    #[test]
    fn letters_for_one_purpose_do_not_use_up_those_for_another() {
        let rates = Rates::new(config::Rates::default());
        let ask = |purpose| rates.letter(purpose, "ada@example.org");
        assert_eq!((0..100).filter(|_| ask(Purpose::ConfirmEmail).is_ok()).count(), 5);
        for other in [Purpose::MagicLink, Purpose::ResetPassword, Purpose::Invitation] {
            assert_eq!(ask(other), Ok(()), "{other:?}");
        }
        assert!(matches!(
            ask(Purpose::ConfirmEmail),
            Err(AppError::TooMany { seconds: 1..=180 })
        ));
        assert_eq!(rates.letter(Purpose::ConfirmEmail, "bob@example.org"), Ok(()));
    }

    #[test]
    fn a_person_does_not_invite_or_make_organizations_without_end() {
        let rates = Rates::new(config::Rates::default());
        assert_eq!((0..100).filter(|_| rates.invitation(user(1)).is_ok()).count(), 30);
        assert_eq!((0..100).filter(|_| rates.organization(user(1)).is_ok()).count(), 5);
        assert_eq!(rates.invitation(user(2)), Ok(()), "nobody else is concerned");
    }

    #[test]
    fn what_is_not_limited_is_not_counted() {
        let rates = Rates::new(config::Rates::default());
        let pipeline = PipelineId(Uuid::from_u128(1));
        assert!((0..100_000).all(|_| rates.ingest(pipeline).is_ok()));
        let rates = Rates::new(config::Rates {
            ingest: Some(5),
            api: Some(2),
        });
        assert_eq!((0..100).filter(|_| rates.ingest(pipeline).is_ok()).count(), 5);
        assert_eq!((0..100).filter(|_| rates.api(Uuid::nil()).is_ok()).count(), 2);
        assert_eq!(rates.way_in(None), Ok(()));
    }
}
