//! The two halves of registering and of signing in.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::{Host, Url};
use uuid::Uuid;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    Webauthn, WebauthnBuilder,
};

use crate::{PasskeyError, SetupError, SignedIn, Stored};

/// How long an answer may take. Dialogs of browsers end after the five minutes that options ask for. The list under a field does not heed them
/// and waits for as long as its page is open, so that the script asks for new options every five minutes.
const LIFETIME: Duration = Duration::from_secs(600);

/// Bytes; by [WebAuthn](https://www.w3.org/TR/webauthn-3/#sctn-registering-a-new-credential) no id is longer.
const LONGEST_ID: usize = 1_023;

/// The passkeys of one server.
#[derive(Clone, Debug)]
pub struct Passkeys {
    webauthn: Webauthn,
}

/// The first half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// For the browser, in JSON: what `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` takes.
    pub options: String,
    /// For the session on the server, never for the browser. To be taken out of there before the second half, so that one answer counts once.
    pub state: String,
}

/// A state as the session has it.
#[derive(Serialize, Deserialize)]
struct Kept<S> {
    /// Seconds of Unix time.
    begun: u64,
    /// Who registers; nobody yet for who signs in.
    user: Option<Uuid>,
    ceremony: S,
}

#[derive(Serialize, Deserialize)]
struct Registration {
    /// Those that the device must not make again.
    known: Vec<CredentialID>,
    library: PasskeyRegistration,
}

impl Passkeys {
    /// For the address that browsers open. Its host is what all keys are bound to: when it changes, they are lost.
    ///
    /// # Errors
    /// [`SetupError`]: then this server has no passkeys.
    pub fn new(base_url: &Url) -> Result<Self, SetupError> {
        let url = || base_url.origin().ascii_serialization();
        let host = match base_url.host() {
            Some(Host::Domain(host)) => host,
            Some(address) => {
                return Err(SetupError::Address {
                    host: address.to_string(),
                });
            }
            None => return Err(SetupError::Form { url: url() }),
        };
        let own = host == "localhost" || host.ends_with(".localhost");
        match base_url.scheme() {
            "https" => {}
            "http" if own => {}
            "http" => return Err(SetupError::Insecure { url: url() }),
            _ => return Err(SetupError::Form { url: url() }),
        }
        let builder = WebauthnBuilder::new(host, base_url).map(|b| b.rp_name("Dash"));
        let webauthn = builder.and_then(WebauthnBuilder::build);
        let webauthn = webauthn.map_err(|_| SetupError::Form { url: url() })?;
        Ok(Self { webauthn })
    }

    /// Asks for a new passkey of `user`, who is signed in. The `existing` ones are not made a second time on the same device.
    ///
    /// # Errors
    /// [`PasskeyError::NoName`] without an address.
    pub fn begin_registration(
        &self,
        user: Uuid,
        email: &str,
        display_name: &str,
        existing: &[Stored],
    ) -> Result<Begun, PasskeyError> {
        let name = Some(display_name.trim()).filter(|n| !n.is_empty()).unwrap_or(email);
        let known: Vec<_> = existing.iter().map(|s| s.passkey.cred_id().clone()).collect();
        let begun = self
            .webauthn
            .start_passkey_registration(user, email, name, Some(known.clone()));
        let (challenge, library) = begun?;
        let mut options = to_json(&challenge.public_key);
        // The library discourages it, for keys of the past with little room. Without it nobody could sign in without saying who they are.
        options["authenticatorSelection"]["residentKey"] = json!("required");
        options["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok(begin(&options, Some(user), Registration { known, library }))
    }

    /// The passkey that `user`, still signed in, has made. It counts once it is stored, under an id that nobody else has.
    ///
    /// # Errors
    /// [`PasskeyError`]
    pub fn finish_registration(&self, user: Uuid, state: &str, response: &str) -> Result<Stored, PasskeyError> {
        let kept: Kept<Registration> = resume(state)?;
        // The session could have changed hands in between.
        if kept.user != Some(user) {
            return Err(PasskeyError::State);
        }
        let response: RegisterPublicKeyCredential = read(response)?;
        let Registration { known, library } = kept.ceremony;
        match self.webauthn.finish_passkey_registration(&response, &library) {
            Ok(passkey) if passkey.cred_id().len() > LONGEST_ID => Err(PasskeyError::LongId),
            Ok(passkey) => Ok(Stored { user, passkey }),
            // The library refuses it too, as a wrong algorithm.
            Err(_) if known.contains(&response.raw_id) => Err(PasskeyError::Again),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for any passkey of this server.
    ///
    /// # Errors
    /// None that can be helped: it asks for nothing that could be wrong.
    pub fn begin_sign_in(&self) -> Result<Begun, PasskeyError> {
        let (challenge, ceremony) = self.webauthn.start_discoverable_authentication()?;
        Ok(begin(&to_json(&challenge.public_key), None, ceremony))
    }

    /// Whose passkey answered, and its id: what to look up. Only a claim, until [`Self::finish_sign_in`] has checked it.
    ///
    /// # Errors
    /// [`PasskeyError::Form`], or [`PasskeyError::Unknown`] when the key does not say whose it is.
    pub fn who(&self, response: &str) -> Result<(Uuid, Vec<u8>), PasskeyError> {
        let response: PublicKeyCredential = read(response)?;
        let (user, id) = self.webauthn.identify_discoverable_authentication(&response)?;
        Ok((user, id.to_vec()))
    }

    /// Who signed in, by one of the passkeys that are `stored` for whom [`Self::who`] said.
    ///
    /// # Errors
    /// [`PasskeyError`]
    pub fn finish_sign_in(&self, state: &str, response: &str, stored: &[Stored]) -> Result<SignedIn, PasskeyError> {
        let kept: Kept<DiscoverableAuthentication> = resume(state)?;
        let response: PublicKeyCredential = read(response)?;
        let (user, id) = self.webauthn.identify_discoverable_authentication(&response)?;
        let stored = stored.iter().find(|s| s.user == user && s.passkey.cred_id()[..] == *id);
        let stored = stored.ok_or(PasskeyError::Unknown)?;
        // The library looks at this when a key is made, not when it is used.
        if within_another_site(&response)? {
            return Err(PasskeyError::Origin);
        }
        let result = self
            .webauthn
            .finish_discoverable_authentication_v2(&response, kept.ceremony, &stored.passkey)?;
        let mut updated = stored.clone();
        let changed = updated.passkey.update_credential(&result) == Some(true);
        Ok(SignedIn {
            user,
            credential_id: stored.id(),
            updated: changed.then_some(updated),
        })
    }
}

/// Whether the page that asked was a frame in somebody else's.
fn within_another_site(response: &PublicKeyCredential) -> Result<bool, PasskeyError> {
    let client: Value = serde_json::from_slice(&response.response.client_data_json).map_err(|_| PasskeyError::Form)?;
    Ok(client["crossOrigin"] == json!(true))
}

fn begin<S: Serialize>(options: &Value, user: Option<Uuid>, ceremony: S) -> Begun {
    let kept = Kept {
        begun: now(),
        user,
        ceremony,
    };
    Begun {
        options: options.to_string(),
        state: to_json(&kept).to_string(),
    }
}

fn resume<S: DeserializeOwned>(state: &str) -> Result<Kept<S>, PasskeyError> {
    let kept: Kept<S> = serde_json::from_str(state).map_err(|_| PasskeyError::State)?;
    if now() > kept.begun.saturating_add(LIFETIME.as_secs()) {
        return Err(PasskeyError::Expired);
    }
    Ok(kept)
}

fn read<T: DeserializeOwned>(response: &str) -> Result<T, PasskeyError> {
    serde_json::from_str(response).map_err(|_| PasskeyError::Form)
}

fn to_json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).expect("texts, numbers and lists of them are JSON")
}

/// Seconds of Unix time.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |s| s.as_secs())
}
