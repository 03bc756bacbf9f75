//! Who is signed in where: what tower-sessions keeps, under the hash of the id that the browser has.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use dash_model::{Micros, UserId};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{hash as hash_of, micros, time};
use crate::{DbError, schema::sessions};

/// SHA-256 of a session's id.
pub type SessionHash = [u8; 32];

/// What is kept of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub user: Option<UserId>,
    pub data: serde_json::Value,
    pub expires_at: Micros,
}

/// A session as its owner sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    pub id: Uuid,
    pub hash: SessionHash,
    pub data: serde_json::Value,
    pub created_at: Micros,
    pub seen_at: Micros,
}

/// # Errors
/// [`DbError::Query`] when there is one of this hash: an id of 128 random bits that came twice is no accident.
pub async fn create(conn: &mut AsyncPgConnection, hash: &SessionHash, new: &Kept) -> Result<(), DbError> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::hash.eq(hash.as_slice()),
            sessions::id.eq(Uuid::now_v7()),
            sessions::user_id.eq(new.user.map(|u| u.0)),
            sessions::data.eq(&new.data),
            sessions::expires_at.eq(time(new.expires_at)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Changes a session that is there; answers whether it was. One that somebody ended meanwhile stays ended, or a request on its way would
/// bring it back.
pub async fn save(conn: &mut AsyncPgConnection, hash: &SessionHash, kept: &Kept, now: Micros) -> Result<bool, DbError> {
    let saved = diesel::update(sessions::table.find(hash.as_slice()))
        .set((
            sessions::user_id.eq(kept.user.map(|u| u.0)),
            sessions::data.eq(&kept.data),
            sessions::expires_at.eq(time(kept.expires_at)),
            sessions::seen_at.eq(time(now)),
        ))
        .execute(conn)
        .await?;
    Ok(saved > 0)
}

/// The session of this hash, if it has not expired.
pub async fn load(conn: &mut AsyncPgConnection, hash: &SessionHash, now: Micros) -> Result<Option<Kept>, DbError> {
    let row: Option<(Option<Uuid>, serde_json::Value, DateTime<Utc>)> = sessions::table
        .find(hash.as_slice())
        .filter(sessions::expires_at.gt(time(now)))
        .select((sessions::user_id, sessions::data, sessions::expires_at))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(user, data, expires_at)| Kept {
        user: user.map(UserId),
        data,
        expires_at: micros(expires_at),
    }))
}

/// Ends a session; answers whether it was there: of several that end the same one, one is told so.
pub async fn delete(conn: &mut AsyncPgConnection, hash: &SessionHash) -> Result<bool, DbError> {
    let gone = diesel::delete(sessions::table.find(hash.as_slice()))
        .execute(conn)
        .await?;
    Ok(gone > 0)
}

/// Where somebody is signed in, the last seen first.
pub async fn devices(conn: &mut AsyncPgConnection, user: UserId, now: Micros) -> Result<Vec<Device>, DbError> {
    type Row = (Uuid, Vec<u8>, serde_json::Value, DateTime<Utc>, DateTime<Utc>);
    let rows: Vec<Row> = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(sessions::expires_at.gt(time(now)))
        .order((sessions::seen_at.desc(), sessions::id))
        .select((
            sessions::id,
            sessions::hash,
            sessions::data,
            sessions::created_at,
            sessions::seen_at,
        ))
        .load(conn)
        .await?;
    let devices = rows.into_iter().map(|(id, hash, data, created_at, seen_at)| {
        Ok(Device {
            id,
            hash: hash_of("the hash of a session", &hash)?,
            data,
            created_at: micros(created_at),
            seen_at: micros(seen_at),
        })
    });
    devices.collect()
}

/// Signs somebody out of one device; answers whether it was theirs.
pub async fn end(conn: &mut AsyncPgConnection, user: UserId, id: Uuid) -> Result<bool, DbError> {
    let of = sessions::table
        .filter(sessions::id.eq(id))
        .filter(sessions::user_id.eq(user.0));
    Ok(diesel::delete(of).execute(conn).await? > 0)
}

/// Signs somebody out everywhere, or everywhere but in one session; answers how many ended.
pub async fn end_all(
    conn: &mut AsyncPgConnection,
    user: UserId,
    except: Option<&SessionHash>,
) -> Result<usize, DbError> {
    let kept = except.map_or(&[][..], |hash| hash.as_slice());
    let of = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(sessions::hash.ne(kept));
    Ok(diesel::delete(of).execute(conn).await?)
}

/// Which of these are still there.
pub async fn living(
    conn: &mut AsyncPgConnection,
    hashes: &[SessionHash],
    now: Micros,
) -> Result<HashSet<SessionHash>, DbError> {
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    let rows: Vec<Vec<u8>> = sessions::table
        .filter(sessions::hash.eq_any(hashes))
        .filter(sessions::expires_at.gt(time(now)))
        .select(sessions::hash)
        .load(conn)
        .await?;
    rows.iter().map(|hash| hash_of("the hash of a session", hash)).collect()
}

/// Deletes what has expired, and sessions of nobody that were not seen since `idle`; answers how many.
pub async fn prune(conn: &mut AsyncPgConnection, now: Micros, idle: Micros) -> Result<usize, DbError> {
    let expired = sessions::expires_at.le(time(now));
    let nobodys = sessions::user_id.is_null().and(sessions::seen_at.lt(time(idle)));
    let gone = sessions::table.filter(expired.or(nobodys));
    Ok(diesel::delete(gone).execute(conn).await?)
}
