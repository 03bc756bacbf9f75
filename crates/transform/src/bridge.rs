//! Arrow columns become a Polars frame through the Arrow C data interface, without a copy of their buffers.
//!
//! The two libraries share no types, only this interface: each declares its own copy of the two C structures.
#![allow(unsafe_code, reason = "the C data interface is a contract between pointers")]

use arrow::{
    array::{Array, RecordBatch},
    error::ArrowError,
    ffi::{FFI_ArrowArray, FFI_ArrowSchema, to_ffi},
};
use polars::prelude::{Column, DataFrame, PolarsResult, Series};
use polars_arrow::ffi::{ArrowArray, ArrowSchema, import_array_from_c, import_field_from_c};

use crate::plan::TransformError;

// Both are the C structures of the specification; a release that changes one of them must not compile.
const _: () = assert!(
    size_of::<FFI_ArrowArray>() == size_of::<ArrowArray>() && align_of::<FFI_ArrowArray>() == align_of::<ArrowArray>()
);
const _: () = assert!(
    size_of::<FFI_ArrowSchema>() == size_of::<ArrowSchema>()
        && align_of::<FFI_ArrowSchema>() == align_of::<ArrowSchema>()
);

/// The same columns under the same names.
pub(crate) fn to_frame(batch: &RecordBatch) -> Result<DataFrame, TransformError> {
    let columns = batch
        .schema()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| Ok(to_series(field.name(), array.as_ref())?.into()))
        .collect::<Result<Vec<Column>, TransformError>>()?;
    Ok(DataFrame::new(batch.num_rows(), columns)?)
}

fn to_series(name: &str, array: &dyn Array) -> Result<Series, TransformError> {
    let (array, schema) = export(array)?;
    Ok(import(name, array, &schema)?)
}

fn export(array: &dyn Array) -> Result<(ArrowArray, ArrowSchema), ArrowError> {
    let (array, schema) = to_ffi(&array.to_data())?;
    // SAFETY: both types are `repr(C)` with the fields that the C data interface prescribes, in its order; size and
    // alignment are compared above. The value is moved, so that its `release` runs once, by its new owner.
    Ok(unsafe {
        (
            std::mem::transmute::<FFI_ArrowArray, ArrowArray>(array),
            std::mem::transmute::<FFI_ArrowSchema, ArrowSchema>(schema),
        )
    })
}

fn import(name: &str, array: ArrowArray, schema: &ArrowSchema) -> PolarsResult<Series> {
    // SAFETY: `schema` was filled by arrow-rs for this very array and has not been released.
    let field = unsafe { import_field_from_c(schema)? };
    // SAFETY: `array` was filled by arrow-rs, the data type is the one of its own schema, and it is handed over whole:
    // what Polars makes of it holds the buffers until its last use and then releases them.
    let array = unsafe { import_array_from_c(array, field.dtype().clone())? };
    Series::from_arrow(name.into(), array)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::{
        array::{ArrayRef, BooleanArray, Float64Array, Int64Array, LargeStringArray, TimestampMicrosecondArray},
        datatypes::{Field, Schema},
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;

    type Row = (Option<f64>, Option<i64>, Option<bool>, Option<String>);

    fn batch(rows: &[Row]) -> RecordBatch {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| r.0).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|r| r.1).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|r| r.2).collect::<BooleanArray>()),
            Arc::new(rows.iter().map(|r| r.3.as_deref()).collect::<LargeStringArray>()),
            Arc::new(rows.iter().map(|r| r.1).collect::<TimestampMicrosecondArray>()),
        ];
        let fields: Vec<Field> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true))
            .collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns of one length")
    }

    fn check(frame: &DataFrame, rows: &[Row]) {
        assert_eq!(frame.height(), rows.len());
        let column = |i: usize| frame.columns()[i].as_materialized_series().clone();
        let (f, i, b, s, t) = (column(0), column(1), column(2), column(3), column(4));
        let times = t.datetime().expect("datetime");
        for (row, (x, n, y, text)) in rows.iter().enumerate() {
            assert_eq!(f.f64().expect("f64").get(row).map(f64::to_bits), x.map(f64::to_bits));
            assert_eq!(i.i64().expect("i64").get(row), *n);
            assert_eq!(b.bool().expect("bool").get(row), *y);
            assert_eq!(s.str().expect("str").get(row), text.as_deref());
            assert_eq!(times.physical().get(row), *n);
        }
    }

    proptest! {
        #[test]
        fn columns_arrive_as_they_are(rows in vec(any::<Row>(), 0..40), from in 0usize..40, len in 0usize..40) {
            let batch = batch(&rows);
            check(&to_frame(&batch).expect("frame"), &rows);
            // A slice has an offset into buffers, and for booleans into bits.
            let from = from.min(rows.len());
            let len = len.min(rows.len() - from);
            check(&to_frame(&batch.slice(from, len)).expect("slice"), &rows[from..from + len]);
        }
    }

    #[test]
    fn the_frame_outlives_the_batch() {
        let rows = vec![
            (
                Some(1.5),
                None,
                Some(true),
                Some("a text of more than twelve bytes".to_owned())
            );
            9
        ];
        let frame = {
            let batch = batch(&rows);
            to_frame(&batch).expect("frame")
        };
        check(&frame, &rows);
        check(&frame.slice(2, 3), &rows[2..5]);
    }
}
