//! Tokens for a person.

use openidconnect::{
    AccessTokenHash, ClaimsVerificationError, EmptyAdditionalClaims, EndUserName, LocalizedClaim, OAuth2TokenResponse,
    SignatureVerificationError, TokenResponse, UserInfoError,
    core::{CoreGenderClaim, CoreIdTokenClaims, CoreUserInfoClaims},
};

use crate::{Flaw, Http, HttpError, Provider, SsoError, error::short, exchange::Answer, http::Caller};

/// Subjects are at most that long by the specification.
const LONGEST_SUBJECT: usize = 255;
const LONGEST_NAME: usize = 100;
const LONGEST_EMAIL: usize = 254;

/// Who signed in. The pair of issuer and subject is the person, now and later; everything else can change and can be somebody else's tomorrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The slug of the provider.
    pub provider: String,
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    /// The provider vouches that the address is this person's. False when it does not say.
    pub email_verified: bool,
    /// Cut to 100 characters.
    pub name: Option<String>,
}

impl Provider {
    /// Who tokens are of. Can be asked again for the same tokens, with newer keys.
    pub(crate) async fn identity(&self, answer: &Answer, http: &dyn Http) -> Result<Identity, SsoError> {
        let claims = self.claims(answer).map_err(|f| self.config.untrusted(f))?;
        let subject = claims.subject().as_str();
        if subject.is_empty() || subject.len() > LONGEST_SUBJECT {
            return Err(self.config.untrusted(Flaw::Subject));
        }
        let mut email = claims.email().map(|e| e.as_str().to_owned());
        let mut email_verified = claims.email_verified();
        let mut name = claims.name().and_then(plain);
        if email.is_none() && self.config.scopes.iter().any(|s| s == "email") {
            let info = self.userinfo(answer, claims, http).await?;
            if let Some(info) = info {
                email = info.email().map(|e| e.as_str().to_owned());
                // What is verified is the address beside it.
                email_verified = info.email_verified();
                name = name.or_else(|| info.name().and_then(plain));
            }
        }
        let email = email.filter(|e| !e.is_empty() && e.len() <= LONGEST_EMAIL && !e.chars().any(char::is_control));
        Ok(Identity {
            provider: self.config.slug.clone(),
            issuer: self.config.issuer.to_string(),
            subject: subject.to_owned(),
            email_verified: email.is_some() && email_verified == Some(true),
            email,
            name,
        })
    }

    fn claims<'a>(&self, answer: &'a Answer) -> Result<&'a CoreIdTokenClaims, Flaw> {
        let token = answer.tokens.id_token().ok_or(Flaw::Missing)?;
        let verifier = self
            .client
            .id_token_verifier()
            .set_allowed_algs(self.algorithms.clone());
        let claims = token.claims(&verifier, &answer.nonce).map_err(flaw)?;
        if let Some(named) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|_| Flaw::Algorithm)?;
            let key = token.signing_key(&verifier).map_err(|_| Flaw::UnknownKey)?;
            let hash = AccessTokenHash::from_token(answer.tokens.access_token(), algorithm, key);
            if hash.map_err(|_| Flaw::Algorithm)? != *named {
                return Err(Flaw::AccessToken);
            }
        }
        Ok(claims)
    }

    /// The same person's claims, when there is a place to ask for them.
    async fn userinfo(
        &self,
        answer: &Answer,
        claims: &CoreIdTokenClaims,
        http: &dyn Http,
    ) -> Result<Option<CoreUserInfoClaims>, SsoError> {
        let token = answer.tokens.access_token();
        // The library puts it into a header, and panics when it cannot.
        if !token.secret().bytes().all(|b| b.is_ascii_graphic()) {
            return Err(self.config.untrusted(Flaw::AccessToken));
        }
        let Ok(request) = self.client.user_info(token.clone(), Some(claims.subject().clone())) else {
            return Ok(None);
        };
        let caller = Caller::new(http);
        let info = request
            .request_async::<EmptyAdditionalClaims, _, CoreGenderClaim>(&caller)
            .await;
        info.map(Some).map_err(|error: UserInfoError<HttpError>| match error {
            UserInfoError::ClaimsVerification(e) => self.config.untrusted(flaw(e)),
            UserInfoError::Request(e) => self
                .config
                .unusable(&format!("its userinfo cannot be reached: {}", short(e))),
            UserInfoError::Response(status, _, text) => {
                self.config.unusable(&format!("userinfo: {} ({status})", short(text)))
            }
            _ => self.config.untrusted(Flaw::Form),
        })
    }
}

fn flaw(error: ClaimsVerificationError) -> Flaw {
    use SignatureVerificationError as Signature;
    match error {
        ClaimsVerificationError::Expired(_) => Flaw::Expired,
        ClaimsVerificationError::InvalidAudience(_) => Flaw::Audience,
        ClaimsVerificationError::InvalidIssuer(_) => Flaw::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => Flaw::Nonce,
        ClaimsVerificationError::InvalidSubject(_) => Flaw::Subject,
        ClaimsVerificationError::SignatureVerification(e) => match e {
            Signature::NoMatchingKey => Flaw::UnknownKey,
            Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_) | Signature::NoSignature => Flaw::Algorithm,
            _ => Flaw::Signature,
        },
        _ => Flaw::Form,
    }
}

fn plain(name: &LocalizedClaim<EndUserName>) -> Option<String> {
    // The one without a language, or whichever comes first.
    let name = name.get(None).or_else(|| name.iter().next().map(|(_, n)| n))?;
    let name = name.trim().chars().filter(|c| !c.is_control());
    Some(name.take(LONGEST_NAME).collect()).filter(|n: &String| !n.is_empty())
}
