//! Every format in every encoding, and what each answers to what it cannot take.

mod common;

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewArray};
use common::{arrow_stream, encodings, limits, stream_of, taken, try_decode};
use dash_ingest::{Encoding, Format, IngestError, Limits, decode};
use dash_model::RecordsPath;

const CSV: Format = Format::Csv { delimiter: None };

#[test]
fn each_format_in_each_encoding_gives_the_same_records() {
    let arrow = arrow_stream();
    let bodies: [(Format, &[u8], [&str; 2]); 8] = [
        (Format::Json, br#"[{"a":1}, {"a" : 2}]"#, [r#"{"a":1}"#, r#"{"a" : 2}"#]),
        (Format::Json, b"{\"a\":1}\n{\"a\":2}", [r#"{"a":1}"#, r#"{"a":2}"#]),
        (Format::Json, b"{\n\"a\":1}{\"a\":2}\n", ["{\n\"a\":1}", r#"{"a":2}"#]),
        (
            Format::Ndjson,
            b"\xEF\xBB\xBF{\"a\":1}\r\n\r\n  \n{\"a\":2}",
            [r#"{"a":1}"#, r#"{"a":2}"#],
        ),
        (Format::Ndjson, b"{\"a\":1} {\"a\":2}\n", [r#"{"a":1}"#, r#"{"a":2}"#]),
        (
            CSV,
            b"a;b\r\n1;\"x;\"\"y\"\r\n2;\r\n",
            [r#"{"a":"1","b":"x;\"y"}"#, r#"{"a":"2","b":""}"#],
        ),
        (
            CSV,
            b"\xEF\xBB\xBFa,b\n1,x\n2,\"y\nz\"",
            [r#"{"a":"1","b":"x"}"#, r#"{"a":"2","b":"y\nz"}"#],
        ),
        (
            Format::ArrowStream,
            &arrow,
            [
                r#"{"at":"2026-01-02T03:04:05.678Z","zone":"2026-01-02T03:04:05Z","v":1.5,"name":"x","kind":"k","list":[1,2],"s":{"t":true}}"#,
                r#"{"name":"y\"","kind":"k","list":[],"s":{"t":false}}"#,
            ],
        ),
    ];
    for (format, body, expected) in bodies {
        for (encoding, packed) in encodings(body) {
            let decoded = decode(packed.into(), format, encoding, None, &Limits::default()).expect("decodes");
            assert_eq!(taken(&decoded), expected, "{format:?} {encoding:?}");
            assert_eq!(decoded.rejected_total, 0);
        }
    }
}

#[test]
fn records_are_slices_of_the_body_and_not_copies() {
    let body = bytes::Bytes::from_static(b"[{\"a\":1},{\"a\":2}]");
    let decoded = decode(body.clone(), Format::Json, Encoding::Identity, None, &Limits::default()).expect("decodes");
    assert_eq!(decoded.records.get(1).expect("record").as_ptr(), body[9..].as_ptr());
}

/// Format, body, place and reason of each rejected record, count of the others.
type Case = (Format, &'static str, &'static [(u32, &'static str)], usize);

#[test]
fn a_bad_record_is_rejected_alone_with_its_place_and_reason() {
    let cases: [Case; 6] = [
        (
            Format::Ndjson,
            "{\"a\":1}\n{\"a\":\n[1]\n\"x\"\nnull\n{\"a\":2}\n{\"a\":1}}\n",
            &[
                (1, "column 6"),
                (2, "an array"),
                (3, "a string"),
                (4, "null"),
                (6, "column 8"),
            ],
            2,
        ),
        (
            Format::Json,
            "[1, {\"a\":1}, true]",
            &[(0, "a number"), (2, "a boolean")],
            1,
        ),
        (
            Format::Json,
            r#"[{}, {"a":{"b":{"c":{}}}}]"#,
            &[(1, "4 deep; 3 are allowed")],
            1,
        ),
        (
            Format::Json,
            r#"[{}, {"a":0,"b":{"c":0,"d":0},"e":0}]"#,
            &[(1, "5 keys; 4 are allowed")],
            1,
        ),
        (
            Format::Json,
            r#"[{}, {"a":"12345678901234567890123456789012345"}]"#,
            &[(1, "43 bytes; 40 bytes are allowed")],
            1,
        ),
        (
            CSV,
            "a,b\n1\n1,2\n1,2,3\n",
            &[(0, "1 fields; the header has 2"), (2, "3 fields")],
            1,
        ),
    ];
    let limits = Limits {
        depth: 3,
        fields_per_record: 4,
        record_bytes: 40,
        ..Limits::default()
    };
    for (format, body, rejected, accepted) in cases {
        let decoded = decode(body.into(), format, Encoding::Identity, None, &limits).expect(body);
        assert_eq!(decoded.records.len(), accepted, "{body}");
        assert_eq!(
            decoded.rejected_total as usize,
            rejected.len(),
            "{body}: {:?}",
            decoded.rejected
        );
        for (found, (index, part)) in decoded.rejected.iter().zip(rejected) {
            assert_eq!(found.index, *index, "{body}");
            assert!(found.reason.contains(part), "{body}: {}", found.reason);
        }
    }
}

#[test]
fn a_line_that_is_not_utf8_is_rejected_alone_and_an_array_whole() {
    let decoded = try_decode(b"{\"a\":1}\n{\"a\":\"\xFF\"}\n{\"a\":3}", Format::Ndjson, None).expect("decodes");
    assert_eq!(taken(&decoded), [r#"{"a":1}"#, r#"{"a":3}"#]);
    assert_eq!(
        (decoded.rejected[0].index, decoded.rejected[0].reason.as_str()),
        (1, "byte 7 of the line is not UTF-8")
    );
    let error = try_decode(b"[{\"a\":1},{\"a\":\"\xFF\"}]", Format::Json, None).expect_err("refused");
    assert!(error.to_string().contains("line 1, column 16"), "{error}");
    let decoded = try_decode(b"a,b\n1,\xFF\n1,2\n", CSV, None).expect("decodes");
    assert_eq!(decoded.rejected[0].reason, "field 2 is not UTF-8");
}

#[test]
fn duplicate_keys_and_lone_surrogates_are_kept_for_the_mapping_to_decide() {
    let body = r#"[{"a":1,"a":2},{"a":"\ud800"}]"#;
    let decoded = try_decode(body.as_bytes(), Format::Json, None).expect("decodes");
    assert_eq!(taken(&decoded), [r#"{"a":1,"a":2}"#, r#"{"a":"\ud800"}"#]);
}

#[test]
fn broken_bodies_are_refused_whole_with_their_place() {
    let cases: [(Format, &[u8], &str); 12] = [
        (Format::Json, b"[{\"a\":1},\n {\"a\":2]", "line 2, column 8"),
        (
            Format::Json,
            b"[{\"a\":1}] x",
            "nothing may follow the array at line 1, column 11",
        ),
        (Format::Json, b"{\"a\":1", "ends within an object"),
        (Format::Json, b"value=1", "a value is expected at line 1, column 1"),
        (Format::Json, b"", "the body is empty"),
        (Format::Ndjson, b" \n\r\n", "the body is empty"),
        (Format::Json, b"\xEF\xBB\xBF", "the body is empty"),
        (CSV, b"a,a\n1,2\n", "\"a\" is there twice"),
        (CSV, b"a,,b\n1,2,3\n", "column 2 has no name"),
        (CSV, b"a,\xFF\n1,2\n", "column 2 is not UTF-8"),
        (Format::ArrowStream, b"not arrow at all", "Arrow IPC stream"),
        (
            Format::ArrowStream,
            b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F",
            "ends within a message",
        ),
    ];
    for (format, body, part) in cases {
        let error = try_decode(body, format, None).expect_err("refused");
        assert_eq!(error.problem().status(), 400, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn arrow_types_that_name_bytes_many_times_are_refused_by_column() {
    let views: ArrayRef = Arc::new(StringViewArray::from(vec!["x"]));
    let error = try_decode(&stream_of(vec![("city", views)]), Format::ArrowStream, None).expect_err("refused");
    assert_eq!(error.problem().status(), 400);
    assert!(
        error.to_string().contains("column \"city\" has the type Utf8View"),
        "{error}"
    );
}

#[test]
fn a_body_without_a_record_is_unprocessable_and_carries_the_rejections() {
    for (format, body, total) in [
        (Format::Json, "[]", 0),
        (Format::Json, "42", 1),
        (Format::Json, "[1,2,3]", 3),
        (Format::Ndjson, "{\nx\n", 2),
        (CSV, "a,b\n", 0),
    ] {
        let error = try_decode(body.as_bytes(), format, None).expect_err(body);
        assert_eq!(error.rejected_total(), total, "{body}");
        let problem = serde_json::to_value(error.problem()).expect("json");
        assert_eq!(
            (&problem["status"], &problem["rejected_total"]),
            (&422.into(), &total.into()),
            "{body}"
        );
        assert_eq!(problem["rejected"].as_array().map(Vec::len), Some(total as usize));
    }
}

#[test]
fn only_the_first_hundred_rejections_are_listed() {
    let decoded = try_decode(format!("{}{{}}", "x\n".repeat(500)).as_bytes(), Format::Ndjson, None).expect("decodes");
    assert_eq!(
        (decoded.rejected.len(), decoded.rejected_total, decoded.records.len()),
        (100, 500, 1)
    );
}

#[test]
fn limits_of_the_whole_body_answer_413() {
    let ten = "{}\n".repeat(10);
    let cases = [
        (
            Limits {
                body_bytes: 29,
                ..limits()
            },
            ten.as_str(),
            "/problems/body-too-large",
        ),
        (
            Limits {
                inflated_bytes: 29,
                ..limits()
            },
            &ten,
            "/problems/inflated-too-large",
        ),
        (
            Limits {
                records_per_batch: 9,
                ..limits()
            },
            &ten,
            "/problems/too-many-records",
        ),
        (
            Limits {
                record_bytes: 10,
                ..limits()
            },
            r#"{"a":"123456"}"#,
            "/problems/record-too-large",
        ),
    ];
    for (limits, body, uri) in cases {
        let error = decode(body.to_owned().into(), Format::Json, Encoding::Identity, None, &limits).expect_err(uri);
        assert_eq!(
            (error.problem().status(), error.problem().kind.uri()),
            (413, uri),
            "{error}"
        );
    }
    assert!(
        decode(
            ten.into(),
            Format::Json,
            Encoding::Identity,
            None,
            &Limits {
                records_per_batch: 10,
                ..limits()
            }
        )
        .is_ok()
    );
}

#[test]
fn csv_that_grows_past_the_inflated_size_as_json_is_refused() {
    // 100 names of 1,000 bytes in the header make 100 KB of JSON of each short row.
    let names: Vec<String> = (0..100).map(|i| format!("{i:01000}")).collect();
    let body = format!("{}\n{}", names.join(","), format!("{}\n", ",".repeat(99)).repeat(100));
    let limits = Limits {
        inflated_bytes: 1 << 20,
        ..limits()
    };
    let error = decode(body.into(), CSV, Encoding::Identity, None, &limits).expect_err("too large");
    assert_eq!(
        error,
        IngestError::InflatedTooLarge {
            as_what: "written as JSON",
            allowed: 1 << 20
        }
    );
}

#[test]
fn a_records_path_leads_to_the_records() {
    let path = |text: &str| text.parse::<RecordsPath>().expect("path");
    for (body, at, expected) in [
        (
            r#"{"type":"F","features":[{"a":1},{"a":2}],"x":[]}"#,
            "features[*]",
            vec![r#"{"a":1}"#, r#"{"a":2}"#],
        ),
        (r#"{"a":{"b":[[],[{"c":1}]]}}"#, "a.b[1][*]", vec![r#"{"c":1}"#]),
        (r#"[{"a":1}]"#, "[*]", vec![r#"{"a":1}"#]),
        (r#"{"\u0061":[{"a":1}]}"#, "a[*]", vec![r#"{"a":1}"#]),
        (r#"{"a":[{"a":1}],"a":[{"a":2}]}"#, "a[*]", vec![r#"{"a":2}"#]),
        (
            "{\"a\":[{\"a\":1}]}\n{\"a\":[{\"a\":2},{\"a\":3}]}",
            "a[*]",
            vec![r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#],
        ),
    ] {
        let decoded = try_decode(body.as_bytes(), Format::Json, Some(&path(at))).expect(body);
        assert_eq!(taken(&decoded), expected, "{body}");
    }
    for (body, at, part) in [
        (
            r#"{"a":{"c":[]}}"#,
            "a.b[*]",
            r#""a.b[*]", but "b" (step 2) is not in this body"#,
        ),
        (r#"{"a":{"b":{}}}"#, "a.b[*]", "there is an object, not an array"),
        (r#"[{"a":1}]"#, "a[*]", r#""a" (step 1) is not"#),
        (r#"{"a":[{"a":1}"#, "a[*]", "ends within an array"),
    ] {
        let error = try_decode(body.as_bytes(), Format::Json, Some(&path(at))).expect_err(body);
        assert_eq!(error.problem().status(), 400);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_line_without_its_records_path_is_rejected_alone() {
    let path = "a[*]".parse::<RecordsPath>().expect("path");
    let body = b"{\"a\":[{\"n\":1},2]}\n{\"b\":[]}\n{\"a\":[{\"n\":3}]}";
    let decoded = try_decode(body, Format::Ndjson, Some(&path)).expect("decodes");
    assert_eq!(taken(&decoded), [r#"{"n":1}"#, r#"{"n":3}"#]);
    let indexes: Vec<u32> = decoded.rejected.iter().map(|r| r.index).collect();
    assert_eq!(indexes, [1, 2]);
}
