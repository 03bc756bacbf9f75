//! Sessions: tower-sessions over the database, which knows the hash of an id alone.

use std::fmt;

use async_trait::async_trait;
use dash_db::{
    Db, DbError,
    store::sessions::{self, Kept, SessionHash},
};
use dash_model::{Micros, OrganizationId, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

/// Under which [`SignedIn`] is kept.
pub const SIGNED_IN: &str = "in";
/// Under which [`Waiting`] is kept.
pub const WAITING: &str = "waiting";

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignedIn {
    pub user: UserId,
    /// The one that is looked at.
    pub organization: Option<OrganizationId>,
    pub since: Micros,
    pub seen: Micros,
    /// In words.
    pub agent: String,
    pub address: Option<String>,
}

/// Somebody whose password was right and whose code is awaited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    pub user: UserId,
    pub until: Micros,
    pub to: Option<String>,
}

/// By which a session is found.
pub fn hash_of(id: &Id) -> SessionHash {
    Sha256::digest(id.0.to_le_bytes()).into()
}

/// Cheap to clone.
#[derive(Clone)]
pub struct DbSessions(pub Db);

impl fmt::Debug for DbSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DbSessions")
    }
}

#[async_trait]
impl SessionStore for DbSessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let mut connection = self.0.diesel().await.map_err(backend)?;
        sessions::create(&mut connection, &hash_of(&record.id), &kept(record)?)
            .await
            .map_err(backend)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let mut connection = self.0.diesel().await.map_err(backend)?;
        let (hash, kept, now) = (hash_of(&record.id), kept(record)?, crate::clock::now());
        // One that was ended meanwhile stays ended.
        let saved = sessions::save(&mut connection, &hash, &kept, now).await;
        saved.map(drop).map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let mut connection = self.0.diesel().await.map_err(backend)?;
        let found = sessions::load(&mut connection, &hash_of(id), crate::clock::now()).await;
        let Some(kept) = found.map_err(backend)? else {
            return Ok(None);
        };
        Ok(Some(Record {
            id: *id,
            data: serde_json::from_value(kept.data).map_err(|e| Error::Decode(e.to_string()))?,
            expiry_date: OffsetDateTime::from_unix_timestamp(kept.expires_at.0 / 1_000_000)
                .map_err(|e| Error::Decode(e.to_string()))?,
        }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let mut connection = self.0.diesel().await.map_err(backend)?;
        let gone = sessions::delete(&mut connection, &hash_of(id)).await;
        gone.map(drop).map_err(backend)
    }
}

fn kept(record: &Record) -> Result<Kept> {
    let signed_in = record
        .data
        .get(SIGNED_IN)
        .and_then(|value| serde_json::from_value::<SignedIn>(value.clone()).ok());
    Ok(Kept {
        user: signed_in.map(|signed_in| signed_in.user),
        data: serde_json::to_value(&record.data).map_err(|e| Error::Encode(e.to_string()))?,
        expires_at: Micros(record.expiry_date.unix_timestamp().saturating_mul(1_000_000)),
    })
}

fn backend(error: DbError) -> Error {
    Error::Backend(error.to_string())
}
