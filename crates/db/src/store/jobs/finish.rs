//! How a job ends, or comes again.

use dash_model::Micros;
use diesel::{
    QueryableByName, sql_query,
    sql_types::{BigInt, Bool, Integer, Nullable, Text, Timestamptz},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::State;
use crate::{DbError, store::time};

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// It need not be done any more.
    Cancel {
        reason: String,
    },
    /// It failed; it is tried again at `at`, unless that was the last attempt.
    Retry {
        error: String,
        at: Micros,
    },
    /// Not now; this attempt does not count.
    Snooze {
        at: Micros,
    },
    /// It failed in a way that another attempt would not change.
    Discard {
        error: String,
    },
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Cancel { .. } => "cancel",
            Self::Retry { .. } => "retry",
            Self::Snooze { .. } => "snooze",
            Self::Discard { .. } => "discard",
        }
    }

    fn error(&self) -> Option<&str> {
        match self {
            Self::Cancel { reason: error } | Self::Retry { error, .. } | Self::Discard { error } => Some(error),
            Self::Done | Self::Snooze { .. } => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is in this state now.
    As(State),
    /// Somebody else has the job by now, or it is gone: what was said does not count.
    Lost,
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
}

/// Says what came of an attempt under a lease.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    id: i64,
    lease: i64,
    outcome: &Outcome,
    now: Micros,
) -> Result<Finish, DbError> {
    let work = async |conn: &mut AsyncPgConnection| {
        let held: Vec<Held> = sql_query(
            "SELECT attempt, max_attempts FROM jobs WHERE id = $1 AND lease = $2 AND state = 'executing' FOR UPDATE",
        )
        .bind::<BigInt, _>(id)
        .bind::<BigInt, _>(lease)
        .load(conn)
        .await?;
        let Some(held) = held.into_iter().next() else {
            return Ok(Finish::Lost);
        };
        let (state, at) = match outcome {
            Outcome::Done => (State::Completed, None),
            Outcome::Cancel { .. } => (State::Cancelled, None),
            Outcome::Discard { .. } => (State::Discarded, None),
            Outcome::Retry { .. } if held.attempt >= held.max_attempts => (State::Discarded, None),
            Outcome::Retry { at, .. } => (State::Retryable, Some(*at)),
            Outcome::Snooze { at } => (State::Scheduled, Some(*at)),
        };
        let snoozed = matches!(outcome, Outcome::Snooze { .. });
        sql_query(
            "UPDATE jobs SET state = $2, scheduled_at = coalesce($3, scheduled_at), ended_at = $4, attempt = attempt - $5,
                    node = NULL, lease = NULL, lease_until = NULL WHERE id = $1",
        )
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(state.word())
        .bind::<Nullable<Timestamptz>, _>(at.map(time))
        .bind::<Nullable<Timestamptz>, _>(at.is_none().then(|| time(now)))
        .bind::<Integer, _>(i32::from(snoozed))
        .execute(conn)
        .await?;
        ended(conn, id, held.attempt, outcome.word(), outcome.error(), now).await?;
        Ok(Finish::As(state))
    };
    conn.transaction(work).await
}

/// Writes down how the newest attempt at a job ended.
pub(super) async fn ended(
    conn: &mut AsyncPgConnection,
    id: i64,
    attempt: i32,
    outcome: &str,
    error: Option<&str>,
    now: Micros,
) -> Result<(), DbError> {
    sql_query(
        "UPDATE job_attempts SET ended_at = $3, outcome = $4, error = $5 WHERE job_id = $1 AND attempt = $2 AND ended_at IS NULL",
    )
    .bind::<BigInt, _>(id)
    .bind::<Integer, _>(attempt)
    .bind::<Timestamptz, _>(time(now))
    .bind::<Text, _>(outcome)
    .bind::<Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// Cancels a job: at once when nobody works at it, else by asking whoever does. False when it has ended.
pub async fn cancel(conn: &mut AsyncPgConnection, id: i64, now: Micros) -> Result<bool, DbError> {
    let sql = "
        UPDATE jobs SET
            cancel_requested = (state = 'executing'),
            ended_at = CASE WHEN state = 'executing' THEN NULL ELSE $2 END,
            state = CASE WHEN state = 'executing' THEN state ELSE 'cancelled' END
        WHERE id = $1 AND ended_at IS NULL";
    let changed = sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Timestamptz, _>(time(now))
        .execute(conn)
        .await?;
    Ok(changed > 0)
}

/// Makes a job that has ended, or waits, available once more; with one more attempt where it had used all. False while it is executing.
pub async fn retry(conn: &mut AsyncPgConnection, id: i64, now: Micros) -> Result<bool, DbError> {
    #[derive(QueryableByName)]
    struct Changed {
        #[diesel(sql_type = Bool)]
        changed: bool,
    }
    let sql = "
        WITH again AS (
            UPDATE jobs SET state = 'available', scheduled_at = $2, ended_at = NULL, cancel_requested = false,
                            max_attempts = greatest(max_attempts, attempt + 1)
            WHERE id = $1 AND state NOT IN ('executing', 'available') RETURNING id
        )
        SELECT EXISTS (SELECT FROM again) AS changed";
    let changed: Changed = sql_query(sql)
        .bind::<BigInt, _>(id)
        .bind::<Timestamptz, _>(time(now))
        .get_result(conn)
        .await?;
    Ok(changed.changed)
}
