//! How a job ends, or comes again.

use dash_model::Micros;
use diesel::{
    QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{State, failure};
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

/// What came of saying that jobs succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Those that count. Of the others somebody else has the lease by now.
    pub ids: Vec<i64>,
    /// Something that waited does not wait any more.
    pub freed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is in this state now.
    As(State),
    /// Somebody else has the job by now, or it is gone: what was said does not count.
    Lost,
}

/// Ends attempts that succeeded, many at once, under their leases. Whoever waited for such a job waits for one less.
pub async fn complete(conn: &mut AsyncPgConnection, held: &[(i64, i64)], now: Micros) -> Result<Completed, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        id: i64,
        #[diesel(sql_type = Bool)]
        freed: bool,
    }
    let (ids, leases): (Vec<i64>, Vec<i64>) = held.iter().copied().unzip();
    let sql = "
        WITH completed AS (
            UPDATE jobs j SET state = 'completed', ended_at = $3, lease = NULL, lease_until = NULL
            FROM unnest($1::bigint[], $2::bigint[]) AS h(id, lease)
            WHERE j.id = h.id AND j.lease = h.lease AND j.state = 'executing' RETURNING j.id
        ), freed AS (
            UPDATE jobs j SET waits_for = greatest(0, j.waits_for - n.jobs)
            FROM (SELECT d.job_id, count(*)::integer AS jobs FROM job_dependencies d JOIN completed c ON c.id = d.needs_id GROUP BY d.job_id) n
            WHERE j.id = n.job_id RETURNING j.waits_for
        )
        SELECT id, EXISTS (SELECT FROM freed WHERE waits_for = 0) AS freed FROM completed";
    let rows: Vec<Row> = sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
        .bind::<Array<BigInt>, _>(leases)
        .bind::<Timestamptz, _>(time(now))
        .load(conn)
        .await?;
    Ok(Completed {
        freed: rows.iter().any(|row| row.freed),
        ids: rows.into_iter().map(|row| row.id).collect(),
    })
}

#[derive(QueryableByName)]
struct Held {
    #[diesel(sql_type = Integer)]
    attempt: i32,
    #[diesel(sql_type = Integer)]
    max_attempts: i32,
    #[diesel(sql_type = Bool)]
    cancel_requested: bool,
}

/// Says what came of an attempt under a lease.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    (id, lease): (i64, i64),
    outcome: &Outcome,
    now: Micros,
) -> Result<Finish, DbError> {
    if matches!(outcome, Outcome::Done) {
        let completed = complete(conn, &[(id, lease)], now).await?;
        return Ok(match completed.ids.is_empty() {
            true => Finish::Lost,
            false => Finish::As(State::Completed),
        });
    }
    let work = async |conn: &mut AsyncPgConnection| {
        let held: Vec<Held> = sql_query(
            "SELECT attempt, max_attempts, cancel_requested FROM jobs WHERE id = $1 AND lease = $2 AND state = 'executing' FOR UPDATE",
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
            // It was asked to stop: that it then failed, or would come again, is no news.
            Outcome::Retry { .. } | Outcome::Snooze { .. } if held.cancel_requested => (State::Cancelled, None),
            Outcome::Cancel { .. } => (State::Cancelled, None),
            Outcome::Discard { .. } => (State::Discarded, None),
            Outcome::Retry { .. } if held.attempt >= held.max_attempts => (State::Discarded, None),
            Outcome::Retry { at, .. } => (State::Retryable, Some(*at)),
            Outcome::Snooze { at } => (State::Scheduled, Some(*at)),
        };
        // Written while the job still says who had it, and since when.
        ended(conn, &[id], outcome.word(), outcome.error(), now).await?;
        if let Outcome::Retry { error, .. } | Outcome::Discard { error } = outcome {
            failure::note(conn, &[id], error, now).await?;
        }
        sql_query(
            "UPDATE jobs SET state = $2, scheduled_at = coalesce($3, scheduled_at), ended_at = $4, attempt = attempt - $5,
                    lease = NULL, lease_until = NULL WHERE id = $1",
        )
        .bind::<BigInt, _>(id)
        .bind::<Text, _>(state.word())
        .bind::<Nullable<Timestamptz>, _>(at.map(time))
        .bind::<Nullable<Timestamptz>, _>(at.is_none().then(|| time(now)))
        .bind::<Integer, _>(i32::from(state == State::Scheduled))
        .execute(conn)
        .await?;
        if matches!(state, State::Cancelled | State::Discarded) {
            give_up_dependents(conn, &[id], now).await?;
        }
        Ok(Finish::As(state))
    };
    conn.transaction(work).await
}

/// Hands back what a node has not begun, or does not end: as if it had not been attempted. Answers how many.
pub async fn hand_back(conn: &mut AsyncPgConnection, held: &[(i64, i64)]) -> Result<usize, DbError> {
    let (ids, leases): (Vec<i64>, Vec<i64>) = held.iter().copied().unzip();
    let sql = "
        UPDATE jobs j SET state = 'available', attempt = j.attempt - 1, lease = NULL, lease_until = NULL, node = NULL
        FROM unnest($1::bigint[], $2::bigint[]) AS h(id, lease)
        WHERE j.id = h.id AND j.lease = h.lease AND j.state = 'executing'";
    Ok(sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
        .bind::<Array<BigInt>, _>(leases)
        .execute(conn)
        .await?)
}

/// Writes down the attempts that these jobs are at, which did not succeed.
pub(super) async fn ended(
    conn: &mut AsyncPgConnection,
    ids: &[i64],
    outcome: &str,
    error: Option<&str>,
    now: Micros,
) -> Result<(), DbError> {
    sql_query(
        "INSERT INTO job_attempts (job_id, attempt, node, began_at, ended_at, outcome, error)
         SELECT id, attempt, node, attempted_at, greatest($2, attempted_at), $3, $4 FROM jobs WHERE id = ANY($1) AND state = 'executing'
         ON CONFLICT DO NOTHING",
    )
    .bind::<Array<BigInt>, _>(ids)
    .bind::<Timestamptz, _>(time(now))
    .bind::<Text, _>(outcome)
    .bind::<Nullable<Text>, _>(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// What waits for jobs that will not be completed is cancelled, and what waits for that.
pub(super) async fn give_up_dependents(conn: &mut AsyncPgConnection, ids: &[i64], now: Micros) -> Result<(), DbError> {
    let sql = "
        WITH RECURSIVE waiting AS (
            SELECT job_id, needs_id FROM job_dependencies WHERE needs_id = ANY($1)
            UNION
            SELECT d.job_id, d.needs_id FROM job_dependencies d JOIN waiting w ON d.needs_id = w.job_id
        ), because AS (SELECT job_id, min(needs_id) AS needs_id FROM waiting GROUP BY job_id)
        UPDATE jobs j SET state = 'cancelled', ended_at = $2, message = 'job ' || b.needs_id || ', which it waits for, did not succeed'
        FROM because b WHERE j.id = b.job_id AND j.state IN ('scheduled', 'retryable')";
    sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
        .bind::<Timestamptz, _>(time(now))
        .execute(conn)
        .await?;
    Ok(())
}
