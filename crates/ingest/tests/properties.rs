//! What holds for every body, good, bad, cut or random.

mod common;

use common::{arrow_stream, limits, taken, try_decode};
use dash_ingest::{Encoding, Format, Limits, decode};
use proptest::{collection::vec, prelude::*};
use serde_json::Value;

const FORMATS: [Format; 4] = [
    Format::Json,
    Format::Ndjson,
    Format::Csv { delimiter: None },
    Format::ArrowStream,
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = String> {
    vec((any::<String>(), value()), 0..4).prop_map(|m| Value::Object(m.into_iter().collect()).to_string())
}

#[derive(Clone, Debug)]
enum Line {
    Good(String),
    Bad(Vec<u8>),
    Blank,
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        4 => object().prop_map(Line::Good),
        1 => object().prop_map(|t| Line::Bad(t.as_bytes()[..t.len() - 1].to_vec())),
        1 => "[x\\[0-9\"][a-z0-9]{0,8}".prop_map(|t| Line::Bad(t.into_bytes())),
        1 => Just(Line::Bad(b"{\"a\":\"\xFF\"}".to_vec())),
        1 => Just(Line::Blank),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn of_lines_exactly_the_good_ones_are_taken_byte_for_byte(lines in vec(line(), 1..30), crlf: bool, last_open: bool) {
        let (mut body, mut good, mut bad, mut index) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for line in &lines {
            match line {
                Line::Good(text) => {
                    body.extend_from_slice(text.as_bytes());
                    good.push(text.as_str());
                    index += 1;
                }
                Line::Bad(bytes) => {
                    body.extend_from_slice(bytes);
                    bad.push(index);
                    index += 1;
                }
                Line::Blank => {}
            }
            body.extend_from_slice(if crlf { b"\r\n" } else { b"\n" });
        }
        if last_open {
            body.truncate(body.len() - 1);
        }
        match try_decode(&body, Format::Ndjson, None) {
            Ok(decoded) => {
                prop_assert_eq!(taken(&decoded), good);
                prop_assert_eq!(decoded.rejected.iter().map(|r| r.index).collect::<Vec<_>>(), bad);
            }
            Err(error) => {
                prop_assert!(good.is_empty());
                prop_assert_eq!(error.rejected_total() as usize, bad.len());
            }
        }
    }

    #[test]
    fn of_an_array_exactly_the_objects_are_taken_byte_for_byte(values in vec(prop_oneof![object(), value().prop_map(|v| v.to_string())], 1..20), space in "[ \n\r\t]{0,3}") {
        let body = format!("{space}[{space}{}{space}]{space}", values.join(&format!("{space},{space}")));
        let objects: Vec<&str> = values.iter().map(String::as_str).filter(|v| v.starts_with('{')).collect();
        match try_decode(body.as_bytes(), Format::Json, None) {
            Ok(decoded) => {
                prop_assert_eq!(taken(&decoded), objects);
                prop_assert_eq!(decoded.rejected_total as usize + decoded.records.len(), values.len());
            }
            Err(error) => {
                prop_assert!(objects.is_empty(), "{}", error);
                prop_assert_eq!(error.rejected_total() as usize, values.len());
            }
        }
    }

    #[test]
    fn a_cut_array_is_refused_whole(values in vec(object(), 1..6), at: prop::sample::Index) {
        let body = format!("[{}]", values.join(","));
        let cut = &body.as_bytes()[..at.index(body.len() - 1) + 1];
        let error = try_decode(cut, Format::Json, None).expect_err("a cut array");
        prop_assert_eq!(error.problem().status(), 400);
    }

    #[test]
    fn every_taken_record_is_json_for_the_later_stages(lines in vec("[{}\\[\\]\",:0-9a-z\\\\. -]{0,30}", 1..20)) {
        if let Ok(decoded) = try_decode(lines.join("\n").as_bytes(), Format::Ndjson, None) {
            for record in decoded.records.iter() {
                prop_assert!(serde_json::from_slice::<&serde_json::value::RawValue>(record).is_ok());
            }
        }
    }

    #[test]
    fn csv_fields_come_back_as_they_were(rows in vec((any::<String>(), any::<String>(), "[a-z]{1,5}"), 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b \"x\"", "c"]).expect("memory");
        for (a, b, c) in &rows {
            writer.write_record([a, b, c]).expect("memory");
        }
        let decoded = try_decode(&writer.into_inner().expect("memory"), Format::Csv { delimiter: None }, None).expect("csv");
        prop_assert_eq!(decoded.records.len(), rows.len());
        for (record, (a, b, c)) in decoded.records.iter().zip(&rows) {
            let value: Value = serde_json::from_slice(record).expect("json");
            prop_assert_eq!(value, serde_json::json!({"a": a, "b \"x\"": b, "c": c}));
        }
    }

    #[test]
    fn random_bytes_never_panic_nor_pass_the_limits(body in vec(any::<u8>(), 0..600), encoding in prop::sample::select(vec![Encoding::Identity, Encoding::Gzip, Encoding::Zstd])) {
        let tight = Limits { inflated_bytes: 500, record_bytes: 50, records_per_batch: 10, ..limits() };
        for format in FORMATS {
            if let Ok(decoded) = decode(body.clone().into(), format, encoding, None, &tight) {
                prop_assert!(decoded.records.len() + decoded.rejected_total as usize <= 10);
                prop_assert!(decoded.records.bytes() <= 500);
                prop_assert!(decoded.records.iter().all(|r| r.len() <= 50));
            }
        }
    }

    #[test]
    fn a_damaged_arrow_stream_never_panics(damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut body = arrow_stream();
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(decoded) = try_decode(&body, Format::ArrowStream, None) {
            for record in decoded.records.iter() {
                prop_assert!(serde_json::from_slice::<Value>(record).is_ok());
            }
        }
    }
}

#[test]
fn a_cut_at_any_byte_never_panics() {
    let arrow = arrow_stream();
    let bodies: [(Format, &[u8]); 4] = [
        (
            Format::Json,
            br#"[{"a":[1,-2.5e3,"\u00e9\n"],"b":{"c":null}},{"d":true}]"#,
        ),
        (Format::Ndjson, b"{\"a\":\"\xC3\xA9\"}\r\n{\"b\":[false]}\n"),
        (Format::Csv { delimiter: None }, b"a,\"b\"\"c\"\n1,\"x\ny\"\n"),
        (Format::ArrowStream, &arrow),
    ];
    for (format, body) in bodies {
        for (encoding, packed) in common::encodings(body) {
            for cut in 0..packed.len() {
                let _ = decode(packed[..cut].to_vec().into(), format, encoding, None, &limits());
            }
        }
    }
}
