//! How fast it is, for people: `cargo test -p dash-transform speed -- --ignored --nocapture`.

use std::time::Instant;

use dash_model::{EventSeq, record::RecordSet};
use dash_transform::Input;

use crate::support::{RECEIVED, check_sums, plan};

#[test]
#[ignore = "a measurement, not a test"]
fn speed_of_a_run() {
    let plan = plan(
        r#"{"time":{"path":"time"},"filter":"status <> 'off'",
            "fields":[{"name":"status","path":"status","type":"string"}],
            "calculated":[{"name":"fahrenheit","expression":"ROUND(celsius * 1.8 + 32, 1)"},{"name":"ratio","expression":"celsius / NULLIF(humidity, 0)"}],
            "metrics":[{"name":"celsius","path":"sensor.temperature"},{"name":"humidity","path":"sensor.humidity","scale":0.01},
                       {"name":"fahrenheit","field":"fahrenheit"},{"name":"ratio","field":"ratio"}],
            "tags":[{"name":"room","path":"room"},{"name":"device","path":"device.id"}]}"#,
    );
    for rows in [100usize, 1_000, 10_000] {
        let texts: Vec<String> = (0..rows)
            .map(|i| {
                format!(
                    r#"{{"time":{},"status":"ok","room":"r{}","device":{{"id":"d-{}","firmware":"1.2.3"}},"sensor":{{"temperature":{}.5,"humidity":{}}},"note":"nothing of interest, {i}"}}"#,
                    1_767_225_600_000 + i,
                    i % 7,
                    i % 50,
                    i % 30,
                    i % 100
                )
            })
            .collect();
        let records: RecordSet = texts.iter().map(String::as_bytes).collect();
        let input = Input {
            first: EventSeq(0),
            received_at: RECEIVED,
            records: &records,
        };
        let runs = 50_000 / rows;
        let start = Instant::now();
        for _ in 0..runs {
            check_sums(&plan.run(&[input]).expect("runs"), rows);
        }
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{rows} records a run: {:.0} records/s, {:.2} ms a run, {} series",
            (rows * runs) as f64 / seconds,
            seconds * 1e3 / runs as f64,
            plan.run(&[input]).expect("runs").series.len()
        );
    }
}
