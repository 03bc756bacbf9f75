//! Letters on their way. They are written in the transaction of what they tell of, and sent by whoever finds them due.

use chrono::{DateTime, Utc};
use dash_model::Micros;
use dash_vault::{Place, Vault};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::SecretSlice;
use uuid::Uuid;

use super::{micros, time};
use crate::{DbError, schema::mails};

/// A letter.
#[derive(Debug)]
pub struct Mail {
    pub id: Uuid,
    pub recipient: String,
    /// As it was queued.
    pub body: SecretSlice<u8>,
    pub created_at: Micros,
    /// This one included, when it was taken to be sent.
    pub attempts: i32,
    pub error: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = mails, check_for_backend(diesel::pg::Pg))]
struct Row {
    id: Uuid,
    recipient: String,
    body: Vec<u8>,
    created_at: DateTime<Utc>,
    attempts: i32,
    error: Option<String>,
}

pub(super) fn place(row: &str) -> Place<'_> {
    Place {
        table: "mails",
        column: "body",
        row,
    }
}

impl Row {
    fn open(self, vault: &Vault) -> Result<Mail, DbError> {
        Ok(Mail {
            body: vault.open(&place(&self.id.to_string()), &self.body)?,
            id: self.id,
            recipient: self.recipient,
            created_at: micros(self.created_at),
            attempts: self.attempts,
            error: self.error,
        })
    }
}

/// Queues a letter to be sent at once.
pub async fn queue(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    recipient: &str,
    body: &[u8],
    now: Micros,
) -> Result<Uuid, DbError> {
    let id = Uuid::now_v7();
    diesel::insert_into(mails::table)
        .values((
            mails::id.eq(id),
            mails::recipient.eq(recipient),
            mails::body.eq(vault.seal(&place(&id.to_string()), body)),
            mails::created_at.eq(time(now)),
            mails::next_attempt_at.eq(time(now)),
        ))
        .execute(conn)
        .await?;
    Ok(id)
}

/// Takes letters that are due; nobody else takes them before `again`.
pub async fn take(
    conn: &mut AsyncPgConnection,
    vault: &Vault,
    now: Micros,
    again: Micros,
    limit: i64,
) -> Result<Vec<Mail>, DbError> {
    let due = mails::table
        .filter(mails::sent_at.is_null())
        .filter(mails::given_up_at.is_null())
        .filter(mails::next_attempt_at.le(time(now)))
        .order((mails::next_attempt_at, mails::id))
        .limit(limit)
        .select(mails::id)
        .for_update()
        .skip_locked();
    let ids: Vec<Uuid> = due.load(conn).await?;
    let rows: Vec<Row> = diesel::update(mails::table.filter(mails::id.eq_any(ids)))
        .set((
            mails::next_attempt_at.eq(time(again)),
            mails::attempts.eq(mails::attempts + 1),
        ))
        .returning(Row::as_returning())
        .get_results(conn)
        .await?;
    rows.into_iter().map(|row| row.open(vault)).collect()
}

/// It is sent: nothing is kept of what it said.
pub async fn sent(conn: &mut AsyncPgConnection, id: Uuid) -> Result<(), DbError> {
    diesel::delete(mails::table.find(id)).execute(conn).await?;
    Ok(())
}

/// It was not sent; `next` is when it is tried again, nothing when it is given up.
pub async fn failed(
    conn: &mut AsyncPgConnection,
    id: Uuid,
    error: &str,
    next: Option<Micros>,
    now: Micros,
) -> Result<(), DbError> {
    diesel::update(mails::table.find(id))
        .set((
            mails::error.eq(error),
            mails::next_attempt_at.eq(time(next.unwrap_or(now))),
            mails::given_up_at.eq(next.is_none().then(|| time(now))),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The newest, for the mailbox of a server that sends none.
pub async fn newest(conn: &mut AsyncPgConnection, vault: &Vault, limit: i64) -> Result<Vec<Mail>, DbError> {
    let rows: Vec<Row> = mails::table
        .order((mails::created_at.desc(), mails::id.desc()))
        .limit(limit)
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| row.open(vault)).collect()
}

/// Deletes what is older; answers how many.
pub async fn prune(conn: &mut AsyncPgConnection, before: Micros) -> Result<usize, DbError> {
    Ok(diesel::delete(mails::table.filter(mails::created_at.lt(time(before))))
        .execute(conn)
        .await?)
}
