//! The private server, with real processes and real kills.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use dash_db::{
    Db, PoolSizes,
    embedded::{Durability, Embedded, EmbeddedError, Options, running},
    test_support::temporary_dir,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;

fn options(dir: &Path) -> Options {
    let mut options = Options::new(dir.join("postgres"));
    options.durability = Durability::ProcessOnly;
    options.fallback = dir.join("fallback");
    options
}

async fn ask(url: &SecretString, sql: &str) -> String {
    let db = Db::connect(url, PoolSizes { rows: 1, metrics: 1 }).await.unwrap();
    db.client().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

async fn run(url: &SecretString, sql: &str) {
    let db = Db::connect(url, PoolSizes { rows: 1, metrics: 1 }).await.unwrap();
    db.client().await.unwrap().batch_execute(sql).await.unwrap();
}

fn postmaster(data: &Path) -> Option<Pid> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    Some(Pid::from_raw(text.lines().next()?.trim().parse().ok()?))
}

/// Processes that work in `data`.
fn processes(data: &Path) -> Vec<i32> {
    let data = fs::canonicalize(data).unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    let here = all.filter(|e| fs::read_link(e.path().join("cwd")).is_ok_and(|cwd| cwd == data));
    here.filter_map(|e| e.file_name().to_str()?.parse().ok()).collect()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    run(&server.url(), "CREATE TABLE kept AS SELECT 'yes' AS answer").await;
    server.stop().await.unwrap();
    assert_eq!(processes(&dir.path().join("postgres/data")), [0; 0]);

    let server = Embedded::start(options(dir.path())).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT answer FROM kept").await, "yes");
    let log = fs::read_to_string(server.log()).unwrap();
    assert!(!log.contains("not properly shut down"), "{log}");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn it_listens_on_a_private_socket_only_and_psql_gets_in_by_the_same_address() {
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    assert_eq!(ask(&server.url(), "SHOW listen_addresses").await, "");
    let run_dir = fs::metadata(dir.path().join("postgres/run")).unwrap();
    assert_eq!(run_dir.permissions().mode() & 0o777, 0o700);
    let url = server.url();
    let out = Command::new("psql")
        .args([url.expose_secret(), "-Atc", "SELECT current_user"])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "dash\n",
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn it_is_durable_unless_a_test_asks_otherwise() {
    let dir = temporary_dir().unwrap();
    let mut durable = options(dir.path());
    durable.durability = Durability::Full;
    let server = Embedded::start(durable).await.unwrap();
    for (name, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("max_connections", "60"),
        ("timezone", "UTC"),
        ("data_checksums", "on"),
    ] {
        assert_eq!(ask(&server.url(), &format!("SHOW {name}")).await, value, "{name}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn timescaledb_is_preloaded_where_it_is_installed() {
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    let installed = "SELECT count(*)::text FROM pg_available_extensions WHERE name = 'timescaledb'";
    let expected = match ask(&server.url(), installed).await.as_str() {
        "0" => "",
        _ => "timescaledb",
    };
    assert_eq!(ask(&server.url(), "SHOW shared_preload_libraries").await, expected);
    if !expected.is_empty() {
        run(&server.url(), "CREATE EXTENSION timescaledb").await;
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_directory_serves_one_dash_at_a_time() {
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    let second = Embedded::start(options(dir.path())).await.map(|_| ()).unwrap_err();
    assert!(matches!(second, EmbeddedError::InUse { .. }), "{second}");
    assert_eq!(ask(&server.url(), "SELECT 'undisturbed'").await, "undisturbed");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_command_finds_the_server_of_a_dash_that_runs_and_only_then() {
    let dir = temporary_dir().unwrap();
    assert!(running(&options(dir.path())).is_none());
    let server = Embedded::start(options(dir.path())).await.unwrap();
    let found = running(&options(dir.path())).unwrap();
    assert_eq!(found.expose_secret(), server.url().expose_secret());
    server.stop().await.unwrap();
    assert!(running(&options(dir.path())).is_none());
}

#[tokio::test]
async fn a_killed_server_recovers_at_the_next_start() {
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    run(&server.url(), "CREATE TABLE kept AS SELECT 'committed' AS answer").await;
    kill(postmaster(server.data_dir()).unwrap(), Signal::SIGKILL).unwrap();
    server.exited().await.unwrap();
    // Its pid file is still there, and so may be its children.
    assert!(postmaster(server.data_dir()).is_some());
    drop(server);

    let server = Embedded::start(options(dir.path())).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT answer FROM kept").await, "committed");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_a_strangers_process_does_not_hurt_either() {
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    server.stop().await.unwrap();
    let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
    let data = dir.path().join("postgres/data");
    let text = format!(
        "{}\n{}\n1700000000\n5432\n/nowhere\n\n  1 1\nready   \n",
        stranger.id(),
        data.display()
    );
    fs::write(data.join("postmaster.pid"), text).unwrap();

    let server = Embedded::start(options(dir.path())).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT 'up'").await, "up");
    assert!(stranger.try_wait().unwrap().is_none(), "the stranger was killed");
    server.stop().await.unwrap();
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn half_of_a_database_is_made_anew() {
    let dir = temporary_dir().unwrap();
    let half = dir.path().join("postgres/data.new");
    fs::create_dir_all(half.join("base")).unwrap();
    fs::set_permissions(dir.path().join("postgres"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT 'whole'").await, "whole");
    assert!(!half.exists());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_one() {
    let dir = temporary_dir().unwrap();
    let deep = dir.path().join("a long, long way".repeat(7));
    let server = Embedded::start(options(&deep)).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT 'up'").await, "up");
    let link = deep.join("postgres/run");
    let first = fs::read_link(&link).unwrap();
    assert!(
        first.starts_with("/tmp") && first.join(".s.PGSQL.5432").exists(),
        "{}",
        first.display()
    );
    server.stop().await.unwrap();

    let server = Embedded::start(options(&deep)).await.unwrap();
    assert!(!first.exists(), "the directory of the life before is still there");
    let second = fs::read_link(&link).unwrap();
    server.stop().await.unwrap();
    fs::remove_dir_all(second).unwrap();
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why_in_its_own_words() {
    let dir = temporary_dir().unwrap();
    Embedded::start(options(dir.path()))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    fs::write(
        dir.path().join("postgres/data/postgresql.conf"),
        "no_such_setting = 1\n",
    )
    .unwrap();
    let error = Embedded::start(options(dir.path()))
        .await
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("did not start") && error.contains("no_such_setting"),
        "{error}"
    );
}

#[tokio::test]
async fn root_runs_it_as_another_user_who_owns_the_data_only() {
    if !geteuid().is_root() {
        return;
    }
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    let pid = postmaster(server.data_dir()).unwrap();
    assert_ne!(fs::metadata(format!("/proc/{pid}")).unwrap().uid(), 0);
    assert_ne!(fs::metadata(server.data_dir()).unwrap().uid(), 0);
    assert_eq!(fs::metadata(dir.path().join("postgres")).unwrap().uid(), 0);
    assert_eq!(fs::metadata(dir.path().join("postgres/pg_hba.conf")).unwrap().uid(), 0);
    // Dash's environment may hold secrets.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("CARGO"));
    server.stop().await.unwrap();
}

/// A directory of root's alone, with one of Dash's in it.
fn closed_dir() -> (TempDir, PathBuf, Options) {
    let dir = temporary_dir().unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let mut options = options(&closed);
    options.fallback = dir.path().join("fallback");
    (dir, closed, options)
}

#[tokio::test]
async fn below_a_directory_of_roots_alone_the_data_goes_elsewhere_and_is_found_again() {
    if !geteuid().is_root() {
        return;
    }
    let (dir, closed, options) = closed_dir();
    let server = Embedded::start(options.clone()).await.unwrap();
    assert!(server.data_dir().starts_with(dir.path().join("fallback")));
    run(&server.url(), "CREATE TABLE kept AS SELECT 'yes' AS answer").await;
    server.stop().await.unwrap();
    assert_eq!(fs::metadata(&closed).unwrap().permissions().mode() & 0o777, 0o700);

    let server = Embedded::start(options.clone()).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT answer FROM kept").await, "yes");
    server.stop().await.unwrap();

    // Who removes Dash's directory wants to begin anew, yet nothing is deleted.
    fs::remove_dir_all(&options.dir).unwrap();
    let server = Embedded::start(options.clone()).await.unwrap();
    assert_eq!(
        ask(&server.url(), "SELECT (to_regclass('kept') IS NULL)::text").await,
        "true"
    );
    server.stop().await.unwrap();
    assert_eq!(fs::read_dir(&options.fallback).unwrap().count(), 2);
}

#[tokio::test]
async fn a_link_to_a_database_that_is_gone_begins_anew() {
    if !geteuid().is_root() {
        return;
    }
    let (dir, _, options) = closed_dir();
    fs::create_dir_all(&options.dir).unwrap();
    symlink(dir.path().join("fallback/gone/data"), options.dir.join("data")).unwrap();
    let server = Embedded::start(options).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT 'up'").await, "up");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn data_that_cannot_be_reached_any_more_is_not_replaced() {
    if !geteuid().is_root() {
        return;
    }
    let dir = temporary_dir().unwrap();
    Embedded::start(options(dir.path()))
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let error = Embedded::start(options(dir.path())).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, EmbeddedError::Unreachable { .. }), "{error}");
}

/// `test-postgres` on a directory, running `command`.
fn keeper(dir: &Path, command: &[&str]) -> Child {
    let mut keeper = Command::new(env!("CARGO_BIN_EXE_test-postgres"));
    keeper
        .arg("--dir")
        .arg(dir)
        .arg("--")
        .args(command)
        .stdin(Stdio::piped());
    keeper.spawn().unwrap()
}

fn ready(data: &Path) -> bool {
    fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|t| t.contains("ready"))
}

#[tokio::test]
async fn postgresql_does_not_outlive_a_program_that_was_killed() {
    let dir = temporary_dir().unwrap();
    let data = dir.path().join("postgres/data");
    // `cat` ends with the pipe, which ends with this test.
    let mut parent = keeper(dir.path(), &["cat"]);
    until("it starts", || ready(&data));
    parent.kill().unwrap();
    parent.wait().unwrap();
    until("PostgreSQL ends", || processes(&data).is_empty());
    assert!(postmaster(&data).is_none(), "it was not a clean shutdown");

    let server = Embedded::start(options(dir.path())).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT 'up'").await, "up");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_outlived_its_program_is_stopped_at_the_next_start() {
    let dir = temporary_dir().unwrap();
    let server = Embedded::start(options(dir.path())).await.unwrap();
    let data = server.data_dir().to_owned();
    server.stop().await.unwrap();
    // Started by hand, so that nothing ends it.
    let run_dir = dir.path().join("postgres/run");
    let pg_ctl = fs::canonicalize("/usr/lib/postgresql").unwrap();
    let pg_ctl = fs::read_dir(pg_ctl)
        .unwrap()
        .flatten()
        .map(|e| e.path().join("bin/pg_ctl"))
        .max()
        .unwrap();
    let settings = format!("-c listen_addresses= -c unix_socket_directories={}", run_dir.display());
    let mut by_hand = match geteuid().is_root() {
        true => {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .arg(pg_ctl);
            command
        }
        false => Command::new(pg_ctl),
    };
    by_hand
        .arg("start")
        .arg("-D")
        .arg(&data)
        .arg("-o")
        .arg(settings)
        .args(["-w", "-l", "/dev/null"]);
    assert!(
        by_hand
            .current_dir("/")
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    let left = postmaster(&data).unwrap();

    let server = Embedded::start(options(dir.path())).await.unwrap();
    assert_eq!(ask(&server.url(), "SELECT 'up'").await, "up");
    assert_ne!(postmaster(&data), Some(left));
    assert!(!processes(&data).contains(&left.as_raw()));
    server.stop().await.unwrap();
}

#[test]
fn the_command_gets_a_server_and_hands_on_its_status() {
    let script =
        "test -n \"$DASH_TEST_DATABASE_URL\" && psql -Atc 'SELECT 40 + 2' \"$DASH_TEST_DATABASE_URL\" && exit 7";
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-postgres"));
    let out = command.args(["--", "sh", "-c", script]).output().unwrap();
    assert_eq!(
        (String::from_utf8_lossy(&out.stdout).as_ref(), out.status.code()),
        ("42\n", Some(7))
    );
}

#[test]
fn a_terminated_command_still_leaves_no_server() {
    let dir = temporary_dir().unwrap();
    let data = dir.path().join("postgres/data");
    let mut parent = keeper(dir.path(), &["cat"]);
    until("it starts", || ready(&data));
    // The command starts a moment after the server is ready.
    thread::sleep(Duration::from_millis(300));
    // Waiting closes the pipe, at whose end `cat` would end well.
    let pipe = parent.stdin.take();
    kill(Pid::from_raw(parent.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(parent.wait().unwrap().code(), Some(128 + 15));
    drop(pipe);
    assert_eq!(processes(&data), [0; 0]);
}
