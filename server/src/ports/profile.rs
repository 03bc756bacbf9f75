//! Somebody's own account.

use app::{
    AppError,
    form::Done,
    ports::{Profile, Viewer},
};
use async_trait::async_trait;
use dash_accounts::{
    password::Checked,
    second_factor::{self, recovery_codes},
};
use dash_db::{AsyncConnection as _, RowConnection, store, store::users::User};
use dash_mail::Letter;
use dash_model::people::{Account, Device, Identity, Passkey, SecondFactorStart, SecondFactorState};
use qrcode::{QrCode, render::svg};
use secrecy::{ExposeSecret, SecretSlice};
use uuid::Uuid;

use super::Asked;
use crate::{
    access::session::{SIGNED_IN, SignedIn},
    accounts::{self, invalid, post},
    failure::Failure,
};

#[async_trait]
impl Profile for Asked {
    async fn get(&self, _viewer: &Viewer) -> Result<Account, AppError> {
        let user = self.caller.user()?;
        Ok(self.account(user).await?)
    }

    async fn rename(&self, _viewer: &Viewer, name: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        let name = accounts::name(&name)?;
        let renamed = store::users::set_name(&mut *self.connection().await?, user.id, &name).await;
        renamed.map_err(Failure::from)?;
        Ok(Done::say("Saved."))
    }

    async fn change_password(&self, _viewer: &Viewer, current: String, password: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        let email = accounts::email(&user.email)?;
        if user.password_hash.is_some() {
            self.state.rates.password(&email.key(), Some(user.id))?;
            let checked = self
                .state
                .accounts
                .hasher
                .verify(current.into(), user.password_hash.clone())
                .await;
            if checked.map_err(|e| Failure::internal(e.to_string()))? == Checked::Wrong {
                return Err(invalid("current", "this is not your password"));
            }
        }
        let hash = self.state.accounts.new_password(password, &email, &user.name).await?;
        let letter = Letter::PasswordChanged {
            when: post::when(crate::clock::now()),
            address: self.caller.address.map(|ip| ip.to_string()).unwrap_or_default(),
        };
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            // First of all, so that a session that was ended meanwhile changes nothing any more.
            self.caller.give_up(conn).await?;
            store::users::set_password(conn, user.id, &hash).await?;
            store::sessions::end_all(conn, user.id, None).await?;
            post::write(conn, &self.state, &user.email, &letter).await?;
            Ok::<_, Failure>(())
        };
        connection.transaction(write).await?;
        drop(connection);
        self.caller.session()?.cycle_id().await.map_err(Failure::from)?;
        self.sessions_changed().await;
        Ok(Done::say(
            "Your password is changed, and you are signed out everywhere else.",
        ))
    }

    async fn end_device(&self, _viewer: &Viewer, id: Uuid) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        let ended = store::sessions::end(&mut *self.connection().await?, user.id, id).await;
        self.sessions_changed().await;
        match ended.map_err(Failure::from)? {
            true => Ok(Done::say("It is signed out.")),
            false => Err(AppError::NotFound {
                what: "device of yours".into(),
                name: id.to_string(),
            }),
        }
    }

    async fn end_other_devices(&self, _viewer: &Viewer) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        let ended = store::sessions::end_all(&mut *self.connection().await?, user.id, self.caller.hash.as_ref()).await;
        self.sessions_changed().await;
        Ok(Done::say(match ended.map_err(Failure::from)? {
            1 => "You are signed out of one other device.".to_owned(),
            n => format!("You are signed out of {n} other devices."),
        }))
    }

    async fn unlink(&self, _viewer: &Viewer, issuer: String, subject: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        self.has_another_way(user).await?;
        let gone = store::identities::unlink(&mut *self.connection().await?, user.id, &issuer, &subject).await;
        match gone.map_err(Failure::from)? {
            true => {
                self.told_of("identity.unlink", user).await?;
                Ok(Done::say("It no longer signs you in."))
            }
            false => Err(AppError::NotFound {
                what: "linked account of yours".into(),
                name: subject,
            }),
        }
    }

    async fn begin_second_factor(&self, _viewer: &Viewer) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        let secret = second_factor::new_secret();
        let mut connection = self.connection().await?;
        let begun = store::second_factors::begin(&mut connection, &self.state.vault, user.id, &secret).await;
        match begun.map_err(Failure::from)? {
            true => Ok(Done::go("/account#second-factor")),
            false => Err(invalid("code", "it is on already; switch it off first")),
        }
    }

    async fn confirm_second_factor(&self, _viewer: &Viewer, code: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        self.state.rates.code(user.id)?;
        let now = crate::clock::now();
        let mut connection = self.connection().await?;
        let found = store::second_factors::get(&mut connection, &self.state.vault, user.id).await;
        let factor = found.map_err(Failure::from)?.filter(|f| f.confirmed_at.is_none());
        let factor = factor.ok_or_else(|| invalid("code", "there is nothing to confirm; begin again"))?;
        let seconds = u64::try_from(now.0 / 1_000_000).unwrap_or_default();
        let step = second_factor::check(&factor.secret, &code, seconds, factor.last_step);
        let step = step.map_err(|e| Failure::internal(e.to_string()))?;
        let step = step.ok_or_else(|| invalid("code", "this is not the code that your app shows now"))?;
        let codes = recovery_codes();
        let hashes: Vec<[u8; 32]> = codes.iter().map(|(_, hash)| *hash).collect();
        let write = async |conn: &mut RowConnection| {
            // Not so when another tab has begun anew, or was first.
            if !store::second_factors::use_step(conn, user.id, step, now).await? {
                return Err(invalid("code", "this code was used before; write the next one").into());
            }
            store::second_factors::set_recovery_codes(conn, user.id, &hashes).await?;
            Ok::<_, Failure>(())
        };
        connection.transaction(write).await?;
        drop(connection);
        self.told_of("second_factor.on", user).await?;
        self.caller.renew(&mut *self.connection().await?).await?;
        let codes = codes.iter().map(|(code, _)| code.expose_secret().to_owned()).collect();
        Ok(
            Done::say("The second factor is on. These recovery codes let you in when the app is gone, each once:")
                .once(codes),
        )
    }

    async fn stop_second_factor(&self, _viewer: &Viewer, code: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        self.prove(user, &code).await?;
        let removed = store::second_factors::remove(&mut *self.connection().await?, user.id).await;
        removed.map_err(Failure::from)?;
        self.told_of("second_factor.off", user).await?;
        self.caller.renew(&mut *self.connection().await?).await?;
        Ok(Done::say("The second factor is off."))
    }

    async fn new_recovery_codes(&self, _viewer: &Viewer, code: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        self.prove(user, &code).await?;
        let codes = recovery_codes();
        let hashes: Vec<[u8; 32]> = codes.iter().map(|(_, hash)| *hash).collect();
        let set = store::second_factors::set_recovery_codes(&mut *self.connection().await?, user.id, &hashes).await;
        set.map_err(Failure::from)?;
        let codes = codes.iter().map(|(code, _)| code.expose_secret().to_owned()).collect();
        Ok(Done::say("The earlier codes no longer work. These do, each once:").once(codes))
    }
}

impl Asked {
    /// Takes a way in away, as long as another one is left.
    pub(super) async fn has_another_way(&self, user: &User) -> Result<(), AppError> {
        let mut connection = self.connection().await?;
        let passkeys = store::passkeys::list(&mut connection, user.id)
            .await
            .map_err(Failure::from)?
            .len();
        let identities = store::identities::list(&mut connection, user.id)
            .await
            .map_err(Failure::from)?
            .len();
        let mail = !matches!(self.state.config.accounts.mail, crate::config::Mail::None);
        match user.password_hash.is_some() || mail || passkeys + identities > 1 {
            true => Ok(()),
            false => Err(invalid("password", "this is your only way in; set a password first")),
        }
    }

    async fn account(&self, user: &User) -> Result<Account, Failure> {
        let mut connection = self.connection().await?;
        let now = crate::clock::now();
        let devices = store::sessions::devices(&mut connection, user.id, now).await?;
        let factor = store::second_factors::get(&mut connection, &self.state.vault, user.id).await?;
        let second_factor = match factor {
            None => SecondFactorState::Off,
            Some(factor) if factor.confirmed_at.is_none() => SecondFactorState::Begun(start(user, &factor.secret)?),
            Some(_) => SecondFactorState::On {
                recovery_codes: store::second_factors::recovery_codes_left(&mut connection, user.id)
                    .await?
                    .try_into()
                    .unwrap_or_default(),
            },
        };
        let passkeys = store::passkeys::list(&mut connection, user.id).await?;
        let identities = store::identities::list(&mut connection, user.id).await?;
        Ok(Account {
            name: user.name.clone(),
            email: user.email.clone(),
            has_password: user.password_hash.is_some(),
            second_factor,
            devices: devices.into_iter().map(|device| self.shown(device)).collect(),
            passkeys: passkeys.into_iter().map(shown_passkey).collect(),
            identities: identities
                .into_iter()
                .map(|linked| Identity {
                    issuer: linked.issuer,
                    subject: linked.subject,
                    email: linked.email,
                })
                .collect(),
        })
    }

    fn shown(&self, device: store::sessions::Device) -> Device {
        let signed_in = device.data.get(SIGNED_IN).cloned();
        let signed_in: Option<SignedIn> = signed_in.and_then(|value| serde_json::from_value(value).ok());
        Device {
            id: device.id,
            agent: signed_in
                .as_ref()
                .map_or_else(|| "A browser".to_owned(), |s| s.agent.clone()),
            address: signed_in.as_ref().and_then(|s| s.address.clone()),
            created_at: signed_in.map_or(device.created_at, |s| s.since),
            seen_at: device.seen_at,
            this: Some(device.hash) == self.caller.hash,
        }
    }

    /// Asks for a code before something that weakens the account.
    async fn prove(&self, user: &User, code: &str) -> Result<(), AppError> {
        self.state.rates.code(user.id)?;
        match self.takes_code(user.id, code, crate::clock::now()).await? {
            true => Ok(()),
            false => Err(invalid("code", "this code is wrong, or was used before")),
        }
    }

    /// Organizations see how their members get in.
    pub(super) async fn told_of(&self, action: &str, user: &User) -> Result<(), Failure> {
        if self.caller.viewer.who == dash_accounts::policy::Who::Nobody {
            return Ok(());
        }
        let mut connection = self.connection().await?;
        let target = format!("person {}", user.email);
        self.caller.record(&mut connection, action, target, (None, None)).await
    }
}

fn shown_passkey(passkey: store::passkeys::Passkey) -> Passkey {
    Passkey {
        id: passkey.id,
        name: passkey.name,
        created_at: passkey.created_at,
        last_used_at: passkey.last_used_at,
    }
}

/// What an app is told, as a picture and as text.
fn start(user: &User, secret: &SecretSlice<u8>) -> Result<SecondFactorStart, Failure> {
    let internal = |what: &dyn std::fmt::Display| Failure::internal(what.to_string());
    let email = accounts::email(&user.email)?;
    let address = second_factor::address(secret, &email).map_err(|e| internal(&e))?;
    let code = QrCode::new(address.expose_secret()).map_err(|e| internal(&e))?;
    let text = second_factor::text(secret).map_err(|e| internal(&e))?;
    let groups: Vec<&str> = text
        .expose_secret()
        .as_bytes()
        .chunks(4)
        .filter_map(|c| std::str::from_utf8(c).ok())
        .collect();
    let picture = code.render::<svg::Color<'_>>().min_dimensions(180, 180).build();
    Ok(SecondFactorStart {
        secret: groups.join(" "),
        // Only the element: the page is HTML.
        picture: picture
            .find("<svg")
            .map_or_else(String::new, |at| picture[at..].to_owned()),
    })
}
