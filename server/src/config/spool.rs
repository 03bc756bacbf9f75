//! The spool: its directory and what it may take.

use dash_spool::Options;

use super::{
    ConfigError, Ingest, Process,
    ingest::too_small,
    reader::Reader,
    value::{age, size},
};

/// What a batch is larger in the spool than its records: lengths, places of rejected records, the request's headers.
const OVERHEAD: usize = 8 << 20;

pub(super) fn read<F: Fn(&str) -> Option<String>>(
    reader: &mut Reader<'_, F>,
    process: &Process,
    ingest: &Ingest,
) -> Result<Options, ConfigError> {
    let dir: String = reader.required("DASH_SPOOL", |text| Some(text.to_owned()))?;
    let at_least = |least: u64| move |text: &str| size(text).filter(|n| *n >= least);
    let options = Options {
        max_bytes: reader.required("DASH_SPOOL_MAX", at_least(1 << 20))?,
        min_free_bytes: reader.required("DASH_SPOOL_MIN_FREE", size)?,
        segment_bytes: reader.required("DASH_SPOOL_SEGMENT", |text| {
            size(text).filter(|n| (1 << 20..=4 << 30).contains(n))
        })?,
        segment_age: reader.required("DASH_SPOOL_AGE", age)?,
        queue_bytes: reader.required("DASH_SPOOL_QUEUE", |text| size(text)?.try_into().ok())?,
        max_batch_bytes: ingest.limits.inflated_bytes + OVERHEAD,
        ..Options::new(dir, process.node)
    };
    // Whatever ingest takes must fit: a body that is refused only at the disk could never be sent.
    if options.queue_bytes < options.max_batch_bytes {
        return Err(too_small("DASH_SPOOL_QUEUE", options.queue_bytes));
    }
    if options.max_bytes < options.max_batch_bytes as u64 {
        return Err(too_small("DASH_SPOOL_MAX", options.max_bytes as usize));
    }
    Ok(options)
}
