use dash_model::{
    EventSeq, Micros,
    mapping::{Mapping, MappingError},
    record::RecordSet,
    stats::{Outcome, RecentEvent},
};
use dash_transform::{Input, Plan, Transformed};

pub const RECEIVED: Micros = Micros(1_767_225_600_000_000);

pub fn mapping(json: &str) -> Mapping {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"))
}

pub fn plan(json: &str) -> Plan {
    Plan::compile(&mapping(json)).unwrap_or_else(|e| panic!("{e}: {json}"))
}

pub fn refusal(json: &str) -> MappingError {
    Plan::compile(&mapping(json))
        .err()
        .unwrap_or_else(|| panic!("accepted: {json}"))
}

pub fn run(plan: &Plan, records: &[&[u8]]) -> Transformed {
    let records: RecordSet = records.iter().copied().collect();
    let input = Input {
        first: EventSeq(100),
        received_at: RECEIVED,
        records: &records,
    };
    let out = plan.run(&[input]).expect("the plan runs");
    check_sums(&out, records.len());
    out
}

pub fn check_sums(out: &Transformed, records: usize) {
    assert_eq!(
        out.mapped as usize + out.filtered as usize + out.quarantined.len(),
        records
    );
    let points = out.points.len();
    assert_eq!(out.points.series.len(), points);
    assert_eq!(out.points.value.len(), points);
    assert_eq!(out.points.event.len(), points);
    assert!(out.points.value.iter().all(|v| v.is_finite()));
    assert!(out.points.series.iter().all(|s| (*s as usize) < out.series.len()));
    let distinct: std::collections::HashSet<_> = out.series.iter().collect();
    assert_eq!(distinct.len(), out.series.len(), "a series is there twice");
}

pub fn outcomes(plan: &Plan, records: &[&[u8]]) -> Vec<RecentEvent> {
    let records: RecordSet = records.iter().copied().collect();
    let input = Input {
        first: EventSeq(100),
        received_at: RECEIVED,
        records: &records,
    };
    plan.outcomes(&[input]).expect("the plan runs")
}

/// The outcome of one record in short: `m{t=x} = 1 @ time; ...`, `filtered`, or `! field: reason; ...`.
pub fn told(plan: &Plan, record: &[u8]) -> String {
    let mut events = outcomes(plan, &[record]);
    assert_eq!(events.len(), 1);
    match events.remove(0).outcome {
        Outcome::Filtered => "filtered".into(),
        Outcome::Quarantined { reasons } => {
            let all: Vec<String> = reasons.iter().map(|r| format!("{}: {}", r.field, r.reason)).collect();
            format!("! {}", all.join("; "))
        }
        Outcome::Mapped { points } => {
            let all: Vec<String> = points
                .iter()
                .map(|p| {
                    let tags: Vec<String> = p.tags.iter().map(|(k, v)| format!("{k}={v}")).collect();
                    let tags = if tags.is_empty() {
                        String::new()
                    } else {
                        format!("{{{}}}", tags.join(","))
                    };
                    let time = if p.time == RECEIVED {
                        String::new()
                    } else {
                        format!(" @ {}", p.time.0)
                    };
                    format!("{}{tags} = {}{time}", p.metric, p.value)
                })
                .collect();
            all.join("; ")
        }
    }
}
