//! Links that work once.

use chrono::{DateTime, Utc};
use dash_model::{Micros, UserId};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::time;
use crate::{DbError, error::AccountError, schema::one_time_tokens};

/// The row of a token that can be used now.
#[diesel::dsl::auto_type]
fn usable<'a>(hash: &'a [u8; 32], purpose: &'a str, now: Micros) -> _ {
    let hash: &'a [u8] = hash.as_slice();
    let now: DateTime<Utc> = time(now);
    one_time_tokens::table
        .find(hash)
        .filter(one_time_tokens::purpose.eq(purpose))
        .filter(one_time_tokens::used_at.is_null())
        .filter(one_time_tokens::expires_at.gt(now))
}

/// Keeps a token of somebody, or of whoever will be the first; an earlier one for the same purpose stops working.
pub async fn issue(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    purpose: &str,
    user: Option<UserId>,
    now: Micros,
    expires_at: Micros,
) -> Result<(), DbError> {
    let write = async |conn: &mut AsyncPgConnection| {
        let earlier = one_time_tokens::table
            .filter(one_time_tokens::user_id.is_not_distinct_from(user.map(|u| u.0)))
            .filter(one_time_tokens::purpose.eq(purpose));
        diesel::delete(earlier).execute(conn).await?;
        diesel::insert_into(one_time_tokens::table)
            .values((
                one_time_tokens::hash.eq(hash.as_slice()),
                one_time_tokens::purpose.eq(purpose),
                one_time_tokens::user_id.eq(user.map(|u| u.0)),
                one_time_tokens::created_at.eq(time(now)),
                one_time_tokens::expires_at.eq(time(expires_at)),
            ))
            .execute(conn)
            .await?;
        Ok(())
    };
    conn.transaction(write).await
}

/// Uses a token up and answers whose it was, if it was somebody's. Of two who use it at once, one gets it.
///
/// # Errors
/// [`AccountError::LinkGone`]
pub async fn take(
    conn: &mut AsyncPgConnection,
    hash: &[u8; 32],
    purpose: &str,
    now: Micros,
) -> Result<Option<UserId>, DbError> {
    let user: Option<Option<Uuid>> = diesel::update(usable(hash, purpose, now))
        .set(one_time_tokens::used_at.eq(time(now)))
        .returning(one_time_tokens::user_id)
        .get_result(conn)
        .await
        .optional()?;
    user.map(|user| user.map(UserId))
        .ok_or_else(|| AccountError::LinkGone.into())
}

/// Whether [`take`] would find it: what a page shows before its button is pressed, since scanners of mail open links.
pub async fn works(conn: &mut AsyncPgConnection, hash: &[u8; 32], purpose: &str, now: Micros) -> Result<bool, DbError> {
    let works = diesel::dsl::exists(usable(hash, purpose, now));
    Ok(diesel::select(works).get_result(conn).await?)
}

/// Deletes what expired before `before`; answers how many.
pub async fn forget(conn: &mut AsyncPgConnection, before: Micros) -> Result<usize, DbError> {
    let expired = one_time_tokens::table.filter(one_time_tokens::expires_at.lt(time(before)));
    Ok(diesel::delete(expired).execute(conn).await?)
}
