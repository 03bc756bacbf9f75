//! One-time links.

use app::{
    AppError,
    form::{Done, local},
    ports::{Links, Viewer},
};
use async_trait::async_trait;
use dash_accounts::token::{self, Purpose, TokenHash};
use dash_db::{AccountError, AsyncConnection as _, AsyncPgConnection, RowConnection, store, store::users::User};
use dash_mail::Letter;
use dash_model::{UserId, people::LinkState};
use serde_json::json;

use super::Asked;
use crate::{
    accounts::{self, enter, enter_or_ask, invalid, post, set_up::issue},
    failure::Failure,
};

/// The same words whether or not there is somebody of this address.
const SENT: &str = "If somebody has an account of this address, a letter is on its way. Its link works once.";

#[async_trait]
impl Links for Asked {
    async fn state(&self, _viewer: &Viewer, purpose: &str, token: String) -> Result<LinkState, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let purpose = Purpose::ALL.into_iter().find(|p| p.word() == purpose);
        let Some(purpose) = purpose else {
            return Err(invalid("purpose", "this is no kind of link"));
        };
        let Some(hash) = token::hash(purpose, &token.into()) else {
            return Ok(LinkState::Gone);
        };
        let now = crate::clock::now();
        let mut connection = self.connection().await?;
        if purpose != Purpose::Invitation {
            let works = store::tokens::works(&mut connection, &hash.0, purpose.word(), now).await;
            return Ok(match works.map_err(Failure::from)? {
                true => LinkState::Works,
                false => LinkState::Gone,
            });
        }
        let found = store::invitations::find(&mut connection, &hash.0, now).await;
        let Some((invitation, organization)) = found.map_err(Failure::from)? else {
            return Ok(LinkState::Gone);
        };
        let known = store::users::by_email(&mut connection, &invitation.email_key).await;
        Ok(LinkState::Invitation {
            organization,
            email: invitation.email,
            role: invitation.role,
            has_account: known.map_err(Failure::from)?.is_some(),
        })
    }

    async fn ask_sign_in(&self, _viewer: &Viewer, email: String, to: Option<String>) -> Result<Done, AppError> {
        let to = local(to.as_deref()).map(str::to_owned);
        self.ask(&email, Purpose::MagicLink, "/link", move |link, minutes| {
            let link = match &to {
                Some(to) => format!("{link}&to={}", encode(to)),
                None => link,
            };
            Letter::MagicLink { link, minutes }
        })
        .await
    }

    async fn ask_reset(&self, _viewer: &Viewer, email: String) -> Result<Done, AppError> {
        self.ask(&email, Purpose::ResetPassword, "/reset/new", |link, minutes| {
            Letter::ResetPassword { link, minutes }
        })
        .await
    }

    async fn sign_in(&self, _viewer: &Viewer, token: String, to: Option<String>) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let user = self.take(Purpose::MagicLink, token).await?;
        // Whoever has the letter has the address.
        self.confirmed(user.id).await?;
        enter_or_ask(&self.state, &self.caller, &user, to.as_deref()).await
    }

    async fn confirm(&self, _viewer: &Viewer, token: String, password: String) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let user = self.new_password(Purpose::ConfirmEmail, token, password).await?;
        self.first_organization(&user).await?;
        let done = enter_or_ask(&self.state, &self.caller, &user, None).await?;
        Ok(done.and_say(format!("Welcome, {}.", user.name)))
    }

    async fn reset(&self, _viewer: &Viewer, token: String, password: String) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let user = self.new_password(Purpose::ResetPassword, token, password).await?;
        self.sessions_changed().await;
        let done = enter_or_ask(&self.state, &self.caller, &user, None).await?;
        Ok(done.and_say("Your password is changed, and you are signed out everywhere else."))
    }

    async fn accept(&self, _viewer: &Viewer, token: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        let hash = token_hash(Purpose::Invitation, token)?;
        self.join_as(user, &hash).await
    }

    async fn join(&self, _viewer: &Viewer, token: String, name: String, password: String) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let name = accounts::name(&name)?;
        let hash = token_hash(Purpose::Invitation, token)?;
        let now = crate::clock::now();
        let mut connection = self.connection().await?;
        let found = store::invitations::find(&mut connection, &hash.0, now).await;
        let (invitation, _) = found.map_err(Failure::from)?.ok_or(AppError::Gone)?;
        let email = accounts::email(&invitation.email)?;
        let password = self.state.accounts.new_password(password, &email, &name).await?;
        let write = async |conn: &mut RowConnection| {
            let user = store::users::create(conn, email.as_str(), &email.key(), &name, Some(&password)).await?;
            store::users::confirm_email(conn, user.id, now).await?;
            Ok::<_, dash_db::DbError>(user)
        };
        let user = connection.transaction(write).await.map_err(Failure::from)?;
        drop(connection);
        self.join_as(&user, &hash).await
    }
}

impl Asked {
    /// Sends a link to whoever has an account of this address, and says the same to everybody.
    async fn ask(
        &self,
        email: &str,
        purpose: Purpose,
        path: &str,
        letter: impl Fn(String, u32) -> Letter + Sync,
    ) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let email = accounts::email(email)?;
        self.state.rates.letter(purpose, &email.key())?;
        let minutes = u32::try_from(purpose.lifetime().as_secs() / 60).unwrap_or(u32::MAX);
        let mut connection = self.connection().await?;
        let user = store::users::by_email(&mut connection, &email.key()).await;
        if let Some(user) = user.map_err(Failure::from)? {
            let write = async |conn: &mut RowConnection| {
                let secret = issue(conn, purpose, Some(user.id)).await?;
                let letter = letter(self.state.config.accounts.link_with(path, &secret), minutes);
                post::write(conn, &self.state, &user.email, &letter).await
            };
            connection.transaction(write).await?;
        }
        Ok(Done::say(SENT))
    }

    /// Uses a link up and answers whose it was.
    async fn take(&self, purpose: Purpose, token: String) -> Result<User, AppError> {
        let hash = token_hash(purpose, token)?;
        let mut connection = self.connection().await?;
        Ok(taken(&mut connection, &hash, purpose).await?)
    }

    /// Uses a link up for a new password, which signs out everywhere. One that is not taken leaves the link as it is.
    async fn new_password(&self, purpose: Purpose, token: String, password: String) -> Result<User, AppError> {
        let hash = token_hash(purpose, token)?;
        let now = crate::clock::now();
        let mut connection = self.connection().await?;
        let work = async |conn: &mut RowConnection| {
            let user = taken(conn, &hash, purpose).await?;
            let email = accounts::email(&user.email)?;
            let new = self
                .state
                .accounts
                .new_password(password.clone(), &email, &user.name)
                .await?;
            store::users::set_password(conn, user.id, &new).await?;
            store::users::confirm_email(conn, user.id, now).await?;
            store::sessions::end_all(conn, user.id, None).await?;
            if purpose == Purpose::ResetPassword {
                let letter = Letter::PasswordChanged {
                    when: post::when(now),
                    address: self.caller.address.map(|ip| ip.to_string()).unwrap_or_default(),
                };
                post::write(conn, &self.state, &user.email, &letter).await?;
            }
            Ok::<_, Failure>(user)
        };
        Ok(connection.transaction(work).await?)
    }

    async fn confirmed(&self, user: UserId) -> Result<(), Failure> {
        store::users::confirm_email(&mut *self.connection().await?, user, crate::clock::now()).await?;
        Ok(())
    }

    /// Who signed up by themselves gets an organization of their own.
    async fn first_organization(&self, user: &User) -> Result<(), AppError> {
        let mut connection = self.connection().await?;
        let belongs = store::users::organizations(&mut connection, user.id, crate::clock::now()).await;
        if belongs.map_err(Failure::from)?.is_empty() {
            super::organizations::make(&self.state, &self.caller, user, &user.name).await?;
        }
        Ok(())
    }

    async fn join_as(&self, user: &User, hash: &TokenHash) -> Result<Done, AppError> {
        let key = accounts::email(&user.email)?.key();
        let now = crate::clock::now();
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            let invitation = store::invitations::accept(conn, &hash.0, user.id, &key, now).await?;
            let (of, target) = ((invitation.organization, user), format!("person {}", user.email));
            let role = Some(json!({"role": invitation.role}));
            self.caller
                .record_as(conn, of, "member.join", target, (None, role))
                .await?;
            Ok::<_, Failure>(invitation)
        };
        let invitation = connection.transaction(write).await?;
        drop(connection);
        let done = enter(
            &self.state,
            &self.caller,
            user,
            Some("/"),
            Some(invitation.organization),
        )
        .await?;
        Ok(done.and_say("Welcome. You belong to it now."))
    }
}

async fn taken(connection: &mut AsyncPgConnection, hash: &TokenHash, purpose: Purpose) -> Result<User, Failure> {
    let user = store::tokens::take(connection, &hash.0, purpose.word(), crate::clock::now()).await?;
    let user = user.ok_or(dash_db::DbError::from(AccountError::LinkGone))?;
    let found = store::users::get(connection, user).await?;
    Ok(found.ok_or(dash_db::DbError::from(AccountError::LinkGone))?)
}

fn token_hash(purpose: Purpose, token: String) -> Result<TokenHash, AppError> {
    token::hash(purpose, &token.into()).ok_or(AppError::Gone)
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
