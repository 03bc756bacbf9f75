//! Monthly partitions of `metrics` on plain PostgreSQL, made when the first point of a month comes.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Datelike, NaiveDate};
use dash_model::Micros;
use deadpool_postgres::{Client, Transaction};
use parking_lot::Mutex;

use crate::{DatabaseError, lock};

/// Months from January 1970. What is before or after the covered years lies in one partition each.
type Month = i32;

const FIRST: Month = 0;
/// January 2101.
const END: Month = 131 * 12;

/// The partitions that are known to be there.
#[derive(Default)]
pub struct Partitions {
    known: Mutex<HashSet<Month>>,
}

/// The month that `time` lies in, when it needs a partition of its own.
pub fn month(time: Micros) -> Option<Month> {
    let date = DateTime::from_timestamp_micros(time.0)?;
    let month = (date.year() - 1970) * 12 + date.month0().cast_signed();
    (FIRST..END).contains(&month).then_some(month)
}

impl Partitions {
    /// Makes those of `months` that are missing, in a transaction of their own.
    pub async fn ensure(&self, client: &mut Client, months: &BTreeSet<Month>) -> Result<(), DatabaseError> {
        let missing: Vec<Month> = {
            let known = self.known.lock();
            months.iter().copied().filter(|m| !known.contains(m)).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let tx = client.transaction().await?;
        lock::in_transaction(&tx, lock::PARTITIONS, 0).await?;
        for &month in &missing {
            make(
                &tx,
                &name(month),
                &format!("'{}'", start(month)),
                &format!("'{}'", start(month + 1)),
            )
            .await?;
        }
        tx.commit().await?;
        self.known.lock().extend(missing);
        Ok(())
    }
}

/// The partitions for everything before 1970 and after 2100.
pub async fn make_outer(tx: &Transaction<'_>) -> Result<(), DatabaseError> {
    make(tx, "metrics_before_1970", "MINVALUE", &format!("'{}'", start(FIRST))).await?;
    make(tx, "metrics_after_2100", &format!("'{}'", start(END)), "MAXVALUE").await
}

/// Attaching locks out neither readers nor writers, as `CREATE TABLE ... PARTITION OF` would.
async fn make(tx: &Transaction<'_>, name: &str, from: &str, to: &str) -> Result<(), DatabaseError> {
    let there: bool = tx
        .query_one("SELECT to_regclass($1) IS NOT NULL", &[&name])
        .await?
        .get(0);
    if !there {
        let sql = format!(
            "CREATE TABLE {name} (LIKE metrics INCLUDING CONSTRAINTS);
             ALTER TABLE metrics ATTACH PARTITION {name} FOR VALUES FROM ({from}) TO ({to});"
        );
        tx.batch_execute(&sql).await?;
    }
    Ok(())
}

fn name(month: Month) -> String {
    format!("metrics_y{}m{:02}", 1970 + month / 12, month % 12 + 1)
}

/// The first moment of a month, as PostgreSQL reads it.
fn start(month: Month) -> String {
    let day = NaiveDate::from_ymd_opt(1970 + month / 12, (month % 12).cast_unsigned() + 1, 1)
        .expect("a month between 1970 and 2101 has a first day");
    format!("{day} 00:00:00+00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_where_the_next_starts() {
        let micros = |m| {
            DateTime::parse_from_rfc3339(&start(m).replace("+00", "Z").replace(' ', "T"))
                .expect("a time")
                .timestamp_micros()
        };
        for m in FIRST..END {
            assert_eq!(month(Micros(micros(m))), Some(m), "{}", start(m));
            assert_eq!(month(Micros(micros(m + 1) - 1)), Some(m), "{}", start(m));
        }
        assert_eq!(month(Micros(-1)), None);
        assert_eq!(month(Micros(micros(END))), None);
        assert_eq!(name(1), "metrics_y1970m02");
    }
}
