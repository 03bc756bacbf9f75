//! `server reconcile` and its page: silent while the books agree, also under load, and exact about what differs.

mod tampering;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use dash_db::test_support::{TestDatabase, secret_key};
use dash_metrics::{BooksOptions, Engine, Floor, Mode, Silver, SilverOptions};
use dash_model::{
    DEFAULT_ORGANIZATION,
    pipeline::CreatedPipeline,
    reconcile::{About, CheckOutcome, Reconciliation, Verdict},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use self::tampering::{names, tamperings};
use crate::util::TestApp;

/// A pipeline of every outcome.
fn mapping() -> Value {
    json!({
        "time": {"path": "at", "format": "epoch_ms"},
        "metrics": [{"name": "value", "path": "value", "required": true}, {"name": "twice", "path": "value", "scale": 2.0}],
        "tags": [{"name": "sensor", "path": "sensor"}],
        "fields": [{"name": "kind", "path": "kind", "type": "string"}],
        "filter": "coalesce(kind, '') <> 'noise'",
    })
}

/// 2023-11-14T22:13:20Z, and from there on a point every 40 minutes: several days and hours.
fn good(from: i64, n: i64) -> String {
    let line = |i| {
        let at = 1_700_000_000_000_i64 + i * 2_400_000;
        format!("{{\"at\":{at},\"value\":{}.1,\"sensor\":\"s{}\"}}\n", i % 17, i % 3)
    };
    (from..from + n).map(line).collect()
}

const FILTERED: &str = "{\"at\":1700000000000,\"value\":1,\"kind\":\"noise\"}\n";
const QUARANTINED: &str = "{\"at\":1700000000000,\"value\":\"much\"}\n";
const REJECTED: &str = "{\"at\":\n";
const ALL_REJECTED: &str = "[1]";

/// A server on tables of one kind, whose spool lets go of what is done within a second or two.
async fn app(engine: Engine) -> TestApp {
    let database = TestDatabase::new().await;
    let options = SilverOptions {
        engine,
        ..SilverOptions::default()
    };
    Silver::new(database.db().clone(), options).await.unwrap();
    TestApp::on(database, &[("DASH_SPOOL_AGE", "1s"), ("DASH_LAKE_AGE", "1s")]).await
}

/// Plain PostgreSQL, and TimescaleDB where the machine has it.
async fn apps() -> Vec<TestApp> {
    let mut apps = vec![app(Engine::Plain).await];
    let auto = app(Engine::Auto).await;
    if matches!(auto.mode, Mode::Timescale { .. }) {
        apps.push(auto);
    }
    apps
}

/// Four objects and at least as many rows of the ledger, all of it done and rolled up, and gone from the spool.
async fn loaded(app: &TestApp) -> CreatedPipeline {
    let pipeline = app.pipeline("books", mapping()).await;
    let other = app.pipeline("other", mapping()).await;
    for body in [
        format!("{}{REJECTED}{QUARANTINED}", good(0, 30)),
        good(30, 40),
        format!("{FILTERED}{QUARANTINED}{}", good(70, 30)),
        format!("{FILTERED}{}", good(100, 20)),
    ] {
        assert_eq!(app.post(&pipeline, body).send().await.unwrap().status(), 202);
        assert_eq!(app.post(&other, good(0, 5)).send().await.unwrap().status(), 202);
        assert_eq!(app.post(&pipeline, ALL_REJECTED).send().await.unwrap().status(), 422);
        app.settled(&pipeline).await;
        app.settled(&other).await;
    }
    roll_up(app).await;
    let spool = &app.running().state.spool;
    let deadline = Instant::now() + Duration::from_secs(20);
    while spool.oldest() < spool.depth().next {
        assert!(Instant::now() < deadline, "the spool never let go: {:?}", spool.depth());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    pipeline
}

/// Rolls up what was written, without waiting for it to cool.
async fn roll_up(app: &TestApp) {
    let options = SilverOptions {
        hot: Duration::ZERO,
        ..SilverOptions::default()
    };
    let silver = Silver::new(app.database.db().clone(), options).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while silver.stats(None).await.unwrap().pending_hours > 0 {
        assert!(Instant::now() < deadline, "never rolled up");
        silver.rollup().await.unwrap();
    }
}

/// The real program beside or after the server.
fn run(app: &TestApp, arguments: &[&str]) -> Output {
    program(app.data.path(), app.database.url().expose_secret(), arguments, &[])
}

fn program(data: &Path, url: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_server"))
        .arg("reconcile")
        .args(arguments)
        .env("DASH_DATA", data)
        .env("DATABASE_URL", url)
        .env("DASH_SECRET_KEY", secret_key())
        .envs(variables.iter().copied())
        .output()
        .expect("the server starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn json_of(output: &Output) -> Reconciliation {
    let words = || String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", words()))
}

/// What differs in `books`, and that nothing does in the other pipeline.
fn differing(checked: &Reconciliation) -> BTreeSet<&'static str> {
    let mut differing = BTreeSet::new();
    for pipeline in &checked.pipelines {
        for check in &pipeline.checks {
            match &check.outcome {
                CheckOutcome::Differs { differences, .. } => {
                    assert_eq!(pipeline.slug, "books", "{differences:?}");
                    assert!(!differences.is_empty());
                    differing.insert(check.about.name());
                }
                CheckOutcome::Unchecked { reason } => panic!("{reason}"),
                CheckOutcome::Agrees | CheckOutcome::DeepOnly => {}
            }
        }
    }
    differing
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn books_agree_after_every_outcome_beside_the_server_and_without_it() {
    for mut app in apps().await {
        loaded(&app).await;
        for _ in ["beside the server", "without it"] {
            let output = run(
                &app,
                &["--json", "--deep", "--pipeline", "books", "--pipeline", "books"],
            );
            let checked = json_of(&output);
            assert_eq!((code(&output), checked.verdict), (0, Verdict::Agrees), "{checked:?}");
            assert_eq!(checked.pipelines.len(), 1);
            let f = checked.pipelines[0].figures;
            assert_eq!((f.mapped, f.filtered, f.quarantined, f.rejected), (120, 2, 2, 5));
            assert_eq!(
                (f.received, f.events, f.lake_rows, f.quarantine_rows),
                (129, 124, 124, 2)
            );
            assert_eq!((f.ledger_points, f.rollup_points, f.points), (240, 240, Some(240)));
            assert_eq!((f.lake_objects, f.objects_read), (4, Some(4)));
            assert_eq!((f.waiting_for_lake, f.waiting_for_silver), (0, 0));
            assert!(f.buckets.unwrap() > 240, "minutes, hours and days: {f:?}");

            let output = run(&app, &[]);
            let words = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(code(&output), 0, "{words}");
            assert!(
                words.contains("129 received = 120 mapped + 2 filtered + 2 quarantined + 5 rejected"),
                "{words}"
            );
            assert!(words.contains("Everything agrees in 2 pipelines."), "{words}");
            if app.is_running() {
                app.stop().await;
            }
        }
    }
}

fn words(abouts: &[About]) -> BTreeSet<&'static str> {
    abouts.iter().map(|about| about.name()).collect()
}

fn expect(app: &TestApp, what: &str, quick: &[About], deep: &[About]) {
    for (arguments, expected) in [(&["--json"][..], quick), (&["--json", "--deep"], deep)] {
        let output = run(app, arguments);
        let checked = json_of(&output);
        let mode = &app.mode;
        assert_eq!(
            differing(&checked),
            words(expected),
            "{what} {arguments:?} {mode:?}: {checked:#?}"
        );
        assert_eq!(code(&output), i32::from(!expected.is_empty()), "{what} {arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_changed_behind_its_back_is_found_and_nothing_else() {
    for mut app in apps().await {
        loaded(&app).await;
        let names = names(&app).await;
        let filled = |sql: &str| {
            names
                .iter()
                .fold(sql.to_owned(), |sql, (name, value)| sql.replace(name, value))
        };
        app.stop().await;
        let client = app.database.db().client().await.unwrap();
        expect(&app, "nothing", &[], &[]);
        for t in tamperings() {
            client
                .batch_execute(&filled(&t.change))
                .await
                .unwrap_or_else(|e| panic!("{}: {e:?}", t.what));
            expect(&app, t.what, t.quick, t.deep);
            client
                .batch_execute(&filled(&t.undo))
                .await
                .unwrap_or_else(|e| panic!("{}: {e:?}", t.what));
        }
        expect(&app, "everything taken back", &[], &[]);

        let output = {
            client
                .batch_execute(&filled("UPDATE totals SET rejected = 7 WHERE mapping_version_id = $v"))
                .await
                .unwrap();
            run(&app, &["--pipeline", "books"])
        };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(code(&output), 1, "{said}");
        for part in [
            "DIFFERS  Totals",
            "kept total of rejected",
            "expected  5",
            "found     7",
            "1 difference in 1 pipeline.",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
    }
}

/// The object files of `books`, by name.
async fn files(app: &TestApp) -> Vec<PathBuf> {
    let client = app.database.db().client().await.unwrap();
    let sql = "SELECT o.key FROM lake_objects o JOIN pipelines p ON p.id = o.pipeline_id WHERE p.slug = 'books' ORDER BY first_event";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter()
        .map(|r| app.data.path().join("lake").join(r.get::<_, String>(0)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn objects_that_are_lost_cut_changed_or_foreign_are_found() {
    let mut app = app(Engine::Plain).await;
    loaded(&app).await;
    let files = files(&app).await;
    app.stop().await;
    let (object, aside) = (&files[1], app.data.path().join("aside.parquet"));
    let whole = fs::read(object).unwrap();
    let objects = &[About::Objects][..];

    fs::rename(object, &aside).unwrap();
    expect(&app, "an object is lost", objects, objects);
    fs::rename(&aside, object).unwrap();

    fs::write(object, &whole[..whole.len() - 9]).unwrap();
    expect(&app, "an object is cut", objects, objects);

    // As long as it was, but another object's bytes.
    let mut other = fs::read(&files[0]).unwrap();
    other.resize(whole.len(), 0);
    fs::write(object, &other).unwrap();
    expect(&app, "an object has other bytes of the same number", &[], objects);
    fs::write(object, &whole).unwrap();

    let foreign = object.with_file_name("foreign.parquet");
    fs::write(&foreign, &whole).unwrap();
    expect(&app, "an object is nobody's", objects, objects);
    fs::remove_file(&foreign).unwrap();
    expect(&app, "everything taken back", &[], &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_it_never_cries_wolf() {
    for app in apps().await {
        let pipelines = [
            app.pipeline("books", mapping()).await,
            app.pipeline("other", mapping()).await,
        ];
        let state = &app.running().state;
        let loaded = async {
            let deadline = Instant::now() + Duration::from_secs(8);
            let senders = (0..6_i64).map(|sender| {
                let (app, pipelines) = (&app, &pipelines);
                async move {
                    let mut round = 0;
                    while Instant::now() < deadline {
                        let body = match (round + sender) % 4 {
                            0 => format!("{}{QUARANTINED}", good(round * 7, 9)),
                            1 => format!("{FILTERED}{REJECTED}{}", good(sender, 3)),
                            2 => ALL_REJECTED.to_owned(),
                            _ => good(round, 25),
                        };
                        let to = &pipelines[usize::try_from(round % 2).unwrap()];
                        assert!([202, 422].contains(&app.post(to, body).send().await.unwrap().status().as_u16()));
                        round += 1;
                    }
                }
            });
            futures::future::join_all(senders).await;
        };
        let stop = tokio_util::sync::CancellationToken::new();
        let checking = async {
            let (mut checks, mut moving, mut deep) = (0, 0, false);
            while !stop.is_cancelled() {
                let listed = {
                    let mut connection = state.db.diesel().await.unwrap();
                    dash_db::store::pipelines::list(&mut connection, DEFAULT_ORGANIZATION)
                        .await
                        .unwrap()
                };
                let options = BooksOptions {
                    deep,
                    timeout: None,
                    floors: vec![Floor {
                        node: 0,
                        from: state.spool.oldest(),
                    }],
                };
                let checked = server::reconcile::reconcile(&state.silver, &state.lake, &listed, &options)
                    .await
                    .unwrap();
                assert_eq!(checked.verdict, Verdict::Agrees, "{checked:#?}");
                checks += 1;
                deep = !deep;
                moving += checked
                    .pipelines
                    .iter()
                    .filter(|p| p.figures.waiting_for_lake + p.figures.waiting_for_silver > 0)
                    .count();
            }
            (checks, moving)
        };
        let rolling = async {
            let options = SilverOptions {
                hot: Duration::ZERO,
                ..SilverOptions::default()
            };
            let silver = Silver::new(app.database.db().clone(), options).await.unwrap();
            while !stop.is_cancelled() {
                silver.rollup().await.unwrap();
            }
        };
        let beside = async {
            while !stop.is_cancelled() {
                let (data, url) = (
                    app.data.path().to_owned(),
                    app.database.url().expose_secret().to_owned(),
                );
                let ran = tokio::task::spawn_blocking(move || program(&data, &url, &["--json"], &[]));
                let output = ran.await.unwrap();
                assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stdout));
            }
        };
        let loaded = async {
            loaded.await;
            stop.cancel();
        };
        let ((), (checks, moving), (), ()) = tokio::join!(loaded, checking, rolling, beside);
        assert!(
            checks >= 5 && moving > 0,
            "{checks} checks, {moving} of them with events on their way"
        );
        for pipeline in &pipelines {
            app.settled(pipeline).await;
        }
        let checked = json_of(&run(&app, &["--json", "--deep"]));
        assert_eq!(checked.verdict, Verdict::Agrees, "{checked:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_checked_ends_with_another_code_than_a_difference() {
    let app = app(Engine::Auto).await;
    let (data, url) = (app.data.path(), app.database.url().expose_secret());
    app.pipeline("books", mapping()).await;

    let output = program(data, url, &["--pipeline", "nothing"], &[]);
    assert_eq!(code(&output), 2);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--pipeline") && said.contains("pipelines list"), "{said}");

    let away = "postgres://nobody@127.0.0.1:1/nothing";
    assert_eq!(code(&program(data, away, &[], &[])), 2);
    assert_eq!(code(&program(data, url, &[], &[("DASH_LAKE", "gs://nothing")])), 2);

    let bucket = [
        ("DASH_LAKE", "s3://bucket/lake"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("DASH_LAKE_TIMEOUT", "1s"),
    ];
    let output = program(data, url, &["--json"], &bucket);
    let checked = json_of(&output);
    assert_eq!(
        (code(&output), checked.verdict),
        (2, Verdict::Unchecked),
        "{checked:#?}"
    );
    let objects = checked.pipelines[0]
        .checks
        .iter()
        .find(|c| c.about == About::Objects)
        .unwrap();
    assert!(matches!(objects.outcome, CheckOutcome::Unchecked { .. }), "{objects:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_says_the_same_without_a_script() {
    let app = app(Engine::Auto).await;
    let get = async |path: &str| {
        let page = app.page(path).await;
        (page.status().as_u16(), page.text().await.unwrap())
    };
    let (status, html) = get("/reconcile").await;
    assert!(status == 200 && html.contains("There is no pipeline yet"), "{html}");

    loaded(&app).await;
    let (status, html) = get("/reconcile").await;
    assert_eq!(status, 200);
    for part in [
        "129 received",
        "Everything agrees in 2 pipelines.",
        "server reconcile --deep",
        "Check again",
    ] {
        assert!(html.contains(part), "{part:?} is not in {html}");
    }
    let client = app.database.db().client().await.unwrap();
    client.batch_execute("DELETE FROM quarantine").await.unwrap();
    let (_, html) = get("/reconcile?pipeline=books").await;
    for part in [
        "1 difference in 1 pipeline.",
        "Quarantine has another number of rows",
        "server reconcile --deep --pipeline books",
    ] {
        assert!(html.contains(part), "{part:?} is not in {html}");
    }
    assert_eq!(get("/reconcile?pipeline=nothing").await.0, 404);
}
