//! What is kept of a passkey.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use webauthn_rs::prelude::Passkey;

/// A passkey as the database has it, in JSON: whose it is, its public key, its counter and how it was registered. Nothing of it is secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stored {
    pub(crate) user: Uuid,
    pub(crate) passkey: Passkey,
}

impl Stored {
    /// By which it is found. Has to be unique in the whole table: a key that two people have registered would sign in either.
    pub fn id(&self) -> Vec<u8> {
        self.passkey.cred_id().to_vec()
    }

    pub fn user(&self) -> Uuid {
        self.user
    }
}

/// Somebody who signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub user: Uuid,
    pub credential_id: Vec<u8>,
    /// To be kept instead of what was; nothing when it is the same. Without it a copy of the key is not noticed.
    pub updated: Option<Stored>,
}
