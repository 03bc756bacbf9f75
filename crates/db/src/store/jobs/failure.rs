//! What goes wrong, grouped by what is the same about it.

use std::sync::LazyLock;

use dash_model::Micros;
use diesel::{
    sql_query,
    sql_types::{Array, BigInt, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use regex::Regex;

use crate::{DbError, store::time};

/// Of a class, in characters.
const LONGEST: usize = 200;

/// What errors of one kind have in common: what is quoted, numbers and identifiers differ from one to the next, and are left out.
pub fn class(error: &str) -> String {
    static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        // A quote, or a word with a digit in it. An apostrophe within a word begins no quote.
        Regex::new(r#""[^"]*"|`[^`]*`|\B'[^']*'\B|[\w.:-]*\d[\w.:-]*"#).ok()
    });
    let class = match &*VARIABLE {
        Some(variable) => variable.replace_all(error, "#"),
        None => error.into(),
    };
    class
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(LONGEST)
        .collect()
}

/// Adds these jobs to the class of the error that all of them had, and tells it to them.
pub(super) async fn note(conn: &mut AsyncPgConnection, ids: &[i64], error: &str, now: Micros) -> Result<(), DbError> {
    let sql = "
        WITH failed AS (SELECT id, organization_id, pipeline_id, worker FROM jobs WHERE id = ANY($1)),
        failure AS (
            INSERT INTO job_failures (organization_id, pipeline_id, worker, class, error, attempts, first_at, last_at)
            SELECT organization_id, pipeline_id, worker, $2, $3, count(*), $4, $4 FROM failed GROUP BY organization_id, pipeline_id, worker
            ON CONFLICT (organization_id, pipeline_id, worker, class) DO UPDATE
                SET attempts = job_failures.attempts + excluded.attempts, error = excluded.error,
                    last_at = greatest(job_failures.last_at, excluded.last_at)
            RETURNING id, organization_id, pipeline_id, worker
        )
        UPDATE jobs SET failure_id = failure.id
        FROM failed JOIN failure ON (failed.organization_id, failed.pipeline_id, failed.worker)
                            IS NOT DISTINCT FROM (failure.organization_id, failure.pipeline_id, failure.worker)
        WHERE jobs.id = failed.id";
    sql_query(sql)
        .bind::<Array<BigInt>, _>(ids)
        .bind::<Text, _>(class(error))
        .bind::<Text, _>(error)
        .bind::<Timestamptz, _>(time(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets classes of which nothing was seen since.
pub async fn forget_failures(conn: &mut AsyncPgConnection, before: Micros) -> Result<usize, DbError> {
    Ok(sql_query("DELETE FROM job_failures WHERE last_at < $1")
        .bind::<Timestamptz, _>(time(before))
        .execute(conn)
        .await?)
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn what_differs_from_one_error_to_the_next_is_not_in_its_class() {
        let same = [
            [
                "HTTP 503 of 10.0.0.7:8080 after 12.5 s",
                "HTTP 502 of 10.0.0.91:80 after 3 s",
            ],
            [
                r#"the pipeline "pumps" does not exist (0190a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b)"#,
                r#"the pipeline "a" does not  exist (0190a1b2-7c3d-7e4f-8a5b-ffffffffffff)"#,
            ],
        ];
        for [one, other] in same {
            assert_eq!(class(one), class(other));
        }
        assert_eq!(class(same[0][0]), "HTTP # of # after # s");
        assert_ne!(class("it hung up"), class("it didn't answer, and that's it"));
        assert_eq!(
            class("it didn't answer, and that's it"),
            "it didn't answer, and that's it"
        );
        assert_eq!(class(&"x".repeat(1000)).len(), 200);
    }
}
