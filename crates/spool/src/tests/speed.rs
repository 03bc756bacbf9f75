//! Figures to look at: `cargo test -p dash-spool -- --ignored --nocapture`.

use std::time::Instant;

use tempfile::TempDir;

use super::*;

/// On the disk of the checkout: /tmp may be memory.
fn disk() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap()
}

fn sized(rows: usize) -> NewBatch {
    let record = [b'x'; 200];
    NewBatch {
        records: std::iter::repeat_n(&record[..], rows).collect(),
        idempotency: None,
        ..batch(1, 0)
    }
}

async fn run(tasks: usize, appends: usize, rows: usize) {
    let dir = disk();
    let spool = open(&options(&dir));
    let mut reader = spool.reader();
    let total = tasks * appends;
    let reading = tokio::spawn(async move {
        let mut read = 0;
        while read < total {
            read += reader.next(4 << 20).await.unwrap().len();
        }
    });
    let new = sized(rows);
    let start = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|_| {
            let (spool, new) = (spool.clone(), new.clone());
            tokio::spawn(async move {
                for _ in 0..appends {
                    spool.append(new.clone()).await.unwrap();
                }
            })
        })
        .collect();
    for task in running {
        task.await.unwrap();
    }
    let took = start.elapsed().as_secs_f64();
    reading.await.unwrap();
    println!(
        "{tasks} tasks, {rows} events of 200 bytes a batch: {:.0} appends/s, {:.0} events/s, {:.1} appends a commit, {:.2} ms a commit; read after {:.0} ms",
        total as f64 / took,
        (total * rows) as f64 / took,
        total as f64 / spool.commits() as f64,
        took * 1e3 / spool.commits() as f64,
        (start.elapsed().as_secs_f64() - took) * 1e3,
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn speed() {
    run(16, 100, 1_000).await;
    run(64, 25, 1_000).await;
    run(256, 100, 1).await;
    run(1, 300, 1).await;
}
