//! One provider, as it describes itself.

use std::{borrow::Cow, fmt};

use openidconnect::{
    AdditionalProviderMetadata, AuthType, ClientId, ClientSecret, CsrfToken, DiscoveryError, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, Nonce, PkceCodeChallenge, ProviderMetadata, RedirectUrl, Scope,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
        CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
        CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
    },
};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    Begun, Callback, Flaw, Http, HttpError, Identity, Pending, ProviderConfig, SsoError,
    config::safe,
    error::short,
    http::Caller,
    pending::{Sender, now},
};

/// Only the provider has the key that such a signature is made with. With HS256 everybody who can read the configuration could sign in as
/// anybody; `none` is no signature.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

pub(crate) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

type Metadata = ProviderMetadata<
    Promises,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What RFC 9207 adds to a provider's description.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Promises {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Promises {}

/// A provider that has been asked for its addresses and keys. They change now and then: [`Providers`](crate::Providers) asks again.
pub struct Provider {
    pub(crate) config: ProviderConfig,
    pub(crate) client: Client,
    pub(crate) algorithms: Vec<CoreJwsSigningAlgorithm>,
    says_issuer: bool,
}

impl Provider {
    /// Asks a provider for its description and its keys.
    ///
    /// # Errors
    /// [`SsoError::Provider`] when it cannot be reached, describes somebody else, or would have secrets sent in clear.
    pub async fn discover(config: ProviderConfig, http: &dyn Http) -> Result<Self, SsoError> {
        let caller = Caller::new(http);
        let metadata = Metadata::discover_async(config.issuer.clone(), &caller).await;
        let metadata = metadata.map_err(|e| config.unusable(&reason(e)))?;
        check_addresses(&config.issuer, &metadata).map_err(|e| config.unusable(&e))?;
        let offered = metadata.id_token_signing_alg_values_supported();
        let algorithms: Vec<_> = ALGORITHMS.into_iter().filter(|a| offered.contains(a)).collect();
        if algorithms.is_empty() {
            return Err(config.untrusted(Flaw::Algorithm));
        }
        let says_issuer = metadata
            .additional_metadata()
            .authorization_response_iss_parameter_supported;
        // By the specification a provider that says nothing takes HTTP Basic.
        let methods = metadata.token_endpoint_auth_methods_supported();
        let posted = methods.is_some_and(|m| {
            m.contains(&CoreClientAuthMethod::ClientSecretPost) && !m.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
        let secret = config
            .client_secret
            .as_ref()
            .map(|s| ClientSecret::new(s.expose_secret().to_owned()));
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(config.client_id.clone()), secret);
        let client = if posted {
            client.set_auth_type(AuthType::RequestBody)
        } else {
            client
        };
        Ok(Self {
            config,
            client,
            algorithms,
            says_issuer,
        })
    }

    /// Where the browser goes to sign in; the provider sends it back to `redirect_url`, which has to be registered there.
    pub fn begin(&self, redirect_url: &Url) -> Begun {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let request = self
            .client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        let (url, state, nonce) = request
            .set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect_url.clone())))
            .add_scopes(self.config.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();
        let pending = Pending {
            provider: self.config.slug.clone(),
            begun: now(),
            redirect: redirect_url.clone(),
            state,
            nonce,
            verifier,
        };
        Begun { url, pending }
    }

    /// Who came back.
    ///
    /// # Errors
    /// [`SsoError`]
    pub async fn finish(&self, pending: Pending, callback: &Callback, http: &dyn Http) -> Result<Identity, SsoError> {
        let answer = self.exchange(pending, callback, http).await?;
        self.identity(&answer, http).await
    }

    pub(crate) fn sender(&self) -> Sender<'_> {
        Sender {
            slug: &self.config.slug,
            issuer: &self.config.issuer,
            says_issuer: self.says_issuer,
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({} at {})", self.config.slug, self.config.issuer)
    }
}

impl ProviderConfig {
    pub(crate) fn unusable(&self, reason: &str) -> SsoError {
        SsoError::Provider {
            provider: self.name.clone(),
            detail: format!("{} at {}: {reason}", self.slug, self.issuer),
        }
    }

    pub(crate) fn untrusted(&self, flaw: Flaw) -> SsoError {
        SsoError::Untrusted {
            provider: self.name.clone(),
            slug: self.slug.clone(),
            issuer: self.issuer.to_string(),
            flaw,
        }
    }
}

/// A provider behind TLS has no part of itself in clear: codes, secrets and tokens would go there.
fn check_addresses(issuer: &IssuerUrl, metadata: &Metadata) -> Result<(), String> {
    let Some(token) = metadata.token_endpoint() else {
        return Err("its description has no token_endpoint, which signing in needs".to_owned());
    };
    let all = [
        ("authorization_endpoint", Some(metadata.authorization_endpoint().url())),
        ("token_endpoint", Some(token.url())),
        ("jwks_uri", Some(metadata.jwks_uri().url())),
        ("userinfo_endpoint", metadata.userinfo_endpoint().map(|u| u.url())),
    ];
    let encrypted = issuer.url().scheme() == "https";
    let wrong = |url: &Url| !safe(url) || (encrypted && url.scheme() != "https");
    match all.into_iter().find(|(_, url)| url.is_some_and(wrong)) {
        Some((field, _)) => Err(format!("the {field} in its description is not https")),
        None => Ok(()),
    }
}

fn reason(error: DiscoveryError<HttpError>) -> String {
    match error {
        DiscoveryError::Request(e) => format!("it cannot be reached: {}", short(e)),
        DiscoveryError::Validation(text) => format!("{}; write issuer in DASH_OIDC as the provider does", short(text)),
        DiscoveryError::Response(_, _, text) => {
            format!(
                "no description of a provider there: {}; check issuer in DASH_OIDC",
                short(text)
            )
        }
        DiscoveryError::Parse(e) => format!("its description cannot be read at {}: {}", e.path(), short(e.inner())),
        other => short(other),
    }
}
