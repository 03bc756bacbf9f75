//! The table in the crate's documentation, line by line.

use dash_model::{EventSeq, Micros, record::RecordSet};
use dash_transform::Input;
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::support::*;

/// Each record of a table with the outcome it must have; `! field: part` asks for a reason that contains the part.
fn table(mapping: &str, rows: &[(&str, &str)]) {
    let plan = plan(mapping);
    for (record, expected) in rows {
        let found = told(&plan, record.as_bytes());
        let fits = match expected.strip_prefix("! ") {
            None => found == *expected,
            Some(parts) => found.starts_with("! ") && parts.split(" .. ").all(|part| found.contains(part)),
        };
        assert!(fits, "{mapping}\n{record}\nexpected {expected}\nfound    {found}");
    }
}

#[test]
fn a_float_is_read_from_numbers_texts_and_booleans() {
    table(
        r#"{"metrics":[{"name":"v","path":"v"}]}"#,
        &[
            (r#"{"v":1.5}"#, "v = 1.5"),
            (r#"{"v":-3}"#, "v = -3"),
            (r#"{"v":1e3}"#, "v = 1000"),
            (r#"{"v":"12.5"}"#, "v = 12.5"),
            (r#"{"v":" 12.5\n"}"#, "v = 12.5"),
            (r#"{"v":true}"#, "v = 1"),
            (r#"{"v":false}"#, "v = 0"),
            (r#"{"v":-0.0}"#, "v = 0"),
            (r#"{"v":1e-400}"#, "v = 0"),
            (r#"{"v":1e400}"#, "! v: 1e400 is too large for a float"),
            (r#"{"v":"-1e400"}"#, "! v: -1e400 is too large"),
            (
                r#"{"v":"NaN"}"#,
                r#"! v: expected a finite number, found the text "NaN""#,
            ),
            (r#"{"v":"Infinity"}"#, "! v: expected a finite number"),
            (r#"{"v":"-inf"}"#, "! v: expected a finite number"),
            (r#"{"v":NaN}"#, "! record: it is not JSON"),
            (
                r#"{"v":"abc"}"#,
                r#"! v: expected a finite number, found the text "abc""#,
            ),
            (r#"{"v":""}"#, "! v: expected a finite number"),
            (r#"{"v":{"a":1}}"#, "! v: expected a number, found an object"),
            (r#"{"v":[1]}"#, "! v: expected a number, found an array"),
        ],
    );
}

#[test]
fn an_integer_is_exact_or_refused() {
    table(
        r#"{"fields":[{"name":"n","path":"n","type":"integer"}],
            "metrics":[{"name":"v","path":"v"}],"tags":[{"name":"t","field":"n"}]}"#,
        &[
            (r#"{"v":1,"n":5}"#, "v{t=5} = 1"),
            (r#"{"v":1,"n":5.0}"#, "v{t=5} = 1"),
            (r#"{"v":1,"n":5e1}"#, "v{t=50} = 1"),
            (r#"{"v":1,"n":" -5 "}"#, "v{t=-5} = 1"),
            (r#"{"v":1,"n":9223372036854775807}"#, "v{t=9223372036854775807} = 1"),
            (r#"{"v":1,"n":-9223372036854775808}"#, "v{t=-9223372036854775808} = 1"),
            (
                r#"{"v":1,"n":9223372036854775808}"#,
                "! n: expected an integer within 64 bits",
            ),
            (
                r#"{"v":1,"n":5.5}"#,
                "! n: expected an integer within 64 bits, found the number 5.5",
            ),
            (
                r#"{"v":1,"n":true}"#,
                "! n: expected an integer within 64 bits, found true",
            ),
            (r#"{"v":1,"n":"x"}"#, "! n: expected an integer"),
            (r#"{"v":1,"n":null}"#, "v = 1"),
        ],
    );
}

#[test]
fn a_boolean_is_one_or_zero() {
    table(
        r#"{"metrics":[{"name":"up","path":"up","type":"boolean"}]}"#,
        &[
            (r#"{"up":true}"#, "up = 1"),
            (r#"{"up":"False"}"#, "up = 0"),
            (r#"{"up":1}"#, "up = 1"),
            (r#"{"up":"0"}"#, "up = 0"),
            (r#"{"up":2}"#, "! up: expected true, false, 1 or 0, found the number 2"),
            (r#"{"up":"yes"}"#, "! up: expected true, false, 1 or 0"),
        ],
    );
}

#[test]
fn a_missing_metric_is_no_point_and_a_required_one_a_reason() {
    table(
        r#"{"metrics":[{"name":"a","path":"a"},{"name":"b","path":"b"},{"name":"c","path":"c","required":true}]}"#,
        &[
            (r#"{"a":1,"c":3}"#, "a = 1; c = 3"),
            (r#"{"a":null,"b":2,"c":3}"#, "b = 2; c = 3"),
            (r#"{"a":1,"b":2}"#, "! c: this required metric is missing"),
            (r#"{"a":1,"c":null}"#, "! c: this required metric is missing"),
        ],
    );
    table(
        r#"{"metrics":[{"name":"a","path":"x.a"},{"name":"b","path":"b"}]}"#,
        &[
            (r#"{"z":1}"#, "! record: none of the metrics x.a, b is present"),
            ("{}", "! record: none of the metrics"),
        ],
    );
}

#[test]
fn every_field_that_does_not_fit_has_its_reason() {
    table(
        r#"{"time":{"path":"t"},"metrics":[{"name":"a","path":"a"},{"name":"b","path":"b"}]}"#,
        &[(
            r#"{"a":"x","b":[],"t":"soon"}"#,
            "! a: expected a finite number .. b: expected a number, found an array .. t: expected an RFC 3339 time",
        )],
    );
    // A value that feeds two columns is named once.
    let plan = plan(r#"{"metrics":[{"name":"a","path":"v"},{"name":"b","path":"v","scale":2}]}"#);
    let out = run(&plan, &[br#"{"v":"x"}"#, br#"{"v":3}"#]);
    assert_eq!(out.quarantined[0].reasons.len(), 1);
    assert_eq!(out.points.value, [3.0, 6.0]);
}

#[test]
fn what_is_wrong_is_told_before_the_filter_and_what_is_missing_after_it() {
    table(
        r#"{"time":{"path":"t"},"fields":[{"name":"kind","path":"kind","type":"string"}],"filter":"kind = 'a'",
            "metrics":[{"name":"v","path":"v","required":true}]}"#,
        &[
            (r#"{"kind":"a","v":1,"t":0}"#, "v = 1 @ 0"),
            (r#"{"kind":"b","v":1,"t":0}"#, "filtered"),
            (r#"{"v":1,"t":0}"#, "filtered"),
            (r#"{"kind":"b"}"#, "filtered"),
            (r#"{"kind":"b","v":"x","t":0}"#, "! v: expected a finite number"),
            (r#"{"kind":"b","v":1,"t":-1}"#, "! t: -1 is before 1970-01-01"),
            (r#"{"kind":"a","v":1}"#, "! t: the time is missing"),
            (r#"{"kind":"a","v":1,"t":null}"#, "! t: the time is missing"),
            (r#"{"kind":"a","t":0}"#, "! v: this required metric is missing"),
        ],
    );
}

#[test]
fn a_filter_without_a_result_is_a_reason() {
    table(
        r#"{"filter":"1 / v > 0","metrics":[{"name":"v","path":"v"}]}"#,
        &[
            (r#"{"v":2}"#, "v = 2"),
            (r#"{"v":-2}"#, "filtered"),
            (
                r#"{"v":0}"#,
                "! filter: the expression has no result here: a division by zero",
            ),
            (r#"{}"#, "filtered"),
        ],
    );
}

#[test]
fn times_are_taken_from_1970_until_2100() {
    table(
        r#"{"time":{"path":"t"},"metrics":[{"name":"v","path":"v"}]}"#,
        &[
            (r#"{"v":1,"t":"1970-01-01T00:00:00Z"}"#, "v = 1 @ 0"),
            (r#"{"v":1,"t":0}"#, "v = 1 @ 0"),
            (
                r#"{"v":1,"t":"2099-12-31 23:59:59.999999Z"}"#,
                "v = 1 @ 4102444799999999",
            ),
            (
                r#"{"v":1,"t":"1969-12-31T23:59:59Z"}"#,
                "! t: 1969-12-31T23:59:59Z is before 1970",
            ),
            (
                r#"{"v":1,"t":"2100-01-01T00:00:00Z"}"#,
                "! t: 2100-01-01T00:00:00Z is 2100-01-01 or later",
            ),
            (r#"{"v":1,"t":4102444800}"#, "! t: 4102444800 is 2100-01-01 or later"),
            (r#"{"v":1,"t":1767225600.000001}"#, "v = 1 @ 1767225600000001"),
            (r#"{"v":1,"t":1767225600123}"#, "v = 1 @ 1767225600123000"),
            (r#"{"v":1,"t":"1767225600123456789"}"#, "v = 1 @ 1767225600123456"),
            (r#"{"v":1,"t":"2026-01-01T02:00:00+02:00"}"#, "v = 1"),
            (
                r#"{"v":1,"t":"2026-01-01T00:00:00"}"#,
                "! t: .. has no offset from UTC; send it with Z",
            ),
            (r#"{"v":1,"t":true}"#, "! t: expected a time, found true"),
        ],
    );
    table(
        r#"{"time":{"path":"t","format":"epoch_ms"},"metrics":[{"name":"v","path":"v"}]}"#,
        &[
            (r#"{"v":1,"t":1.5}"#, "v = 1 @ 1500"),
            (r#"{"v":1,"t":"2026-01-01T00:00:00Z"}"#, "! t: expected a number"),
        ],
    );
    table(
        r#"{"time":{"path":"t","format":"rfc3339"},"metrics":[{"name":"v","path":"v"}]}"#,
        &[(r#"{"v":1,"t":0}"#, "! t: expected an RFC 3339 text such as")],
    );
}

#[test]
fn the_last_of_equal_keys_wins_with_all_that_is_below_it() {
    table(
        r#"{"metrics":[{"name":"a","path":"o.a"},{"name":"b","path":"o.b"}]}"#,
        &[
            (r#"{"o":{"a":1,"a":2,"b":3}}"#, "a = 2; b = 3"),
            (r#"{"o":{"a":1,"b":1},"o":{"b":2}}"#, "b = 2"),
            (r#"{"o":{"a":1},"o":5}"#, "! record: none of the metrics"),
            (r#"{"o":{"a":"not a number"},"o":{"a":1}}"#, "a = 1"),
            (r#"{"o":{"a":1},"\u006f":{"a":2}}"#, "a = 2"),
        ],
    );
}

#[test]
fn a_lone_surrogate_matters_only_where_it_is_read() {
    table(
        r#"{"metrics":[{"name":"v","path":"v"},{"name":"w","path":"w"}],"tags":[{"name":"t","path":"t"}]}"#,
        &[
            (r#"{"v":1,"t":"\ud83d\ude00"}"#, "v{t=😀} = 1"),
            (r#"{"v":1,"t":"a\ud800"}"#, "! t: the text has a lone surrogate"),
            (
                r#"{"v":1,"t":"a\ud800","w":"x"}"#,
                "! t: the text has a lone surrogate .. w: expected a finite number",
            ),
            (r#"{"v":1,"other":"\udc00"}"#, "v = 1"),
            (r#"{"v":1,"\ud800":2}"#, "v = 1"),
        ],
    );
}

#[test]
fn tags_are_short_texts() {
    let mapping = r#"{"metrics":[{"name":"v","path":"v"}],"tags":[{"name":"t","path":"t"}]}"#;
    let longest = format!(r#"{{"v":1,"t":"{}"}}"#, "x".repeat(256));
    let longer = format!(r#"{{"v":1,"t":"{}"}}"#, "x".repeat(257));
    let mapped = format!("v{{t={}}} = 1", "x".repeat(256));
    table(
        mapping,
        &[
            (r#"{"v":1,"t":"a b"}"#, "v{t=a b} = 1"),
            (r#"{"v":1,"t":1.50}"#, "v{t=1.50} = 1"),
            (r#"{"v":1,"t":true}"#, "v{t=true} = 1"),
            (r#"{"v":1,"t":""}"#, "v = 1"),
            (r#"{"v":1,"t":null}"#, "v = 1"),
            (r#"{"v":1,"t":{}}"#, "! t: expected a text, found an object"),
            (
                r#"{"v":1,"t":"a\u0000b"}"#,
                "! t: the value of a tag must not contain the character U+0000",
            ),
            (longest.as_str(), mapped.as_str()),
            (
                longer.as_str(),
                "! t: the value of a tag has at most 256 bytes, this one has 257",
            ),
        ],
    );
    let long = format!(r#"{{"v":1,"s":"{}"}}"#, "x".repeat(129));
    table(
        r#"{"fields":[{"name":"s","path":"s","type":"string"}],"calculated":[{"name":"twice","expression":"s || s"}],
            "metrics":[{"name":"v","path":"v"}],"tags":[{"name":"t","field":"twice"}]}"#,
        &[
            (r#"{"v":1,"s":"ab"}"#, "v{t=abab} = 1"),
            (r#"{"v":1,"s":""}"#, "v = 1"),
            (r#"{"v":1,"s":"\u0000"}"#, "! t: the value of a tag must not contain"),
            (
                long.as_str(),
                "! t: the value of a tag has at most 256 bytes, this one has 258",
            ),
        ],
    );
}

#[test]
fn a_record_is_an_object_unless_the_paths_ask_for_an_array() {
    table(
        r#"{"metrics":[{"name":"v","path":"v"}]}"#,
        &[
            ("5", "! record: expected an object, found the number 5"),
            ("[1]", "! record: expected an object, found an array"),
            ("null", "! record: expected an object, found null"),
            (r#""v""#, r#"! record: expected an object, found the text "v""#),
            ("", "! record: it is not JSON"),
            ("{\"v\":1", "! record: it is not JSON"),
            ("{\"v\":1} {}", "! record: it is not JSON"),
            (" {\"v\":1}\n", "v = 1"),
        ],
    );
    table(
        r#"{"metrics":[{"name":"v","path":"[1]"},{"name":"w","path":"[2].a[0]"}]}"#,
        &[
            ("[0, 1.5]", "v = 1.5"),
            ("[0, null, {\"a\":[7]}, 9]", "w = 7"),
            ("[]", "! record: none of the metrics"),
            ("5", "! record: expected an object or an array, found the number 5"),
        ],
    );
    let plan = plan(r#"{"metrics":[{"name":"v","path":"v"}]}"#);
    assert!(told(&plan, b"{\"v\":1,\"x\":\"\xff\"}").starts_with("! record: it is not UTF-8 from byte 12"));
}

#[test]
fn deep_records_go_to_quarantine_and_never_overflow_the_stack() {
    let plan = plan(r#"{"metrics":[{"name":"v","path":"v"}]}"#);
    let nested = |levels: usize| format!(r#"{{"v":1,"d":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert_eq!(told(&plan, nested(127).as_bytes()), "v = 1");
    for levels in [128, 100_000] {
        assert_eq!(
            told(&plan, nested(levels).as_bytes()),
            "! record: it is nested deeper than 128 levels"
        );
    }
    let brackets = format!(r#"{{"v":1,"d":"{}\"{}"}}"#, "[".repeat(500), "{".repeat(500));
    assert_eq!(told(&plan, brackets.as_bytes()), "v = 1");
}

#[test]
fn scale_and_offset_make_the_point_and_what_expressions_see() {
    table(
        r#"{"metrics":[{"name":"c","path":"f","scale":0.5,"offset":-10},{"name":"double","field":"d","scale":10}],
            "calculated":[{"name":"d","expression":"c * 2"}]}"#,
        &[
            (r#"{"f":30}"#, "c = 5; double = 100"),
            (r#"{"f":1e308}"#, "! double: the expression has no result"),
        ],
    );
    table(
        r#"{"metrics":[{"name":"v","path":"v","scale":1e300}]}"#,
        &[(
            r#"{"v":1e10}"#,
            "! v: the expression has no result here: a division by zero, an overflow",
        )],
    );
}

#[test]
fn points_keep_the_order_of_records_and_metrics() {
    let plan = plan(
        r#"{"metrics":[{"name":"b","path":"b"},{"name":"a","path":"a"}],"tags":[{"name":"y","path":"y"},{"name":"x","path":"x"}]}"#,
    );
    let first: RecordSet = [
        &br#"{"a":1,"b":2,"x":"1"}"#[..],
        br#"{"a":"bad"}"#,
        br#"{"a":3,"x":"1"}"#,
    ]
    .into_iter()
    .collect();
    let none = RecordSet::default();
    let second: RecordSet = [&br#"{"b":4,"x":"1"}"#[..], br#"{"b":5,"y":"1"}"#]
        .into_iter()
        .collect();
    let input = |first, received_at, records| Input {
        first: EventSeq(first),
        received_at: Micros(received_at),
        records,
    };
    let inputs = [input(10, 7, &first), input(50, 8, &none), input(90, 9, &second)];
    let out = plan.run(&inputs).expect("runs");
    check_sums(&out, 5);
    assert_eq!(out.points.value, [2.0, 1.0, 3.0, 4.0, 5.0]);
    assert_eq!(out.points.event, [10, 10, 12, 90, 91].map(EventSeq));
    assert_eq!(out.points.time, [7, 7, 7, 9, 9].map(Micros));
    assert_eq!(out.points.series, [0, 1, 1, 0, 2]);
    let named: Vec<String> = out.series.iter().map(|s| format!("{}{:?}", s.metric, s.tags)).collect();
    assert_eq!(named, [r#"b{"x": "1"}"#, r#"a{"x": "1"}"#, r#"b{"y": "1"}"#]);
    assert_eq!(out.quarantined[0].event, EventSeq(11));
    assert_eq!(out.quarantined[0].received_at, Micros(7));
    assert_eq!(&out.quarantined[0].raw[..], br#"{"a":"bad"}"#);
    assert_eq!(plan.run(&inputs).expect("runs"), out);
}

#[test]
fn nothing_makes_nothing() {
    let plan = plan(r#"{"filter":"TRUE","metrics":[{"name":"v","path":"v"}]}"#);
    assert_eq!(run(&plan, &[]), Default::default());
    assert_eq!(plan.run(&[]).expect("runs"), Default::default());
    assert!(outcomes(&plan, &[]).is_empty());
}

#[test]
fn a_mapping_of_constants_makes_a_point_of_every_record() {
    let plan = plan(
        r#"{"calculated":[{"name":"one","expression":"1"},{"name":"k","expression":"UPPER('k')"}],"filter":"1 < 2",
            "metrics":[{"name":"count","field":"one"}],"tags":[{"name":"k","field":"k"}]}"#,
    );
    for n in [1, 2, 5] {
        let out = run(&plan, &vec![&b"{}"[..]; n]);
        assert_eq!(out.points.value, vec![1.0; n]);
        assert_eq!(out.series[0].tags["k"], "K");
    }
}

#[test]
fn events_are_shown_with_what_became_of_them() {
    let plan = plan(r#"{"filter":"v < 10","metrics":[{"name":"v","path":"v"}]}"#);
    let events = outcomes(&plan, &[br#"{"v":1}"#, br#"{"v":11}"#, br#"{"v":[]}"#, br#"{"v":2}"#]);
    let told: Vec<_> = events
        .iter()
        .map(|e| {
            (
                e.event.0,
                e.raw.as_str(),
                serde_json::to_value(&e.outcome).expect("json")["kind"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (100, r#"{"v":1}"#, "mapped".into()),
            (101, r#"{"v":11}"#, "filtered".into()),
            (102, r#"{"v":[]}"#, "quarantined".into()),
            (103, r#"{"v":2}"#, "mapped".into())
        ]
    );
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_with_an_outcome(
        noise in vec(vec(any::<u8>(), 0..40), 0..4),
        broken in vec((any::<Index>(), any::<u8>()), 0..4),
    ) {
        let plan = plan(
            r#"{"time":{"path":"t"},"metrics":[{"name":"v","path":"o.v"},{"name":"w","path":"[1]","type":"integer"}],
                "tags":[{"name":"s","path":"s"}],"filter":"v > 0 OR s LIKE 'a%' OR w = 1"}"#,
        );
        let mut text = br#"{"t":1767225600.5,"s":"a\ud83d\ude00","o":{"v":-1.5e3,"x":[{}]},"z":null}"#.to_vec();
        for (at, byte) in broken {
            let at = at.index(text.len());
            text[at] = byte;
        }
        let mut records: Vec<&[u8]> = noise.iter().map(Vec::as_slice).collect();
        records.push(&text);
        run(&plan, &records);
    }
}
