//! How much of a queue may be done at once, and how fast: as the program has it, unless somebody has changed it.

use chrono::{DateTime, Utc};
use dash_model::Micros;
use diesel::{
    OptionalExtension, QueryableByName, sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::fetch::Take;
use crate::{
    DbError,
    store::{micros, time},
};

/// Begun within a time, on all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub jobs: i32,
    pub seconds: i32,
}

/// Nothing: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// At once on each node.
    pub per_node: Option<i32>,
    /// At once on all nodes.
    pub global: Option<i32>,
    /// At once on all nodes, of the jobs that have the same key.
    pub per_key: Option<i32>,
    pub rate: Option<Rate>,
}

impl Limits {
    /// Whether nodes have to agree before they take something.
    pub fn are_shared(&self) -> bool {
        self.global.is_some() || self.per_key.is_some() || self.rate.is_some()
    }

    /// These, but for what `over` says.
    #[must_use]
    pub fn with(self, over: &Self) -> Self {
        Self {
            per_node: over.per_node.or(self.per_node),
            global: over.global.or(self.global),
            per_key: over.per_key.or(self.per_key),
            rate: over.rate.or(self.rate),
        }
    }
}

/// A queue as somebody has set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    pub name: String,
    pub paused: bool,
    /// What is to be otherwise than the program has it.
    pub limits: Limits,
}

/// Makes rows for queues that have none.
pub async fn register(conn: &mut AsyncPgConnection, queues: &[&str]) -> Result<(), DbError> {
    sql_query("INSERT INTO job_queues (name) SELECT unnest($1) ON CONFLICT DO NOTHING")
        .bind::<Array<Text>, _>(queues)
        .execute(conn)
        .await?;
    Ok(())
}

/// All queues, by name.
pub async fn queues(conn: &mut AsyncPgConnection) -> Result<Vec<Queue>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        name: String,
        #[diesel(sql_type = Bool)]
        paused: bool,
        #[diesel(sql_type = Nullable<Integer>)]
        local_limit: Option<i32>,
        #[diesel(sql_type = Nullable<Integer>)]
        global_limit: Option<i32>,
        #[diesel(sql_type = Nullable<Integer>)]
        key_limit: Option<i32>,
        #[diesel(sql_type = Nullable<Integer>)]
        rate_jobs: Option<i32>,
        #[diesel(sql_type = Nullable<Integer>)]
        rate_seconds: Option<i32>,
    }
    let sql = "SELECT name, paused, local_limit, global_limit, key_limit, rate_jobs, rate_seconds FROM job_queues ORDER BY name";
    let rows: Vec<Row> = sql_query(sql).load(conn).await?;
    let queues = rows.into_iter().map(|row| Queue {
        name: row.name,
        paused: row.paused,
        limits: Limits {
            per_node: row.local_limit,
            global: row.global_limit,
            per_key: row.key_limit,
            rate: row
                .rate_jobs
                .zip(row.rate_seconds)
                .map(|(jobs, seconds)| Rate { jobs, seconds }),
        },
    });
    Ok(queues.collect())
}

/// Pauses a queue on all nodes, or lets it go on. What is executing goes on.
pub async fn pause(conn: &mut AsyncPgConnection, queue: &str, paused: bool) -> Result<(), DbError> {
    let sql = "INSERT INTO job_queues (name, paused) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused";
    sql_query(sql)
        .bind::<Text, _>(queue)
        .bind::<Bool, _>(paused)
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets what is to be otherwise than the program has it; nodes see it within a second.
pub async fn limit(conn: &mut AsyncPgConnection, queue: &str, limits: &Limits) -> Result<(), DbError> {
    let sql = "
        INSERT INTO job_queues (name, local_limit, global_limit, key_limit, rate_jobs, rate_seconds) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (name) DO UPDATE SET local_limit = excluded.local_limit, global_limit = excluded.global_limit,
            key_limit = excluded.key_limit, rate_jobs = excluded.rate_jobs, rate_seconds = excluded.rate_seconds";
    sql_query(sql)
        .bind::<Text, _>(queue)
        .bind::<Nullable<Integer>, _>(limits.per_node)
        .bind::<Nullable<Integer>, _>(limits.global)
        .bind::<Nullable<Integer>, _>(limits.per_key)
        .bind::<Nullable<Integer>, _>(limits.rate.map(|rate| rate.jobs))
        .bind::<Nullable<Integer>, _>(limits.rate.map(|rate| rate.seconds))
        .execute(conn)
        .await?;
    Ok(())
}

/// How many may be taken, under the lock of the queue's row.
pub(super) struct Open {
    pub most: i64,
    rate: Option<(Rate, Micros)>,
}

/// Nothing while the queue is paused. Nodes take turns from here to the end of the transaction.
pub(super) async fn allowance(conn: &mut AsyncPgConnection, take: &Take<'_>) -> Result<Option<Open>, DbError> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        paused: bool,
        #[diesel(sql_type = Nullable<Timestamptz>)]
        rate_used_until: Option<DateTime<Utc>>,
    }
    let lock = "SELECT paused, rate_used_until FROM job_queues WHERE name = $1 FOR UPDATE";
    let find = async |conn: &mut AsyncPgConnection| {
        let row: Option<Row> = sql_query(lock)
            .bind::<Text, _>(take.queue)
            .get_result(conn)
            .await
            .optional()?;
        Ok::<_, DbError>(row)
    };
    let row = match find(conn).await? {
        None => {
            register(conn, &[take.queue]).await?;
            find(conn).await?
        }
        row => row,
    };
    let Some(row) = row.filter(|row| !row.paused) else {
        return Ok(None);
    };
    let mut most = take.most;
    if let Some(global) = take.limits.global {
        most = most.min(i64::from(global) - executing(conn, take.queue).await?);
    }
    let used_until = row.rate_used_until.map_or(take.now, micros).max(take.now);
    let rate = take.limits.rate.map(|rate| (rate, used_until));
    if let Some((rate, used_until)) = rate {
        most = most.min(rate.left(used_until, take.now));
    }
    Ok((most > 0).then_some(Open { most, rate }))
}

impl Open {
    /// Notes that so many were begun.
    pub async fn used(&self, conn: &mut AsyncPgConnection, take: &Take<'_>, begun: usize) -> Result<(), DbError> {
        let Some((rate, used_until)) = self.rate else {
            return Ok(());
        };
        let until = rate.after(used_until, begun);
        sql_query("UPDATE job_queues SET rate_used_until = $2 WHERE name = $1")
            .bind::<Text, _>(take.queue)
            .bind::<Timestamptz, _>(time(until))
            .execute(conn)
            .await?;
        Ok(())
    }
}

impl Rate {
    /// Between two, in microseconds.
    fn interval(self) -> i64 {
        (i64::from(self.seconds) * 1_000_000 / i64::from(self.jobs)).max(1)
    }

    fn left(self, used_until: Micros, now: Micros) -> i64 {
        let window = i64::from(self.seconds) * 1_000_000;
        (now.0 + window - used_until.0).max(0) / self.interval()
    }

    fn after(self, used_until: Micros, begun: usize) -> Micros {
        Micros(used_until.0 + self.interval() * i64::try_from(begun).unwrap_or(i64::MAX))
    }
}

/// How many of a queue are executing.
async fn executing(conn: &mut AsyncPgConnection, queue: &str) -> Result<i64, DbError> {
    #[derive(QueryableByName)]
    struct Counted {
        #[diesel(sql_type = BigInt)]
        jobs: i64,
    }
    let sql = "SELECT count(*) AS jobs FROM jobs WHERE queue = $1 AND state = 'executing'";
    let counted: Counted = sql_query(sql).bind::<Text, _>(queue).get_result(conn).await?;
    Ok(counted.jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_lets_a_burst_through_and_then_one_at_a_time() {
        let rate = Rate { jobs: 10, seconds: 5 };
        let now = Micros(1_000_000_000);
        assert_eq!(rate.left(now, now), 10, "nothing was begun");
        let full = rate.after(now, 10);
        assert_eq!(rate.left(full, now), 0);
        assert_eq!(rate.left(full, Micros(now.0 + 499_999)), 0);
        assert_eq!(rate.left(full, Micros(now.0 + 500_000)), 1);
        assert_eq!(rate.left(full, Micros(now.0 + 5_000_000)), 10);
    }
}
