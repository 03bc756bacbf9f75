use std::sync::Arc;

use bytes::Bytes;
use dash_lake::{
    ALL_EVENTS, LakeError, LakeObject, LakeRow, Pushed, WriterOptions, codec, last_rows, manifest::MemoryManifest,
    read, replay,
};
use dash_model::{EventSeq, Micros};
use futures::TryStreamExt;
use http::{Method, StatusCode};

use crate::support::{batch, bucket, drain, local, pipeline, quick, rows_of, spool, writer};

fn objects(manifest: &MemoryManifest, of: u128) -> Vec<LakeObject> {
    let all = manifest
        .objects()
        .into_iter()
        .filter(|(i, _)| i.pipeline == pipeline(of));
    all.map(|(i, bytes)| LakeObject {
        bytes: bytes.unwrap(),
        key: i.key,
        first_event: i.first_event,
        last_event: i.last_event,
    })
    .collect()
}

fn flat(groups: Vec<Vec<LakeRow>>) -> Vec<LakeRow> {
    groups.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_replay_gives_every_event_of_its_range_in_order() {
    for remote in [false, true] {
        let ((_dir, local), (_server, bucket)) = (local(), bucket().await);
        let store = if remote { bucket } else { local };
        let manifest = Arc::new(MemoryManifest::default());
        let batches = spool(60);
        drain(&mut writer(&store, &manifest, quick()).await, &batches).await;
        let objects = objects(&manifest, 2);
        assert!(objects.len() > 3, "several objects: {}", objects.len());
        let mine: Vec<_> = batches.into_iter().filter(|b| b.pipeline == pipeline(2)).collect();
        let rows = rows_of(&mine);
        let all = replay(store.clone(), objects.clone(), ALL_EVENTS)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(flat(all), rows);
        let (from, to) = (rows[rows.len() / 3].event, rows[rows.len() / 2].event);
        let some = replay(store.clone(), objects.clone(), from..=to)
            .try_collect()
            .await
            .unwrap();
        let expected: Vec<_> = rows
            .iter()
            .filter(|r| r.event >= from && r.event <= to)
            .cloned()
            .collect();
        assert_eq!(flat(some), expected);
        for n in [0, 1, 7, rows.len(), rows.len() + 5] {
            let last = last_rows(&store, &objects, n).await.unwrap();
            assert_eq!(last, rows[rows.len().saturating_sub(n)..]);
        }
    }
}

#[tokio::test]
async fn row_groups_outside_of_the_range_are_not_fetched() {
    let (server, store) = bucket().await;
    let manifest = Arc::new(MemoryManifest::default());
    let mut big = batch(0, pipeline(1), 0);
    // Incompressible enough that the groups lie apart from the footer.
    let record = |n: u64| {
        (0..40_u64)
            .map(|k| ((n * 41 + k).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u8)
            .collect()
    };
    let records: Vec<Vec<u8>> = (0..70_000).map(record).collect();
    big.records = records.iter().map(Vec::as_slice).collect();
    let mut writer = writer(&store, &manifest, WriterOptions::default()).await;
    assert!(matches!(writer.push(big).unwrap(), Pushed::Buffered));
    assert_eq!(writer.flush_all().await.len(), 1);
    let key = manifest.objects()[0].0.key.clone();
    let gets = || server.faults.log().iter().filter(|s| s.method == Method::GET).count();
    let range = EventSeq(40_000)..=EventSeq(40_009);
    let before = gets();
    let rows = flat(read(&store, &key, range).await.unwrap().try_collect().await.unwrap());
    assert_eq!(gets() - before, 2, "the footer and one of three row groups");
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[3].raw, Bytes::from(records[40_003].clone()));
    let before = gets();
    let none = read(&store, &key, EventSeq(70_000)..=EventSeq(80_000)).await.unwrap();
    assert_eq!(flat(none.try_collect().await.unwrap()), []);
    assert_eq!(gets() - before, 1, "the footer alone");
    assert!(
        server
            .faults
            .log()
            .iter()
            .all(|s| s.status != Some(StatusCode::RANGE_NOT_SATISFIABLE))
    );
}

#[tokio::test]
async fn an_object_whose_footer_was_changed_is_rows_or_named() {
    let (dir, store) = local();
    let row = |n: i64| LakeRow {
        event: EventSeq(n),
        batch: EventSeq(n),
        received_at: Micros(n),
        raw: "{}".into(),
        meta: "{}".into(),
    };
    let good = codec::encode(pipeline(1), &[row(1), row(2)]).unwrap();
    let footer = good.len() - 8 - u32::from_le_bytes(good[good.len() - 8..][..4].try_into().unwrap()) as usize;
    let mut named = 0;
    for at in footer..good.len() {
        let mut object = good.to_vec();
        object[at] ^= 1;
        std::fs::write(dir.path().join("lake/x.parquet"), object).unwrap();
        let rows = match read(&store, "x.parquet", ALL_EVENTS).await {
            Ok(rows) => rows.try_collect::<Vec<_>>().await,
            Err(error) => Err(error),
        };
        if let Err(error) = rows {
            assert!(
                matches!(&error, LakeError::Unreadable { key, .. } if key == "x.parquet"),
                "byte {at}: {error}"
            );
            named += 1;
        }
    }
    assert!(named > 50, "{named}");
}

#[tokio::test]
async fn what_is_missing_or_broken_is_named() {
    let (dir, store) = local();
    let Err(error) = read(&store, "a/b.parquet", ALL_EVENTS).await else {
        panic!("read")
    };
    assert!(
        matches!(&error, LakeError::Missing { key } if key == "a/b.parquet"),
        "{error}"
    );
    let end_only = b"PAR1\xff\xff\xff\x7fPAR1".as_slice();
    for bytes in [b"".as_slice(), b"short", end_only, b"PAR1 nothing in here PAR1"] {
        std::fs::write(dir.path().join("lake/x.parquet"), bytes).unwrap();
        let Err(error) = read(&store, "x.parquet", ALL_EVENTS).await else {
            panic!("read")
        };
        assert!(
            matches!(&error, LakeError::Unreadable { key, .. } if key == "x.parquet"),
            "{error}"
        );
    }
}
