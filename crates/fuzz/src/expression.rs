//! Expressions of a mapping.
//!
//! Input: the expression as text. It is tried as a filter, as a metric and as a tag, each on the same few records.

use std::sync::LazyLock;

use dash_model::{EventSeq, Micros, mapping::Mapping, record::RecordSet, stats::RecentEvent};
use dash_transform::{Input, Plan};
use serde_json::json;

/// Values of each type at their edges, absent ones, and ones that do not fit.
static RECORDS: LazyLock<RecordSet> = LazyLock::new(|| {
    let records: [&[u8]; 12] = [
        br#"{"m":1,"f":1.5,"i":3,"b":true,"s":"abc","t":"2024-02-29T23:59:59.999999Z"}"#,
        br#"{"m":2,"f":-0.0,"i":-1,"b":false,"s":"","t":0}"#,
        br#"{"m":3,"f":1e308,"i":9223372036854775807,"b":true,"s":"%_\\","t":1700000000}"#,
        br#"{"m":4,"f":-1e308,"i":-9223372036854775808,"b":false,"s":"0123456789","t":"1999-12-31 23:00:00+01:00"}"#,
        br#"{"m":5,"f":5e-324,"i":0,"b":null,"s":null,"t":4102444799999}"#,
        br#"{"m":6}"#,
        br#"{"m":7,"f":0.1,"i":2,"b":true,"s":"\u00e9\ud83d\ude00 \n"}"#,
        br#"{"m":8,"f":"12.5","i":"12","b":"true","s":12,"t":"1"}"#,
        br#"{"m":9,"f":2.5,"i":10,"b":false,"s":"2024-01-01"}"#,
        br#"{"m":10,"f":{},"i":1}"#,
        br#"{"f":1,"i":1,"b":true,"s":"no metric"}"#,
        br#"{"m":11,"f":3.5,"i":64,"b":true,"s":" x "}"#,
    ];
    records.into_iter().collect()
});

#[derive(Clone, Copy, Debug)]
enum Use {
    Filter,
    Metric,
    Tag,
}

/// Never panics; what compiles runs; every record has an outcome, the same alone as among others and the same again;
/// parentheses around it change nothing.
pub fn target(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for how in [Use::Filter, Use::Metric, Use::Tag] {
        let Some(plan) = plan(text, how) else { continue };
        let all = outcomes(&plan, &RECORDS);
        assert_eq!(all.len(), RECORDS.len());
        assert_eq!(all, outcomes(&plan, &RECORDS), "the same again is not the same");
        for (row, (together, record)) in all.iter().zip(RECORDS.iter()).enumerate() {
            let alone = outcomes(&plan, &[record].into_iter().collect());
            assert_eq!(alone.len(), 1);
            assert_eq!(alone[0].outcome, together.outcome, "{how:?} record {row} among others");
        }
        counted(&plan);
        // A comment may end the line.
        if let Some(plan) = self::plan(&format!("({text}\n)"), how) {
            assert_eq!(all, outcomes(&plan, &RECORDS), "{how:?} in parentheses");
        }
    }
}

fn plan(expression: &str, how: Use) -> Option<Plan> {
    let fields = json!([
        {"name": "f", "path": "f", "type": "float"},
        {"name": "i", "path": "i", "type": "integer"},
        {"name": "b", "path": "b", "type": "boolean"},
        {"name": "s", "path": "s", "type": "string"},
    ]);
    let metric = json!({"name": "m", "path": "m"});
    let calculated = json!([{"name": "x", "expression": expression}]);
    let mut mapping = json!({"fields": fields, "time": {"path": "t"}});
    match how {
        Use::Filter => {
            mapping["filter"] = expression.into();
            mapping["metrics"] = json!([metric]);
        }
        Use::Metric => {
            mapping["calculated"] = calculated;
            mapping["metrics"] = json!([metric, {"name": "y", "field": "x"}]);
        }
        Use::Tag => {
            mapping["calculated"] = calculated;
            mapping["metrics"] = json!([metric]);
            mapping["tags"] = json!([{"name": "tag", "field": "x"}]);
        }
    }
    let mapping: Mapping = serde_json::from_value(mapping).expect("a mapping");
    match Plan::compile(&mapping) {
        Ok(plan) => Some(plan),
        Err(error) => {
            // What a person is shown.
            assert!(
                error.to_string().len() < 2_000,
                "{} bytes of error",
                error.to_string().len()
            );
            None
        }
    }
}

fn input(records: &RecordSet) -> Input<'_> {
    Input {
        first: EventSeq(0),
        received_at: Micros(1_700_000_000_000_000),
        records,
    }
}

fn outcomes(plan: &Plan, records: &RecordSet) -> Vec<RecentEvent> {
    plan.outcomes(&[input(records)]).expect("data cannot make it fail")
}

fn counted(plan: &Plan) {
    let out = plan.run(&[input(&RECORDS)]).expect("data cannot make it fail");
    let all = out.mapped as usize + out.filtered as usize + out.quarantined.len();
    assert_eq!(
        all,
        RECORDS.len(),
        "a record is neither mapped, filtered nor quarantined"
    );
}
