//! The lake: what the manifest lists, read from the files of the store as any Parquet tool would.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::Int64Type,
};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio_postgres::Client;

use crate::audit::{Difference, Findings, Stored};

/// A row of the manifest.
#[derive(Clone, Debug)]
pub struct Object {
    pub key: String,
    pub last_event: i64,
    rows: i64,
}

/// The committed objects by rising event. Whatever is in only one of store and manifest, or not committed, is a finding: there is
/// nothing left to do when this is asked.
pub async fn objects(client: &Client, store: &Path, found: &mut Findings) -> anyhow::Result<Vec<Object>> {
    let sql = "SELECT key, last_event, rows, bytes, state FROM lake_objects ORDER BY first_event";
    let mut objects = Vec::new();
    let mut listed = BTreeSet::new();
    for row in client.query(sql, &[]).await? {
        let object = Object {
            key: row.get(0),
            last_event: row.get(1),
            rows: row.get(2),
        };
        let (bytes, state): (Option<i64>, String) = (row.get(3), row.get(4));
        listed.insert(object.key.clone());
        let size = fs::metadata(store.join(&object.key))
            .map(|m| m.len().cast_signed())
            .ok();
        if state == "committed" && size == bytes {
            objects.push(object);
        } else {
            found.add(Difference::Object, || {
                format!("{} is {state} with {bytes:?} bytes, and has {size:?}", object.key)
            });
        }
    }
    for key in stored(store)?.difference(&listed) {
        found.add(Difference::Object, || {
            format!("{key} is in the bucket and not in the manifest")
        });
    }
    Ok(objects)
}

/// The events of these objects, one object in memory at a time.
pub fn rows(store: &Path, objects: Vec<Object>) -> impl Iterator<Item = anyhow::Result<Stored>> + use<> {
    let store = store.to_owned();
    objects
        .into_iter()
        .flat_map(move |object| match read(&store.join(&object.key), object.rows) {
            Ok(rows) => rows.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error.context(object.key))],
        })
}

fn read(path: &Path, expected: i64) -> anyhow::Result<Vec<Stored>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.build()?;
    let mut rows = Vec::new();
    for batch in reader {
        append(&batch?, &mut rows)?;
    }
    if rows.len() as i64 != expected {
        bail!("the object has {} rows, the manifest says {expected}", rows.len());
    }
    Ok(rows)
}

fn append(batch: &RecordBatch, rows: &mut Vec<Stored>) -> anyhow::Result<()> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .with_context(|| format!("there is no column {name}"))
    };
    let integers = |name: &str| {
        let column = column(name)?;
        column
            .as_primitive_opt::<Int64Type>()
            .with_context(|| format!("{name} is no int64"))
    };
    let (event, of) = (integers("event")?, integers("batch")?);
    let raw = column("raw")?;
    let raw = raw.as_binary_opt::<i32>().context("raw is no binary")?;
    rows.extend((0..raw.len()).map(|i| Stored {
        event: event.value(i),
        batch: of.value(i),
        raw: Bytes::copy_from_slice(raw.value(i)),
    }));
    Ok(())
}

/// Keys of all objects in the store.
fn stored(store: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut keys = BTreeSet::new();
    let mut dirs: Vec<PathBuf> = vec![store.to_owned()];
    while let Some(dir) = dirs.pop() {
        // Nothing was put yet.
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let key = path.strip_prefix(store)?;
                keys.insert(key.to_string_lossy().into_owned());
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{BinaryArray, Int64Array},
        datatypes::{DataType, Field, Schema},
    };
    use parquet::arrow::ArrowWriter;

    use super::*;

    #[test]
    fn an_object_is_read_and_its_rows_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let schema = Arc::new(Schema::new(vec![
            Field::new("event", DataType::Int64, false),
            Field::new("batch", DataType::Int64, false),
            Field::new("raw", DataType::Binary, false),
        ]));
        let columns = vec![
            Arc::new(Int64Array::from(vec![7, 8])) as _,
            Arc::new(Int64Array::from(vec![7, 7])) as _,
            Arc::new(BinaryArray::from_vec(vec![b"{}", b"{\"n\":8}"])) as _,
        ];
        let file = File::create(dir.path().join("a.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema.clone(), None).unwrap();
        writer.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
        writer.close().unwrap();

        let list = |rows| {
            vec![Object {
                key: "a.parquet".into(),
                last_event: 8,
                rows,
            }]
        };
        let read: Vec<_> = rows(dir.path(), list(2)).map(Result::unwrap).collect();
        assert_eq!(
            (read[1].event, read[1].batch, &read[1].raw[..]),
            (8, 7, &b"{\"n\":8}"[..])
        );
        assert!(rows(dir.path(), list(3)).all(|row| row.is_err()));
        assert_eq!(stored(dir.path()).unwrap(), BTreeSet::from(["a.parquet".to_owned()]));
    }
}
