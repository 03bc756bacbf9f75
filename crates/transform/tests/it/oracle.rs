//! The plan against a second opinion: a row-by-row evaluator over `serde_json::Value` that shares no code with it.

mod generate;
mod naive;

use dash_model::{EventSeq, record::RecordSet};
use dash_transform::{Input, Plan};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use self::{
    generate::{any_mapping, record},
    naive::{Meaning, Told, naive},
};
use crate::support::{RECEIVED, check_sums};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 2000, ..Default::default() })]

    #[test]
    fn the_plan_and_the_naive_evaluator_agree((mapping, numeric, filter) in any_mapping(), records in vec(record(), 0..12)) {
        let plan = match Plan::compile(&mapping) {
            Ok(plan) => plan,
            // The text of a deep expression can exceed the bounds; nothing else may be refused.
            Err(e) => {
                prop_assert!(e.reason.contains("nested deeper") || e.reason.contains("4096 are allowed"), "{e}\n{mapping:?}");
                return Ok(());
            }
        };
        let texts: Vec<String> = records.iter().map(Value::to_string).collect();
        let set: RecordSet = texts.iter().map(String::as_bytes).collect();
        // In two inputs, so that events are counted across them.
        let cut = set.len() / 2;
        let (head, tail): (RecordSet, RecordSet) = (set.iter().take(cut).collect(), set.iter().skip(cut).collect());
        let inputs = [
            Input { first: EventSeq(0), received_at: RECEIVED, records: &head },
            Input { first: EventSeq(cut as i64), received_at: RECEIVED, records: &tail },
        ];
        let out = plan.run(&inputs).expect("runs");
        check_sums(&out, records.len());
        let meaning = Meaning { numeric, filter };
        let mut point = 0;
        let mut quarantined = out.quarantined.iter();
        for (row, record) in records.iter().enumerate() {
            let mut made = Vec::new();
            while point < out.points.len() && out.points.event[point].0 == row as i64 {
                let series = &out.series[out.points.series[point] as usize];
                made.push((series.metric.clone(), series.tags.clone(), out.points.value[point]));
                point += 1;
            }
            let found = if !made.is_empty() {
                Told::Mapped(made)
            } else if quarantined.as_slice().first().is_some_and(|q| q.event.0 == row as i64) {
                let q = quarantined.next().expect("is there");
                prop_assert_eq!(&q.raw[..], texts[row].as_bytes());
                let mut fields: Vec<String> = q.reasons.iter().map(|r| r.field.clone()).collect();
                fields.sort();
                fields.dedup();
                Told::Quarantined(fields)
            } else {
                Told::Filtered
            };
            prop_assert_eq!(found, naive(&mapping, &meaning, record), "{}\n{}", json!(mapping), record);
        }
        prop_assert_eq!(point, out.points.len());
        prop_assert_eq!(quarantined.next(), None);
    }
}
