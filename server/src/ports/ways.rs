//! In and out.

use app::{
    AppError,
    form::{Done, NewPerson, SignInForm},
    ports::{Viewer, Ways},
};
use async_trait::async_trait;
use dash_accounts::{
    email::Email,
    password::Checked,
    second_factor,
    token::{self, Purpose},
};
use dash_db::{AsyncConnection as _, AsyncPgConnection, RowConnection, store, store::users::User};
use dash_mail::Letter;
use dash_model::{DEFAULT_ORGANIZATION, Micros, OrganizationId, account::OrganizationRole};
use secrecy::SecretString;
use serde_json::json;

use super::Asked;
use crate::{
    access::session::{SIGNED_IN, SignedIn, WAITING, Waiting},
    accounts::{self, enter, enter_or_ask, invalid, post, set_up::issue},
    failure::Failure,
    web::cookies,
};

/// The same words for whoever does not exist: nobody finds out who has an account.
const WRONG: &str = "address or password is wrong";

#[async_trait]
impl Ways for Asked {
    async fn sign_in(&self, _viewer: &Viewer, form: SignInForm) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let email = accounts::email(&form.email)?;
        let user = store::users::by_email(&mut *self.connection().await?, &email.key())
            .await
            .map_err(Failure::from)?;
        // A device counts apart only for whom it is known.
        let known = self
            .caller
            .known
            .filter(|known| user.as_ref().is_some_and(|u| u.id == *known));
        self.state.rates.password(&email.key(), known)?;
        let stored = user.as_ref().and_then(|u| u.password_hash.clone());
        let password = SecretString::from(form.password);
        let checked = self.state.accounts.hasher.verify(password.clone(), stored).await;
        let checked = checked.map_err(|e| Failure::internal(e.to_string()))?;
        let (Checked::Right { outdated }, Some(user)) = (checked, user) else {
            return Err(invalid("password", WRONG));
        };
        if user.email_confirmed_at.is_none() {
            return Err(invalid(
                "email",
                "confirm your address first: the link is in the letter that we sent you",
            ));
        }
        if outdated {
            let hash = self.state.accounts.hasher.hash(password).await;
            let hash = hash.map_err(|e| Failure::internal(e.to_string()))?;
            store::users::set_password(&mut *self.connection().await?, user.id, &hash)
                .await
                .map_err(Failure::from)?;
        }
        enter_or_ask(&self.state, &self.caller, &user, form.to.as_deref()).await
    }

    async fn code(&self, _viewer: &Viewer, code: String) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let session = self.caller.session()?;
        let waiting: Option<Waiting> = session.get(WAITING).await.map_err(Failure::from)?;
        let now = crate::clock::now();
        let waiting = waiting.filter(|w| w.until > now).ok_or_else(|| {
            // The page begins again.
            invalid("code", "that took too long; sign in with your password again")
        })?;
        self.state.rates.code(waiting.user)?;
        if !self.takes_code(waiting.user, &code, now).await? {
            return Err(invalid("code", "this code is wrong, or was used before"));
        }
        let user = store::users::get(&mut *self.connection().await?, waiting.user).await;
        let user = user.map_err(Failure::from)?.ok_or(AppError::SignIn)?;
        enter(&self.state, &self.caller, &user, waiting.to.as_deref(), None).await
    }

    async fn sign_out(&self, viewer: &Viewer) -> Result<Done, AppError> {
        let session = self.caller.session()?;
        if let Ok(user) = self.caller.user() {
            let mut connection = self.connection().await?;
            let nothing = (None, None);
            if viewer.who != dash_accounts::policy::Who::Nobody {
                self.caller
                    .record(
                        &mut connection,
                        "session.end",
                        format!("person {}", user.email),
                        nothing,
                    )
                    .await?;
            }
        }
        session.flush().await.map_err(Failure::from)?;
        let secure = self.state.config.accounts.is_secure();
        self.caller.cookies.lock().push(cookies::clear_session(secure));
        // Sockets are not closed at once here: those of this page go with it, and others within seconds.
        Ok(Done::go("/").and_say("You are signed out."))
    }

    async fn sign_up(&self, _viewer: &Viewer, name: String, email: String) -> Result<Done, AppError> {
        if !self.state.config.accounts.sign_up {
            return Err(AppError::Forbidden {
                needs: "an invitation".into(),
            });
        }
        self.state.rates.way_in(self.caller.address)?;
        let (email, name) = (accounts::email(&email)?, accounts::name(&name)?);
        self.state.rates.letter(Purpose::ConfirmEmail, &email.key())?;
        let known = store::users::by_email(&mut *self.connection().await?, &email.key()).await;
        match known.map_err(Failure::from)? {
            None => self.sign_up_new(&email, &name).await?,
            Some(user) => self.signed_up_again(&user).await?,
        }
        Ok(Done::go("/sign-in").and_say("We sent you a letter. The link in it lets you choose a password."))
    }

    async fn set_up(
        &self,
        _viewer: &Viewer,
        token: String,
        form: NewPerson,
        organization: String,
    ) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let (email, name) = (accounts::email(&form.email)?, accounts::name(&form.name)?);
        let organization = accounts::name(&organization).map_err(|e| match e {
            AppError::Invalid { reason, .. } => invalid("organization", &reason),
            other => other,
        })?;
        let token = token::hash(Purpose::SetUp, &token.into()).ok_or(AppError::Gone)?;
        let hash = self.state.accounts.new_password(form.password, &email, &name).await?;
        let now = crate::clock::now();
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::tokens::take(conn, &token.0, Purpose::SetUp.word(), now).await?;
            // Two who have two links of two nodes: the first is the first.
            if store::members::has_owner(conn, DEFAULT_ORGANIZATION).await? {
                return Err(dash_db::DbError::from(dash_db::AccountError::LinkGone).into());
            }
            let user = store::users::create(conn, email.as_str(), &email.key(), &name, Some(&hash)).await?;
            // Whoever reads the console of this server need not prove an address to it.
            store::users::confirm_email(conn, user.id, now).await?;
            store::organizations::rename(conn, DEFAULT_ORGANIZATION, &organization).await?;
            store::members::add(conn, DEFAULT_ORGANIZATION, user.id, OrganizationRole::Owner).await?;
            let (of, target) = ((DEFAULT_ORGANIZATION, &user), format!("organization {organization}"));
            let owner = Some(json!({"owner": user.email}));
            self.caller
                .record_as(conn, of, "organization.set_up", target, (None, owner))
                .await?;
            Ok::<_, Failure>(user)
        };
        let user = connection.transaction(write).await?;
        drop(connection);
        let done = enter(&self.state, &self.caller, &user, Some("/"), None).await?;
        Ok(done.and_say(format!("Welcome, {name}. This is yours now.")))
    }

    async fn switch(&self, _viewer: &Viewer, organization: OrganizationId) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        let belongs = store::users::organizations(&mut *self.connection().await?, user.id, crate::clock::now()).await;
        let belongs = belongs.map_err(Failure::from)?;
        let seat = belongs.iter().find(|b| b.organization == organization);
        let seat = seat.ok_or_else(|| AppError::NotFound {
            what: "organization".into(),
            name: organization.to_string(),
        })?;
        self.look_at(organization).await?;
        self.sessions_changed().await;
        Ok(Done::go("/").and_say(format!("This is {}.", seat.name)))
    }
}

impl Asked {
    /// The session looks at another organization from now on. What they may do changes: so does the id.
    pub(super) async fn look_at(&self, organization: OrganizationId) -> Result<(), AppError> {
        let session = self.caller.session()?;
        let signed_in: Option<SignedIn> = session.get(SIGNED_IN).await.map_err(Failure::from)?;
        let signed_in = signed_in.ok_or(AppError::SignIn)?;
        self.caller.renew(&mut *self.connection().await?).await?;
        let signed_in = SignedIn {
            organization: Some(organization),
            ..signed_in
        };
        Ok(session.insert(SIGNED_IN, signed_in).await.map_err(Failure::from)?)
    }

    /// Uses a code of the app, or a recovery code, up.
    pub(super) async fn takes_code(&self, user: dash_model::UserId, code: &str, now: Micros) -> Result<bool, AppError> {
        let mut connection = self.connection().await?;
        let factor = store::second_factors::get(&mut connection, &self.state.vault, user).await;
        let Some(factor) = factor.map_err(Failure::from)?.filter(|f| f.confirmed_at.is_some()) else {
            return Ok(false);
        };
        let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or_default();
        let step = second_factor::check(&factor.secret, code, seconds, factor.last_step);
        let used = match step.map_err(|e| Failure::internal(e.to_string()))? {
            Some(step) => store::second_factors::use_step(&mut connection, user, step, now).await,
            None => {
                let hash = second_factor::recovery_hash(&code.into());
                store::second_factors::use_recovery_code(&mut connection, user, &hash, now).await
            }
        };
        Ok(used.map_err(Failure::from)?)
    }

    async fn sign_up_new(&self, email: &Email, name: &str) -> Result<(), Failure> {
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            let user = store::users::create(conn, email.as_str(), &email.key(), name, None).await?;
            let letter = self.confirmation(conn, &user).await?;
            post::write(conn, &self.state, &user.email, &letter).await
        };
        connection.transaction(write).await
    }

    /// The letter with a new link by which somebody says that the address is theirs.
    async fn confirmation(&self, connection: &mut AsyncPgConnection, user: &User) -> Result<Letter, Failure> {
        let secret = issue(connection, Purpose::ConfirmEmail, Some(user.id)).await?;
        Ok(Letter::ConfirmEmail {
            link: self.state.config.accounts.link_with("/confirm", &secret),
            name: user.name.clone(),
        })
    }

    async fn signed_up_again(&self, user: &User) -> Result<(), Failure> {
        let accounts = &self.state.config.accounts;
        let mut connection = self.connection().await?;
        // Who has not confirmed yet gets the link once more.
        let letter = match user.email_confirmed_at {
            Some(_) => Letter::SignedUpAgain {
                sign_in: accounts.link("/sign-in"),
                reset: accounts.link("/reset"),
            },
            None => self.confirmation(&mut connection, user).await?,
        };
        post::write(&mut connection, &self.state, &user.email, &letter).await
    }
}
