//! The command line, as a script uses it.

use std::{
    path::Path,
    process::{Command, Output},
};

use dash_db::test_support::{TestDatabase, secret_key};
use secrecy::ExposeSecret;
use serde_json::Value;

fn server(data: &Path, url: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_server"))
        .args(arguments)
        .env("DASH_DATA", data)
        .env("DATABASE_URL", url)
        .env("DASH_SECRET_KEY", secret_key())
        .env("DASH_ADDR", "127.0.0.1:0")
        .output()
        .expect("the server starts")
}

#[tokio::test]
async fn a_pipeline_is_made_listed_and_shown() {
    let database = TestDatabase::new().await;
    let data = tempfile::tempdir().unwrap();
    let url = database.url().expose_secret();
    let file = data.path().join("pipeline.json");
    let definition = r#"{"name":"Front door","mapping":{"metrics":[{"name":"opened","path":"n"}]}}"#;
    std::fs::write(&file, definition).unwrap();
    let file = file.display().to_string();

    let created = server(data.path(), url, &["pipelines", "create", "--file", &file]);
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let created: Value = serde_json::from_slice(&created.stdout).unwrap();
    assert_eq!(created["slug"], "front-door");
    assert!(created["ingest_key"].as_str().unwrap().starts_with("dash_ingest_"));

    let listed: Value = serde_json::from_slice(&server(data.path(), url, &["pipelines", "list"]).stdout).unwrap();
    assert_eq!(listed[0]["id"], created["id"]);
    let shown: Value =
        serde_json::from_slice(&server(data.path(), url, &["pipelines", "show", "front-door"]).stdout).unwrap();
    assert_eq!(shown["mapping"]["metrics"][0]["name"], "opened");

    let twice = server(data.path(), url, &["pipelines", "create", "--file", &file]);
    assert!(!twice.status.success());
    let words = String::from_utf8_lossy(&twice.stderr).into_owned();
    assert!(words.contains("slug") && words.contains("taken"), "{words}");
}

#[tokio::test]
async fn a_wrong_definition_names_its_field() {
    let database = TestDatabase::new().await;
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("pipeline.json");
    std::fs::write(
        &file,
        r#"{"name":"x","mapping":{"filter":"opened >","metrics":[{"name":"opened","path":"n"}]}}"#,
    )
    .unwrap();
    let out = server(
        data.path(),
        database.url().expose_secret(),
        &["pipelines", "create", "--file", &file.display().to_string()],
    );
    let words = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success() && words.contains("mapping.filter"), "{words}");
    assert_eq!(words.trim().lines().count(), 1, "{words}");
}

#[test]
fn a_wrong_value_stops_the_start_with_one_line() {
    let data = tempfile::tempdir().unwrap();
    let run = |name: &str, value: &str| {
        let out = Command::new(env!("CARGO_BIN_EXE_server"))
            .arg("serve")
            .env("DASH_DATA", data.path())
            .env(name, value)
            .output()
            .expect("the server starts");
        assert!(!out.status.success());
        String::from_utf8_lossy(&out.stderr).into_owned()
    };
    for (name, value, allowed) in [
        ("DASH_ADDR", "nonsense", "127.0.0.1:3000"),
        ("DASH_DEMO", "maybe", "0"),
        ("DASH_LAKE", "gs://bucket", "s3://"),
    ] {
        let words = run(name, value);
        assert_eq!(words.trim().lines().count(), 1, "{words}");
        assert!(
            words.contains(name) && words.contains(value) && words.contains(allowed),
            "{words}"
        );
    }
}

#[test]
fn config_masks_secrets_and_says_where_values_come_from() {
    let data = tempfile::tempdir().unwrap();
    let out = server(data.path(), "postgres://me:hunter2@127.0.0.1:1/dash", &["config"]);
    let words = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(!words.contains("hunter2"), "{words}");
    assert!(
        words.contains("DATABASE_URL") && words.contains("DASH_SPOOL_MAX"),
        "{words}"
    );
}

#[tokio::test]
async fn keys_of_secrets_are_rotated_while_nothing_is_lost() {
    let database = TestDatabase::new().await;
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("pipeline.json");
    let definition = r#"{"name":"Signed","source":{"kind":"webhook","signature":{"scheme":"standard_webhooks"}},"mapping":{"metrics":[{"name":"n","path":"n"}]}}"#;
    std::fs::write(&file, definition).unwrap();
    let (old, new) = (dash_vault::Key::random().to_hex(), dash_vault::Key::random().to_hex());
    let run = |arguments: &[&str], keys: &[(&str, &str)]| {
        Command::new(env!("CARGO_BIN_EXE_server"))
            .args(arguments)
            .env("DASH_DATA", data.path())
            .env("DATABASE_URL", database.url().expose_secret())
            .envs(keys.iter().copied())
            .output()
            .expect("the server starts")
    };
    let (old, new) = (old.expose_secret(), new.expose_secret());
    let rotate = ["secrets", "rotate"];
    let made = run(
        &["pipelines", "create", "--file", file.to_str().unwrap()],
        &[("DASH_SECRET_KEY", old)],
    );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let alone = run(&rotate, &[("DASH_SECRET_KEY", new)]);
    let words = String::from_utf8_lossy(&alone.stderr).into_owned();
    assert!(
        !alone.status.success() && words.contains("DASH_SECRET_KEYS_OLD"),
        "{words}"
    );
    assert!(!words.contains(old) && !words.contains(new));

    let both = [("DASH_SECRET_KEY", new), ("DASH_SECRET_KEYS_OLD", old)];
    for (rotated, unchanged) in [(1, 0), (0, 1)] {
        let output = run(&rotate, &both);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            found,
            serde_json::json!({"encrypted": 0, "rotated": rotated, "unchanged": unchanged})
        );
    }
    assert!(run(&rotate, &[("DASH_SECRET_KEY", new)]).status.success());
}

#[tokio::test]
async fn the_audit_log_tells_who_made_what_and_whether_it_was_changed() {
    let database = TestDatabase::new().await;
    let data = tempfile::tempdir().unwrap();
    let url = database.url().expose_secret();
    let file = data.path().join("pipeline.json");
    std::fs::write(
        &file,
        r#"{"name":"One","mapping":{"metrics":[{"name":"n","path":"n"}]}}"#,
    )
    .unwrap();
    let file = file.display().to_string();
    assert!(
        server(data.path(), url, &["pipelines", "create", "--file", &file])
            .status
            .success()
    );

    let verify = || {
        let output = server(data.path(), url, &["audit", "verify"]);
        let logs: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), logs[0].clone())
    };
    let (code, log) = verify();
    assert_eq!(
        (code, &log["organization"], &log["entries"]),
        (Some(0), &"default".into(), &1.into())
    );
    assert_eq!(log["head"].as_str().map(str::len), Some(64));
    let client = database.client().await.unwrap();
    let sql = "SELECT actor, action, target, after::jsonb ->> 'name' FROM audit_log";
    let row = client.query_one(sql, &[]).await.unwrap();
    let told: Vec<String> = (0..4).map(|i| row.get(i)).collect();
    assert_eq!(told, ["operator", "pipeline.create", "pipeline one", "One"]);

    client
        .batch_execute("ALTER TABLE audit_log DISABLE TRIGGER only_grows; UPDATE audit_log SET actor_name = 'nobody'")
        .await
        .unwrap();
    let (code, log) = verify();
    assert_eq!((code, &log["broken"]["entry"]), (Some(1), &1.into()));
    assert_eq!(log["broken"]["why"], "it was changed");
}
