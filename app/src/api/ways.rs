//! In and out, and one-time links.

use leptos::{prelude::*, server_fn::codec::GetUrl};

use crate::{
    AppError,
    form::Done,
    model::{OrganizationId, people::LinkState},
};

#[server(endpoint = "sign-in")]
pub async fn sign_in(email: String, password: String, to: Option<String>) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    let form = crate::form::SignInForm { email, password, to };
    ports.ways.sign_in(&ports.viewer, form).await
}

#[server(endpoint = "sign-in/code")]
pub async fn sign_in_code(code: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.ways.code(&ports.viewer, code).await
}

#[server(endpoint = "sign-out")]
pub async fn sign_out() -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.ways.sign_out(&ports.viewer).await
}

#[server(endpoint = "sign-up")]
pub async fn sign_up(name: String, email: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.ways.sign_up(&ports.viewer, name, email).await
}

#[server(endpoint = "set-up")]
pub async fn set_up(
    token: String,
    name: String,
    email: String,
    password: String,
    organization: String,
) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    let form = crate::form::NewPerson { name, email, password };
    ports.ways.set_up(&ports.viewer, token, form, organization).await
}

#[server(endpoint = "switch")]
pub async fn switch_organization(organization: OrganizationId) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.ways.switch(&ports.viewer, organization).await
}

#[server(endpoint = "link", input = GetUrl)]
pub async fn check_link(purpose: String, token: String) -> Result<LinkState, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.state(&ports.viewer, &purpose, token).await
}

#[server(endpoint = "link/ask")]
pub async fn ask_link(email: String, to: Option<String>) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.ask_sign_in(&ports.viewer, email, to).await
}

#[server(endpoint = "reset/ask")]
pub async fn ask_reset(email: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.ask_reset(&ports.viewer, email).await
}

#[server(endpoint = "link/sign-in")]
pub async fn use_link(token: String, to: Option<String>) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.sign_in(&ports.viewer, token, to).await
}

#[server(endpoint = "link/confirm")]
pub async fn confirm_email(token: String, password: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.confirm(&ports.viewer, token, password).await
}

#[server(endpoint = "reset")]
pub async fn reset_password(token: String, password: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.reset(&ports.viewer, token, password).await
}

#[server(endpoint = "invitation/accept")]
pub async fn accept_invitation(token: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.accept(&ports.viewer, token).await
}

#[server(endpoint = "invitation/join")]
pub async fn join(token: String, name: String, password: String) -> Result<Done, AppError> {
    let ports = crate::ports::ports()?;
    ports.links.join(&ports.viewer, token, name, password).await
}
