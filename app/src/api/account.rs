//! Somebody's own account, and keys.

use leptos::{prelude::*, server_fn::codec::GetUrl};
use uuid::Uuid;

use crate::{
    AppError,
    form::Done,
    model::{
        account::Scope,
        people::{Account, KeyInfo},
    },
};

#[server(endpoint = "account", input = GetUrl)]
pub async fn get_account() -> Result<Account, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.get(&ports.viewer).await
}

#[server(endpoint = "account/name")]
pub async fn rename(name: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.rename(&ports.viewer, name).await
}

#[server(endpoint = "account/password")]
pub async fn change_password(current: Option<String>, password: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    let current = current.unwrap_or_default();
    ports.profile.change_password(&ports.viewer, current, password).await
}

#[server(endpoint = "account/devices/end")]
pub async fn end_device(id: Uuid) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.end_device(&ports.viewer, id).await
}

#[server(endpoint = "account/devices/end-others")]
pub async fn end_other_devices() -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.end_other_devices(&ports.viewer).await
}

#[server(endpoint = "account/second-factor/begin")]
pub async fn begin_second_factor() -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.begin_second_factor(&ports.viewer).await
}

#[server(endpoint = "account/second-factor/confirm")]
pub async fn confirm_second_factor(code: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.confirm_second_factor(&ports.viewer, code).await
}

#[server(endpoint = "account/second-factor/stop")]
pub async fn stop_second_factor(code: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.stop_second_factor(&ports.viewer, code).await
}

#[server(endpoint = "account/recovery-codes")]
pub async fn new_recovery_codes(code: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.new_recovery_codes(&ports.viewer, code).await
}

/// One's own keys, or those of services.
#[server(endpoint = "keys", input = GetUrl)]
pub async fn list_keys(service: bool) -> Result<Vec<KeyInfo>, AppError> {
    let ports = crate::ports::ports()?;
    ports.keys.list(&ports.viewer, service).await
}

#[server(endpoint = "keys/make")]
pub async fn make_key(
    name: String,
    scope: Scope,
    team: Option<String>,
    days: Option<String>,
    service: Option<bool>,
) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    let form = crate::form::KeyForm {
        name,
        scope,
        team: team.unwrap_or_default(),
        days: days.unwrap_or_default(),
        service: service.unwrap_or_default(),
    };
    ports.keys.make(&ports.viewer, form).await
}

#[server(endpoint = "keys/revoke")]
pub async fn revoke_key(id: Uuid, service: Option<bool>) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.keys.revoke(&ports.viewer, id, service.unwrap_or_default()).await
}

#[server(endpoint = "account/unlink")]
pub async fn unlink(issuer: String, subject: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.profile.unlink(&ports.viewer, issuer, subject).await
}

/// Options for a new passkey, as JSON within a string.
#[server(endpoint = "passkeys/begin")]
pub async fn begin_passkey() -> Result<String, AppError> {
    let ports = crate::ports::ports()?;
    ports.passkeys.begin(&ports.viewer).await
}

#[server(endpoint = "passkeys/add")]
pub async fn add_passkey(name: String, response: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.passkeys.add(&ports.viewer, name, response).await
}

#[server(endpoint = "passkeys/remove")]
pub async fn remove_passkey(id: Uuid) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.passkeys.remove(&ports.viewer, id).await
}

/// Options for signing in with a passkey, as JSON within a string.
#[server(endpoint = "sign-in/passkey/begin")]
pub async fn begin_passkey_sign_in() -> Result<String, AppError> {
    let ports = crate::ports::ports()?;
    ports.passkeys.begin_sign_in(&ports.viewer).await
}

#[server(endpoint = "sign-in/passkey")]
pub async fn passkey_sign_in(response: String, to: Option<String>) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.passkeys.sign_in(&ports.viewer, response, to).await
}
