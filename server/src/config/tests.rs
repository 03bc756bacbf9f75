use std::{collections::HashMap, time::Duration};

use dash_lake::Location;
use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let map: HashMap<&str, &str> = pairs.iter().copied().collect();
    Config::from_env(&|name| map.get(name).map(|v| (*v).to_owned()))
}

/// Of no server: made for these tests.
const KEY: &str = "8f2c4b1de07a9356c1f04e8b7d2a6093e5b8174c9fd03a62718e4cb5d6290f3a";

fn line(pairs: &[(&str, &str)]) -> String {
    let line = read(pairs).expect_err("refused").to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

#[test]
fn with_nothing_set_it_starts_with_the_documented_defaults() {
    let config = read(&[]).expect("defaults");
    assert_eq!(config.address().to_string(), "127.0.0.1:3000");
    assert_eq!(config.ingest.limits, dash_ingest::Limits::default());
    assert_eq!(config.body_timeout(), Duration::from_secs(60));
    assert!(config.process.demo && config.database.url.is_none());
    assert_eq!(config.lake.location, Location::Directory(".dash/lake".into()));
    assert_eq!(config.spool.dir.to_str(), Some(".dash/spool"));
    let writer = dash_lake::WriterOptions::default();
    assert_eq!(
        (
            config.lake.object_bytes,
            config.lake.object_age,
            config.lake.buffer_bytes
        ),
        (writer.object_bytes, writer.object_age, writer.max_buffer_bytes)
    );
}

#[test]
fn every_variable_of_the_table_is_read_and_printed_in_order() {
    let config = read(&[]).expect("defaults");
    let printed: Vec<_> = config.table().iter().map(|row| row.variable).collect();
    assert_eq!(printed, variables::all().map(|v| v.name).collect::<Vec<_>>());
}

#[test]
fn the_sample_lists_every_variable_with_its_default() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.env.sample");
    let file = std::fs::read_to_string(path).expect(".env.sample");
    assert_eq!(file, sample(), "write it anew from config::sample()");
    for variable in variables::all() {
        let default = variable.default.replace("{data}", ".dash");
        assert!(
            file.contains(&format!("\n#{}={default}\n", variable.name)),
            "{}",
            variable.name
        );
    }
}

#[test]
fn the_sample_uncommented_is_the_default() {
    let sample = sample();
    let set: HashMap<&str, &str> = sample
        .lines()
        .filter_map(|l| l.strip_prefix('#')?.split_once('='))
        .filter(|(name, _)| {
            name.bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
        .collect();
    assert_eq!(set.len(), variables::all().count());
    let config = Config::from_env(&|name| set.get(name).map(|v| (*v).to_owned())).expect("the sample is valid");
    let values = |c: &Config| c.table().iter().map(|r| r.value.clone()).collect::<Vec<_>>();
    assert_eq!(values(&config), values(&read(&[]).expect("defaults")));
}

#[test]
fn what_is_wrong_is_one_line_with_name_finding_and_remedy() {
    for (name, value, remedy) in [
        ("DASH_URL", "https://dash.example.org/path", "without a path"),
        ("DASH_URL", "ftp://dash.example.org", "https://host"),
        ("DASH_SIGN_UP", "yes", "invited or open"),
        ("DASH_TRUSTED_PROXIES", "10.0.0.0/99", "networks"),
        ("DASH_RATE_API", "0", "1 to 1000000"),
        ("DASH_ADDR", "3000", "127.0.0.1:3000"),
        ("DASH_NODE", "256", "0 to 255"),
        ("DASH_DEMO", "maybe", "1 or 0"),
        ("DASH_LOG", "info,=[", "levels"),
        ("DASH_LAKE", "gs://bucket", "s3://bucket/prefix"),
        ("DASH_INGEST_MAX_BODY", "16 megs", "a size from 1KiB"),
        ("DASH_INGEST_MAX_BODY", "1GiB", "512MiB"),
        ("DASH_INGEST_MAX_DEPTH", "129", "1 to 128"),
        ("DASH_INGEST_MAX_INFLATED", "1MiB", "DASH_INGEST_MAX_BODY"),
        ("DASH_INGEST_MEMORY", "16MiB", "together"),
        ("DASH_SPOOL_QUEUE", "32MiB", "DASH_INGEST_MAX_INFLATED"),
        ("DASH_SPOOL_AGE", "0s", "60s"),
    ] {
        let line = line(&[(name, value)]);
        assert!(
            line.starts_with(&format!("{name}: found ")) && line.contains(remedy),
            "{line}"
        );
    }
    // What another one has to be for, or what has a parser of its own.
    for (name, value, begins, remedy) in [
        ("DASH_ADDR", "0.0.0.0:3000", "DASH_URL", "DASH_ADDR"),
        (
            "DASH_SMTP_URL",
            "smtps://ada:secret@mail.example.org",
            "DASH_MAIL_FROM",
            "DASH_SMTP_URL",
        ),
        ("DASH_EGRESS_ALLOW", "10.0.0.0/99", "DASH_EGRESS_ALLOW", "10.0.0.0/99"),
        ("DASH_OIDC", "[{}]", "DASH_OIDC[0]", "slug"),
    ] {
        let line = line(&[(name, value)]);
        assert!(line.starts_with(begins) && line.contains(remedy), "{line}");
        assert!(!line.contains("secret@"), "{line}");
    }
    assert!(line(&[("DASH_NODE", "1\n2")]).contains(r#""1\n2""#));
}

#[test]
fn a_bucket_names_what_it_lacks() {
    let mut set = vec![("DASH_LAKE", "s3://events/raw")];
    for (variable, value) in [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t"),
        ("AWS_REGION", "eu-central-1"),
    ] {
        let line = line(&set);
        assert!(
            line.starts_with(&format!("{variable} is not set")) && line.contains("bucket events"),
            "{line}"
        );
        set.push((variable, value));
    }
    set.push(("AWS_ENDPOINT_URL", "https://general"));
    set.push(("AWS_ENDPOINT_URL_S3", "https://special"));
    let lake = read(&set).expect("complete").lake;
    assert_eq!(lake.s3.endpoint.as_deref(), Some("https://special"));
    assert_eq!(lake.s3.region.as_deref(), Some("eu-central-1"));
}

#[test]
fn secrets_are_shown_nowhere() {
    let config = read(&[
        (
            "DATABASE_URL",
            "postgres://dash:hunter2@db.example:5432/dash?password=hunter2",
        ),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
        ("DASH_SECRET_KEY", KEY),
        ("DASH_SECRET_KEYS_OLD", KEY),
    ])
    .expect("valid");
    let row = |name| config.table().iter().find(|r| r.variable == name).expect("row").clone();
    assert_eq!(row("DATABASE_URL").value, "postgres://***@db.example:5432/dash");
    assert_eq!(row("AWS_SECRET_ACCESS_KEY").value, "***");
    assert_eq!(row("DASH_SECRET_KEY").value, "***");
    assert_eq!(row("DASH_SECRET_KEYS_OLD").value, "***");
    let debug = format!("{config:?}");
    assert!(!debug.contains("hunter2") && !debug.contains(KEY));
    assert!(!line(&[("DATABASE_URL", "mysql://dash:hunter2@db/dash")]).contains("hunter2"));
}

#[test]
fn a_shared_database_needs_a_key_that_nobody_can_guess() {
    let database = ("DATABASE_URL", "postgres://dash@db/dash");
    let missing = line(&[database]);
    assert!(
        missing.starts_with("DASH_SECRET_KEY is not set") && missing.contains("openssl rand -hex 32"),
        "{missing}"
    );
    for made_up in [
        "changeme",
        "0000",
        &"00".repeat(32),
        &"0123456789abcdef".repeat(4),
        &KEY[..62],
    ] {
        let refused = line(&[database, ("DASH_SECRET_KEY", made_up)]);
        assert!(
            refused.starts_with("DASH_SECRET_KEY: found a secret (not shown)") && !refused.contains(made_up),
            "{refused}"
        );
    }
    let old = line(&[database, ("DASH_SECRET_KEY", KEY), ("DASH_SECRET_KEYS_OLD", "a,b")]);
    assert!(old.starts_with("DASH_SECRET_KEYS_OLD: found"), "{old}");
    let both = format!("{KEY}, {KEY}");
    let config = read(&[database, ("DASH_SECRET_KEY", KEY), ("DASH_SECRET_KEYS_OLD", &both)]).expect("keys");
    assert_eq!(config.secrets.older.len(), 2);
    assert!(read(&[]).expect("a private database").secrets.newest.is_none());
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let file = tempfile::NamedTempFile::new().expect("file");
    std::fs::write(file.path(), "postgres://u:p@h/d\n").expect("written");
    let path = file.path().to_str().expect("path");
    let config = read(&[("DATABASE_URL_FILE", path), ("DASH_SECRET_KEY", KEY)]).expect("read");
    assert_eq!(
        config.database.url.as_ref().map(|u| u.expose_secret()),
        Some("postgres://u:p@h/d")
    );
    assert_eq!(
        config
            .table()
            .iter()
            .find(|r| r.variable == "DATABASE_URL")
            .map(|r| r.source),
        Some(Source::File)
    );
    assert!(
        line(&[("DATABASE_URL_FILE", "/nowhere/at/all")])
            .starts_with("DATABASE_URL_FILE: \"/nowhere/at/all\" cannot be read")
    );
    assert!(line(&[("DATABASE_URL_FILE", path), ("DATABASE_URL", "postgres://x")]).contains("both set"));
}

#[test]
fn an_empty_value_counts_as_not_set() {
    let config = read(&[("DASH_ADDR", ""), ("DATABASE_URL", " ")]).expect("defaults");
    assert!(config.database.url.is_none());
    assert!(config.table().iter().all(|row| row.source == Source::Default));
}

#[test]
fn what_lies_below_the_data_directory_follows_it() {
    let config = read(&[("DASH_DATA", "/var/lib/dash/"), ("DASH_ADDR", "localhost:0")]).expect("valid");
    assert_eq!(config.spool.dir.to_str(), Some("/var/lib/dash/spool"));
    assert_eq!(config.lake.location, Location::Directory("/var/lib/dash/lake".into()));
    assert_eq!(config.database.embedded.to_str(), Some("/var/lib/dash/postgres"));
    assert_eq!(config.address().to_string(), "127.0.0.1:0");
}

#[test]
fn a_mistyped_name_is_refused_with_the_nearest() {
    let check = |name: &str| check_names([name.to_owned()]).map_err(|e| e.to_string());
    for name in [
        "DASH_ADDR",
        "DATABASE_URL",
        "DATABASE_URL_FILE",
        "PATH",
        "DASH_TEST_DATABASE_URL",
    ] {
        assert_eq!(check(name), Ok(()), "{name}");
    }
    assert_eq!(
        check("DASH_ADRR"),
        Err("DASH_ADRR is not a variable of Dash; did you mean DASH_ADDR?".into())
    );
    assert_eq!(
        check("DASH_INGEST_MAX_BODDY"),
        Err("DASH_INGEST_MAX_BODDY is not a variable of Dash; did you mean DASH_INGEST_MAX_BODY?".into())
    );
    assert_eq!(
        check("DASH_ZZZZZZZZZZZZZZZZ"),
        Err("DASH_ZZZZZZZZZZZZZZZZ is not a variable of Dash".into())
    );
}

proptest! {
    #[test]
    fn any_value_is_read_or_refused_in_one_line(at in 0..variables::all().count(), value in any::<String>()) {
        let name = variables::all().nth(at).map(|v| v.name).unwrap_or_default();
        if let Err(error) = read(&[(name, &value)]) {
            let line = error.to_string();
            prop_assert!(line.contains("DASH_") || line.contains(name));
            prop_assert!(!line.contains(['\n', '\r']));
        }
    }
}
