//! A real process, really killed.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use tempfile::tempdir;

use super::*;

const CHILD: &str = "DASH_SPOOL_TEST_CHILD";
const NAME: &str = "tests::kill::what_a_killed_process_acknowledged_is_there_after_the_restart";

/// Appends for ever and prints the id of each batch once it is acknowledged.
fn child(dir: &str) -> ! {
    let options = Options {
        segment_bytes: 50_000,
        min_free_bytes: 0,
        ..Options::new(dir, 0)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let spool = open(&options);
        for _ in 0..32 {
            let spool = spool.clone();
            tokio::spawn(async move {
                while let Ok(id) = spool.append(batch(1, 5)).await {
                    let line = format!("ack {id}\n");
                    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                        // Whoever started this process is gone.
                        break;
                    }
                }
                std::process::exit(2);
            });
        }
        std::future::pending().await
    })
}

#[test]
fn what_a_killed_process_acknowledged_is_there_after_the_restart() {
    if let Ok(dir) = std::env::var(CHILD) {
        child(&dir);
    }
    let dir = tempdir().unwrap();
    let options = options(&dir);
    let mut acknowledged = HashSet::new();
    // Several lives, so that a restart over the rests of a crash is killed too.
    for life in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CHILD, &options.dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: std::io::Result<String>| {
            if let Some(id) = line.unwrap().strip_prefix("ack ") {
                assert!(
                    acknowledged.insert(id.parse::<i64>().unwrap()),
                    "{id} was handed out twice"
                );
                return true;
            }
            false
        };
        let mut seen = 0;
        while seen < 500 + life * 337 {
            seen += usize::from(take(lines.next().expect("the child ended by itself")));
        }
        child.kill().unwrap();
        // What it printed before it died; the last line may be cut off within.
        for line in lines {
            take(line);
        }
        child.wait().unwrap();
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let read = runtime.block_on(async {
        let spool = open(&options);
        read_all(&mut spool.reader()).await
    });
    let mut last = -1;
    let mut found = 0;
    for got in &read {
        assert!(got.id.0 > last, "order");
        last = got.id.0;
        assert_eq!(got, &expected(got.id, batch(1, 5)));
        found += usize::from(acknowledged.contains(&got.id.0));
    }
    assert_eq!(found, acknowledged.len(), "acknowledged batches are missing");
}
