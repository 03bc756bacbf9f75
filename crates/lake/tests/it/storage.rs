use std::time::Duration;

use dash_lake::{LakeError, Location, S3Options, open, test_support::Fault};
use http::Method;
use secrecy::SecretString;

use crate::support::{bucket, local};

#[tokio::test]
async fn a_directory_is_made_and_checked() {
    let (dir, store) = local();
    store.check().await.unwrap();
    std::fs::remove_dir_all(dir.path().join("lake")).unwrap();
    let error = store.check().await.unwrap_err().to_string();
    assert!(error.contains("lake"), "{error}");
}

#[tokio::test]
async fn a_file_is_no_lake() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = open(&Location::Directory(file), &S3Options::default()).unwrap_err();
    assert!(error.to_string().contains("DASH_LAKE"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_answers_is_fine() {
    let (_server, store) = bucket().await;
    store.check().await.unwrap();
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let (server, _) = bucket().await;
    let nowhere = Location::S3 {
        bucket: "not-there".into(),
        prefix: String::new(),
    };
    let error = open(&nowhere, &server.options())
        .unwrap()
        .check()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("not-there") && error.contains("no such bucket"),
        "{error}"
    );
}

#[tokio::test]
async fn a_wrong_key_is_said_without_the_key() {
    let (server, _) = bucket().await;
    let options = S3Options {
        secret_access_key: Some(SecretString::from("hunter2")),
        ..server.options()
    };
    let error = open(&server.location(""), &options)
        .unwrap()
        .check()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("access denied"), "{error}");
    assert!(!error.contains("hunter2") && !error.contains("Signature="), "{error}");
    assert!(!format!("{options:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_bucket_that_is_down_or_slow_is_said() {
    let (server, store) = bucket().await;
    server.faults.push(Method::GET, Fault::Status(503));
    let error = store.check().await.unwrap_err().to_string();
    assert!(error.contains("503"), "{error}");
    server
        .faults
        .push(Method::GET, Fault::SlowAnswer(Duration::from_secs(3)));
    store.check().await.unwrap_err();
    store.check().await.unwrap();
}

#[tokio::test]
async fn missing_keys_are_named() {
    let (server, _) = bucket().await;
    let without_key = S3Options {
        access_key_id: None,
        ..server.options()
    };
    let without_secret = S3Options {
        secret_access_key: None,
        ..server.options()
    };
    for (options, name) in [
        (without_key, "AWS_ACCESS_KEY_ID"),
        (without_secret, "AWS_SECRET_ACCESS_KEY"),
    ] {
        let error = open(&server.location(""), &options).unwrap_err();
        assert!(matches!(error, LakeError::Config(_)));
        assert!(error.to_string().starts_with(name), "{error}");
    }
}
