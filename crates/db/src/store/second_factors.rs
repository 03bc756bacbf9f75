//! Second factors: the secret of an app's codes, and recovery codes.

use chrono::{DateTime, Utc};
use dash_model::{Micros, UserId};
use dash_vault::{Place, Vault};
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretSlice};

use super::{micros, time};
use crate::{
    DbError,
    schema::{recovery_codes, second_factors},
};

#[derive(Debug)]
pub struct SecondFactor {
    pub secret: SecretSlice<u8>,
    /// Nothing until a code of it was typed once: until then it is asked of nobody.
    pub confirmed_at: Option<Micros>,
    pub last_step: Option<u64>,
}

pub(super) fn place(row: &str) -> Place<'_> {
    Place {
        table: "second_factors",
        column: "secret",
        row,
    }
}

/// Begins with a new secret, unless there is a confirmed one; answers whether there was none.
pub async fn begin(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    user: UserId,
    secret: &SecretSlice<u8>,
) -> Result<bool, DbError> {
    let sealed = vault.seal(&place(&user.to_string()), secret.expose_secret());
    let write = async |conn: &mut AsyncPgConnection| {
        let unconfirmed = second_factors::table
            .find(user.0)
            .filter(second_factors::confirmed_at.is_null());
        diesel::delete(unconfirmed).execute(conn).await?;
        let written = diesel::insert_into(second_factors::table)
            .values((second_factors::user_id.eq(user.0), second_factors::secret.eq(&sealed)))
            .on_conflict_do_nothing()
            .execute(conn)
            .await?;
        Ok(written > 0)
    };
    conn.transaction(write).await
}

/// # Errors
/// [`DbError::Secret`] when it does not open.
pub async fn get(conn: &mut AsyncPgConnection, vault: &Vault, user: UserId) -> Result<Option<SecondFactor>, DbError> {
    type Row = (Vec<u8>, Option<DateTime<Utc>>, Option<i64>);
    let row: Option<Row> = second_factors::table
        .find(user.0)
        .select((
            second_factors::secret,
            second_factors::confirmed_at,
            second_factors::last_step,
        ))
        .first(conn)
        .await
        .optional()?;
    let Some((sealed, confirmed_at, last_step)) = row else {
        return Ok(None);
    };
    Ok(Some(SecondFactor {
        secret: vault.open(&place(&user.to_string()), &sealed)?,
        confirmed_at: confirmed_at.map(micros),
        last_step: last_step.and_then(|step| step.try_into().ok()),
    }))
}

/// Whether somebody has to type a code.
pub async fn is_on(conn: &mut AsyncPgConnection, user: UserId) -> Result<bool, DbError> {
    let confirmed = second_factors::table
        .find(user.0)
        .filter(second_factors::confirmed_at.is_not_null());
    Ok(diesel::select(diesel::dsl::exists(confirmed)).get_result(conn).await?)
}

/// Uses the code of a step up; false when it, or a later one, was used before. Of two who use the same at once, one gets it. The first one
/// confirms the secret.
pub async fn use_step(conn: &mut AsyncPgConnection, user: UserId, step: u64, now: Micros) -> Result<bool, DbError> {
    let step = i64::try_from(step).unwrap_or(i64::MAX);
    let unused = second_factors::last_step
        .is_null()
        .or(second_factors::last_step.lt(step));
    let used = diesel::update(second_factors::table.find(user.0).filter(unused))
        .set((
            second_factors::last_step.eq(step),
            second_factors::confirmed_at.eq(diesel::dsl::sql::<
                diesel::sql_types::Nullable<diesel::sql_types::Timestamptz>,
            >("coalesce(confirmed_at, ")
            .bind::<diesel::sql_types::Timestamptz, _>(time(now))
            .sql(")")),
        ))
        .execute(conn)
        .await?;
    Ok(used > 0)
}

/// Takes secret and recovery codes away.
pub async fn remove(conn: &mut AsyncPgConnection, user: UserId) -> Result<bool, DbError> {
    let write = async |conn: &mut AsyncPgConnection| {
        diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user.0)))
            .execute(conn)
            .await?;
        Ok(diesel::delete(second_factors::table.find(user.0)).execute(conn).await? > 0)
    };
    conn.transaction(write).await
}

/// Keeps the hashes of new recovery codes; those before stop working.
pub async fn set_recovery_codes(
    conn: &mut AsyncPgConnection,
    user: UserId,
    hashes: &[[u8; 32]],
) -> Result<(), DbError> {
    let write = async |conn: &mut AsyncPgConnection| {
        diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user.0)))
            .execute(conn)
            .await?;
        let rows: Vec<_> = hashes
            .iter()
            .map(|hash| {
                (
                    recovery_codes::user_id.eq(user.0),
                    recovery_codes::hash.eq(hash.as_slice()),
                )
            })
            .collect();
        diesel::insert_into(recovery_codes::table)
            .values(rows)
            .execute(conn)
            .await?;
        Ok(())
    };
    conn.transaction(write).await
}

/// Uses a recovery code up; false when it is none, or was used.
pub async fn use_recovery_code(
    conn: &mut AsyncPgConnection,
    user: UserId,
    hash: &[u8; 32],
    now: Micros,
) -> Result<bool, DbError> {
    let unused = recovery_codes::table
        .find((user.0, hash.as_slice()))
        .filter(recovery_codes::used_at.is_null());
    let used = diesel::update(unused)
        .set(recovery_codes::used_at.eq(time(now)))
        .execute(conn)
        .await?;
    Ok(used > 0)
}

/// How many recovery codes are left.
pub async fn recovery_codes_left(conn: &mut AsyncPgConnection, user: UserId) -> Result<i64, DbError> {
    Ok(recovery_codes::table
        .filter(recovery_codes::user_id.eq(user.0))
        .filter(recovery_codes::used_at.is_null())
        .count()
        .get_result(conn)
        .await?)
}
