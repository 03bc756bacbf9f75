//! A code for tokens.

use std::borrow::Cow;

use openidconnect::{
    Nonce, RedirectUrl, RequestTokenError, StandardErrorResponse,
    core::{CoreErrorResponseType, CoreTokenResponse},
};

use crate::{Callback, Flaw, Http, HttpError, Pending, Provider, SsoError, error::short, http::Caller, pending::now};

/// What a provider gave for a code, not yet trusted. Not printable: it is full of secrets.
pub(crate) struct Answer {
    pub tokens: CoreTokenResponse,
    /// What the ID token has to repeat.
    pub nonce: Nonce,
}

impl Provider {
    /// The one use of a code.
    pub(crate) async fn exchange(
        &self,
        pending: Pending,
        callback: &Callback,
        http: &dyn Http,
    ) -> Result<Answer, SsoError> {
        let code = pending.code(callback, &self.sender(), now())?;
        let request = self.client.exchange_code(code);
        let request = request.map_err(|e| self.config.unusable(&short(e)))?;
        let redirect = RedirectUrl::from_url(pending.redirect);
        let caller = Caller::new(http);
        let tokens = request
            .set_pkce_verifier(pending.verifier)
            .set_redirect_uri(Cow::Owned(redirect))
            .request_async(&caller)
            .await;
        Ok(Answer {
            tokens: tokens.map_err(|e| self.refused(e, caller.status()))?,
            nonce: pending.nonce,
        })
    }

    /// The library's errors have the whole answer in them, tokens and all, so none is kept.
    fn refused(
        &self,
        error: RequestTokenError<HttpError, StandardErrorResponse<CoreErrorResponseType>>,
        status: u16,
    ) -> SsoError {
        let config = &self.config;
        let word = match error {
            RequestTokenError::Request(e) => return config.unusable(&format!("it cannot be reached: {}", short(e))),
            RequestTokenError::Parse(..) if status == 200 => return config.untrusted(Flaw::Form),
            // Something in front of the provider, most often, with a page of its own.
            RequestTokenError::Parse(e, _) => {
                let endpoint = self.client.token_uri().map_or("", |u| u.url().path());
                let at = short(e.path());
                return config.unusable(&format!(
                    "{endpoint} answered {status}, with what cannot be read at {at}"
                ));
            }
            RequestTokenError::Other(text) => return config.unusable(&short(text)),
            RequestTokenError::ServerResponse(response) => match response.error() {
                CoreErrorResponseType::InvalidGrant => {
                    return SsoError::Code {
                        provider: config.name.clone(),
                    };
                }
                CoreErrorResponseType::InvalidClient => {
                    "invalid_client: check client_id and client_secret in DASH_OIDC"
                }
                CoreErrorResponseType::UnauthorizedClient => {
                    "unauthorized_client: allow the authorization code grant for this client at the provider"
                }
                CoreErrorResponseType::UnsupportedGrantType => {
                    "unsupported_grant_type: it takes no authorization codes"
                }
                CoreErrorResponseType::InvalidScope => "invalid_scope: check scopes in DASH_OIDC",
                CoreErrorResponseType::InvalidRequest => {
                    "invalid_request: is the address that it sends browsers back to registered at the provider?"
                }
                // Among them those that RFC 6749 has for the browser alone, such as server_error.
                CoreErrorResponseType::Extension(_) => {
                    return config.unusable("it refused the code, with an error of its own");
                }
            },
        };
        SsoError::Client {
            provider: config.name.clone(),
            detail: format!("{} at {}: {word}", config.slug, config.issuer),
        }
    }
}
