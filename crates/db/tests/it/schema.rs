//! `schema.rs` is what a migrated database says, and the rules that every table keeps.

use std::collections::BTreeSet;

use dash_db::test_support::TestDatabase;

/// The text of `src/schema.rs` as `table.column type [null]` and `table pk(columns)`.
fn written() -> BTreeSet<String> {
    let text = include_str!("../../src/schema.rs");
    let mut lines = BTreeSet::new();
    let mut table = String::new();
    let body = text
        .lines()
        .map(str::trim)
        .take_while(|l| !l.starts_with("diesel::joinable"));
    for line in body {
        if let Some((column, ty)) = line.trim_end_matches(',').split_once(" -> ") {
            let (ty, null) = match ty.strip_prefix("Nullable<") {
                Some(inner) => (inner.trim_end_matches('>'), " null"),
                None => (ty, ""),
            };
            lines.insert(format!("{table}.{column} {ty}{null}"));
        } else if let Some((name, key)) = line.strip_suffix(") {").and_then(|l| l.split_once(" (")) {
            table = name.to_owned();
            lines.insert(format!("{table} pk({key})"));
        }
    }
    lines
}

/// The same of a migrated database. Partitions and what TimescaleDB or `dash-metrics` add for points are no rows of diesel's.
async fn migrated(db: &TestDatabase) -> BTreeSet<String> {
    let columns = "
        SELECT c.table_name || '.' || c.column_name || ' ' ||
               CASE c.udt_name WHEN 'timestamptz' THEN 'Timestamptz' ELSE initcap(c.udt_name) END ||
               CASE c.is_nullable WHEN 'YES' THEN ' null' ELSE '' END
        FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.table_name = ANY($1)
        UNION ALL
        SELECT c.relname || ' pk(' || string_agg(a.attname, ', ' ORDER BY k.place) || ')'
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY k(column, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.column
        WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace AND c.relname = ANY($1)
        GROUP BY c.relname";
    let columns = columns
        .replace("k(column,", "k(number,")
        .replace("k.column", "k.number");
    let rows = db
        .client()
        .await
        .unwrap()
        .query(&columns, &[&tables(db).await])
        .await
        .unwrap();
    let lines = rows.iter().map(|r| r.get::<_, String>(0));
    lines.filter(|line| !line.starts_with(SQL_ONLY)).collect()
}

/// Tables that keep the rules of all others, and that only statements of SQL read and write: those of the jobs.
const SQL_ONLY: &str = "job";

/// Tables of metrics, which `dash-metrics` makes and reads with SQL of its own: points, rollups and their partitions.
const OTHERS: &str = "^(metrics|rollup|__diesel)";

async fn tables(db: &TestDatabase) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
               AND NOT relispartition AND relname !~ $1 ORDER BY 1";
    let rows = db.client().await.unwrap().query(sql, &[&OTHERS]).await.unwrap();
    rows.iter().map(|r| r.get(0)).collect()
}

async fn offenders(db: &TestDatabase, sql: &str) -> Vec<String> {
    let rows = db
        .client()
        .await
        .unwrap()
        .query(sql, &[&tables(db).await])
        .await
        .unwrap();
    rows.iter().map(|r| r.get(0)).collect()
}

#[tokio::test]
async fn the_schema_is_that_of_a_migrated_database() {
    let db = TestDatabase::new().await;
    let (written, migrated) = (written(), migrated(&db).await);
    assert!(
        written.contains("series.tags_hash Bytea") && written.contains("ledger pk(mapping_version_id, first_event)")
    );
    let missing: Vec<_> = migrated.difference(&written).collect();
    let extra: Vec<_> = written.difference(&migrated).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "missing in schema.rs: {missing:#?}\nonly in schema.rs: {extra:#?}"
    );
}

/// Tables without an organization, and why that is right.
const OF_NO_ORGANIZATION: &[(&str, &str)] = &[
    ("identities", "a person's, who may belong to several"),
    ("job_attempts", "a job's, whose row says which one's it is"),
    ("job_crons", "some are the installation's own"),
    ("job_dependencies", "a job's, whose row says which one's it is"),
    ("job_failures", "some are of the installation's own jobs"),
    ("job_queues", "the installation's"),
    ("job_tallies", "some are of the installation's own jobs"),
    (
        "jobs",
        "some are the installation's own; the column says so by being empty",
    ),
    ("mails", "to people, who may belong to several or to none yet"),
    ("one_time_tokens", "a person's, who may belong to several"),
    ("passkeys", "a person's, who may belong to several"),
    ("recovery_codes", "a person's, who may belong to several"),
    ("second_factors", "a person's, who may belong to several"),
    (
        "sessions",
        "a person's, who may belong to several; its data names the one that is looked at",
    ),
    ("users", "people may belong to several"),
];

#[tokio::test]
async fn every_row_belongs_to_an_organization() {
    let db = TestDatabase::new().await;
    let without = "
        SELECT t.name FROM unnest($1::text[]) t(name)
        WHERE t.name <> 'organizations' AND NOT EXISTS (
            SELECT FROM pg_attribute a JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'f'
                   AND k.conkey = ARRAY[a.attnum] AND k.confrelid = 'organizations'::regclass
            WHERE a.attrelid = t.name::regclass AND a.attname = 'organization_id' AND a.attnotnull)
        ORDER BY 1";
    let excepted: Vec<&str> = OF_NO_ORGANIZATION.iter().map(|(table, _)| *table).collect();
    assert_eq!(offenders(&db, without).await, excepted);
}

#[tokio::test]
async fn every_table_has_a_primary_key() {
    let db = TestDatabase::new().await;
    let without = "
        SELECT t.name FROM unnest($1::text[]) t(name)
        WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = t.name::regclass AND indisprimary)";
    assert_eq!(offenders(&db, without).await, [""; 0]);
}

#[tokio::test]
async fn every_time_has_a_zone_and_every_text_no_length() {
    let db = TestDatabase::new().await;
    let wrong = "
        SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = ANY($1)
          AND udt_name IN ('timestamp', 'time', 'timetz', 'varchar', 'bpchar', 'json')";
    assert_eq!(offenders(&db, wrong).await, [""; 0]);
}

/// Foreign keys without an index that begins with their columns, and why that is right.
const UNINDEXED: &[(&str, &str)] = &[
    ("ledger.pipeline_id", "many rows, found and removed by mapping version"),
    ("pipelines.id,active_version_id", "the primary key finds the row"),
    ("series.pipeline_id", "many rows, found and removed by mapping version"),
    ("totals.pipeline_id", "one row a mapping version"),
];

/// Every table refers to its organization; organizations are few and not removed row by row, so only tables that are listed by organization
/// have an index that begins with it.
#[tokio::test]
async fn every_foreign_key_is_indexed_or_says_why_not() {
    let db = TestDatabase::new().await;
    let unindexed = "
        SELECT k.conrelid::regclass || '.' || (
                   SELECT string_agg(a.attname, ',' ORDER BY c.place) FROM unnest(k.conkey) WITH ORDINALITY c(number, place)
                   JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number)
        FROM pg_constraint k
        WHERE k.contype = 'f' AND k.conrelid::regclass::text = ANY($1) AND k.confrelid <> 'organizations'::regclass
          AND NOT EXISTS (
              SELECT FROM pg_index i WHERE i.indrelid = k.conrelid
              -- An index of the rows that refer to something has all that are looked for.
              AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(' || (
                  SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]) || ' IS NOT NULL)')
              AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
        ORDER BY 1";
    let excepted: Vec<&str> = UNINDEXED.iter().map(|(key, _)| *key).collect();
    assert_eq!(offenders(&db, unindexed).await, excepted);
}
