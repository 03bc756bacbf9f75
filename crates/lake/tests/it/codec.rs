use std::sync::Arc;

use bytes::Bytes;
use dash_lake::{LakeError, LakeRow, codec};
use dash_model::{EventSeq, Micros};
use proptest::prelude::*;

use crate::support::pipeline;

/// Rows by rising event, with anything in them.
fn rows() -> impl Strategy<Value = Vec<LakeRow>> {
    let meta = prop_oneof![
        Just(String::new()),
        Just("{\"a\":\"\u{0}é\u{1F4A9}\u{202E}\"}".to_owned()),
        any::<String>()
    ];
    let raw = prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..200),
        Just(vec![0xff, 0xfe, 0x00, b'{'])
    ];
    let row = (1..1_000_i64, any::<i64>(), -(1_i64 << 55)..(1 << 55), raw, meta);
    prop::collection::vec(row, 0..200).prop_map(|rows| {
        let mut event = 0;
        rows.into_iter()
            .map(|(step, batch, at, raw, meta)| {
                event += step;
                LakeRow {
                    event: EventSeq(event),
                    batch: EventSeq(batch),
                    received_at: Micros(at),
                    raw: Bytes::from(raw),
                    meta: Arc::from(meta),
                }
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_come_back_byte_for_byte(rows in rows()) {
        let object = codec::encode(pipeline(1), &rows).unwrap();
        prop_assert_eq!(codec::decode(object).unwrap(), rows);
    }

    #[test]
    fn the_same_rows_make_the_same_bytes_in_any_order(rows in rows(), seed in any::<usize>()) {
        let object = codec::encode(pipeline(1), &rows).unwrap();
        let mut turned = rows.clone();
        turned.rotate_left(seed % rows.len().max(1));
        turned.reverse();
        prop_assert_eq!(codec::encode(pipeline(1), &turned).unwrap(), object);
    }

    #[test]
    fn bytes_of_another_kind_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(codec::decode(Bytes::from(bytes)).is_err());
    }
}

#[test]
fn an_object_that_was_changed_at_any_byte_is_rows_or_an_error_and_no_panic() {
    let rows: Vec<LakeRow> = (0..9)
        .map(|n| LakeRow {
            event: EventSeq(n),
            batch: EventSeq(n - n % 3),
            received_at: Micros(n),
            raw: Bytes::from(format!("{{\"value\":{n}}}")),
            meta: if n < 3 { "{}".into() } else { "{\"a\":1}".into() },
        })
        .collect();
    let good = codec::encode(pipeline(1), &rows).unwrap();
    let mut refused = 0;
    for at in 0..good.len() {
        // The lowest bit of a number in the footer is its sign.
        for flip in [1, 0x10, 0xff] {
            let mut object = good.to_vec();
            object[at] ^= flip;
            refused += usize::from(codec::decode(object.into()).is_err());
        }
    }
    assert!(
        refused > good.len(),
        "only {refused} of {} changes were noticed",
        3 * good.len()
    );
}

#[test]
fn an_event_never_goes_in_twice() {
    let row = LakeRow {
        event: EventSeq(7),
        batch: EventSeq(7),
        received_at: Micros(0),
        raw: Bytes::from_static(b"{}"),
        meta: "{}".into(),
    };
    let error = codec::encode(pipeline(1), &[row.clone(), row]).unwrap_err();
    assert!(matches!(error, LakeError::Duplicate(EventSeq(7))), "{error}");
}

#[test]
fn an_object_says_whose_it_is_and_how_it_was_made() {
    use parquet::{
        basic::{Compression, LogicalType, TimeUnit, Type},
        file::reader::{FileReader, SerializedFileReader},
    };
    let row = |n: i64| LakeRow {
        event: EventSeq(n),
        batch: EventSeq(0),
        received_at: Micros(n),
        raw: Bytes::from_static(b"{}"),
        meta: "{}".into(),
    };
    let rows: Vec<LakeRow> = (0..70_000).map(row).collect();
    let reader = SerializedFileReader::new(codec::encode(pipeline(5), &rows).unwrap()).unwrap();
    let metadata = reader.metadata();
    let pairs = metadata.file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| pairs.iter().find(|p| p.key == key).and_then(|p| p.value.clone());
    assert_eq!(value("dash.pipeline"), Some(pipeline(5).to_string()));
    assert_eq!(value("dash.version"), Some(env!("CARGO_PKG_VERSION").to_owned()));
    assert_eq!(metadata.num_row_groups(), 3, "32,768 rows a group");
    let columns = metadata.row_group(1).columns();
    for column in columns {
        assert!(matches!(column.compression(), Compression::ZSTD(_)));
    }
    for with_statistics in [0, 2] {
        assert!(
            columns[with_statistics]
                .statistics()
                .is_some_and(|s| s.min_bytes_opt().is_some())
        );
    }
    let types: Vec<_> = columns
        .iter()
        .map(|c| (c.column_path().string(), c.column_type()))
        .collect();
    let expected = [
        ("event", Type::INT64),
        ("batch", Type::INT64),
        ("received_at", Type::INT64),
        ("raw", Type::BYTE_ARRAY),
        ("meta", Type::BYTE_ARRAY),
    ];
    assert_eq!(types, expected.map(|(name, of)| (name.to_owned(), of)));
    let received = columns[2].column_descr().logical_type_ref();
    let Some(LogicalType::Timestamp(timestamp)) = received else {
        panic!("{received:?}")
    };
    assert!(
        timestamp.is_adjusted_to_u_t_c && timestamp.unit == TimeUnit::MICROS,
        "{timestamp:?}"
    );
}

/// `cargo test -p dash-lake --test it -- --ignored --nocapture encode_speed`
#[test]
#[ignore = "a measurement"]
fn encode_speed() {
    let rows: Vec<LakeRow> = (0..80_000_i64)
        .map(|n| LakeRow {
            event: EventSeq(n),
            batch: EventSeq(n - n % 500),
            received_at: Micros(1_795_392_000_000_000 + n / 500 * 40_000),
            raw: Bytes::from(device_event(n)),
            meta: r#"{"remote":"127.0.0.1","type":"application/x-ndjson"}"#.into(),
        })
        .collect();
    let raw: usize = rows.iter().map(|r| r.raw.len()).sum();
    let start = std::time::Instant::now();
    let object = codec::encode(pipeline(1), &rows).unwrap();
    let encoded = start.elapsed().as_secs_f64();
    let start = std::time::Instant::now();
    assert_eq!(codec::decode(object.clone()).unwrap().len(), rows.len());
    let decoded = start.elapsed().as_secs_f64();
    let mb = raw as f64 / 1e6;
    println!(
        "{} rows of {} bytes: encode {:.0} MB/s, decode {:.0} MB/s, {:.2} MB -> {:.2} MB ({:.1}:1)",
        rows.len(),
        raw / rows.len(),
        mb / encoded,
        mb / decoded,
        mb,
        object.len() as f64 / 1e6,
        raw as f64 / object.len() as f64,
    );
}

/// About 200 bytes, with digits that do not repeat.
fn device_event(n: i64) -> String {
    let mut x = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = |below: u64| {
        x ^= x >> 29;
        x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (x >> 16) % below
    };
    format!(
        r#"{{"device":"sensor-{:04}","site":"plant-{}","time":"2026-11-23T00:{:02}:{:02}.{:03}Z","temperature":{}.{:03},"humidity":{}.{:02},"battery_v":3.{:03},"rssi":-{},"status":"ok","firmware":"2.4.1","seq":{n}}}"#,
        next(1_000),
        next(12),
        n / 1_500 % 60,
        n / 25 % 60,
        n * 40 % 1_000,
        15 + next(20),
        next(1_000),
        30 + next(50),
        next(100),
        next(1_000),
        40 + next(55)
    )
}
