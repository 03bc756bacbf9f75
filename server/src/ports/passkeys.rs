//! Passkeys.

use app::{
    AppError,
    form::Done,
    ports::{Passkeys, Viewer},
};
use async_trait::async_trait;
use dash_db::{AsyncConnection as _, RowConnection, store};
use dash_model::UserId;
use dash_passkey::{PasskeyError, Passkeys as Ceremonies, Stored};
use uuid::Uuid;

use super::Asked;
use crate::{
    accounts::{self, enter, invalid, post},
    failure::Failure,
};

/// Under which the first half of a ceremony is kept.
const BEGUN: &str = "passkey";

#[async_trait]
impl Passkeys for Asked {
    async fn begin(&self, _viewer: &Viewer) -> Result<String, AppError> {
        let user = self.caller.user()?;
        let existing = self.stored(user.id).await?;
        let begun = self
            .ceremonies()?
            .begin_registration(user.id.0, &user.email, &user.name, &existing);
        let begun = begun.map_err(|e| refused(&e))?;
        accounts::begin(&self.caller, BEGUN, begun.state, false).await?;
        Ok(begun.options)
    }

    async fn add(&self, _viewer: &Viewer, name: String, response: String) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        self.caller.signed_in_recently("passkey")?;
        let name = accounts::name(&name)?;
        let state = self.begun().await?;
        let made = self.ceremonies()?.finish_registration(user.id.0, &state, &response);
        let made = made.map_err(|e| refused(&e))?;
        let kept = serde_json::to_value(&made).map_err(|e| Failure::internal(e.to_string()))?;
        let letter = post::new_way_in(&self.caller, format!("a passkey, {name}"));
        let mut connection = self.connection().await?;
        let write = async |conn: &mut RowConnection| {
            store::passkeys::add(conn, user.id, &made.id(), &name, &kept).await?;
            post::write(conn, &self.state, &user.email, &letter).await
        };
        connection.transaction(write).await?;
        drop(connection);
        self.told_of("passkey.add", user).await?;
        Ok(Done::say(format!("The passkey {name} signs you in from now on.")))
    }

    async fn remove(&self, _viewer: &Viewer, id: Uuid) -> Result<Done, AppError> {
        let user = self.caller.user()?;
        self.has_another_way(user).await?;
        let removed = store::passkeys::remove(&mut *self.connection().await?, user.id, id).await;
        match removed.map_err(Failure::from)? {
            true => {
                self.told_of("passkey.remove", user).await?;
                Ok(Done::say("The passkey no longer signs you in."))
            }
            false => Err(AppError::NotFound {
                what: "passkey of yours".into(),
                name: id.to_string(),
            }),
        }
    }

    async fn begin_sign_in(&self, _viewer: &Viewer) -> Result<String, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let begun = self.ceremonies()?.begin_sign_in().map_err(|e| refused(&e))?;
        accounts::begin(&self.caller, BEGUN, begun.state, false).await?;
        Ok(begun.options)
    }

    async fn sign_in(&self, _viewer: &Viewer, response: String, to: Option<String>) -> Result<Done, AppError> {
        self.state.rates.way_in(self.caller.address)?;
        let state = self.begun().await?;
        let ceremonies = self.ceremonies()?;
        let (claimed, _) = ceremonies.who(&response).map_err(|e| refused(&e))?;
        let stored = self.stored(UserId(claimed)).await?;
        let signed_in = ceremonies
            .finish_sign_in(&state, &response, &stored)
            .map_err(|e| refused(&e))?;
        let updated = signed_in.updated.as_ref().map(serde_json::to_value).transpose();
        let updated = updated.map_err(|e| Failure::internal(e.to_string()))?;
        let mut connection = self.connection().await?;
        store::passkeys::used(
            &mut connection,
            &signed_in.credential_id,
            updated.as_ref(),
            crate::clock::now(),
        )
        .await
        .map_err(Failure::from)?;
        let user = store::users::get(&mut connection, UserId(signed_in.user))
            .await
            .map_err(Failure::from)?;
        drop(connection);
        let user = user.ok_or(AppError::SignIn)?;
        // It is two factors by itself: the device, and what unlocks it.
        enter(&self.state, &self.caller, &user, to.as_deref(), None).await
    }
}

impl Asked {
    fn ceremonies(&self) -> Result<&Ceremonies, AppError> {
        self.state.accounts.passkeys.as_ref().ok_or_else(|| {
            invalid(
                "passkey",
                "this server has no name that passkeys can be for; set DASH_URL to one",
            )
        })
    }

    async fn begun(&self) -> Result<String, AppError> {
        let state = accounts::take(&self.caller, BEGUN).await?;
        state.ok_or_else(|| invalid("passkey", "that took too long; try again"))
    }

    async fn stored(&self, user: UserId) -> Result<Vec<Stored>, Failure> {
        let all = store::passkeys::list(&mut *self.connection().await?, user).await?;
        let read = all.into_iter().map(|passkey| serde_json::from_value(passkey.stored));
        read.collect::<Result<_, _>>()
            .map_err(|e| Failure::internal(e.to_string()))
    }
}

fn refused(error: &PasskeyError) -> AppError {
    tracing::debug!(%error, "a passkey was refused");
    invalid("passkey", &error.to_string())
}
