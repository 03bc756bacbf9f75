//! JSON bodies: one object, an array, objects after each other, objects a line, and the array at a records path.

use bytes::Bytes;
use dash_model::{PathStep, RecordsPath};

use crate::{
    Decoded, IngestError, Limits,
    collect::{Collector, path_missing},
    scan::{self, Fault, Value, elements, members, position, skip_space},
};

/// A body of [`crate::Format::Json`]. A fault of syntax refuses the whole.
pub fn document(text: Bytes, path: Option<&RecordsPath>, limits: &Limits) -> Result<Decoded, IngestError> {
    if is_lines(&text) {
        return lines(text, path, limits);
    }
    if let Err(e) = std::str::from_utf8(&text) {
        return Err(malformed(&text, e.valid_up_to(), "the text is not UTF-8"));
    }
    let mut out = Collector::new(limits);
    let mut at = skip_space(&text, 0);
    let mut first = true;
    while at < text.len() {
        at = match (path, text[at]) {
            (Some(path), _) => records_at(&text, at, path, &mut out).map_err(|e| e.of_body(&text, path))?,
            (None, b'[') if first => {
                let end = elements(&text, at, |value| out.value(&text, &value).map_err(Stop::Limit))
                    .map_err(|e| e.of_array(&text))?;
                let end = skip_space(&text, end);
                if end < text.len() {
                    return Err(malformed(&text, end, "nothing may follow the array"));
                }
                end
            }
            (None, _) => {
                let value = scan::value(&text, at).map_err(|f| malformed(&text, f.at, f.what))?;
                out.value(&text, &value)?;
                value.end
            }
        };
        first = false;
        at = skip_space(&text, at);
    }
    out.finish(text)
}

/// A body of [`crate::Format::Ndjson`]. A bad line is rejected alone; a line of several values counts each.
pub fn lines(text: Bytes, path: Option<&RecordsPath>, limits: &Limits) -> Result<Decoded, IngestError> {
    let utf8 = std::str::from_utf8(&text).is_ok();
    let mut out = Collector::new(limits);
    let mut values = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |i| start + i);
        line(&text[..end], start, utf8, path, &mut values, &mut out)?;
        start = end + 1;
    }
    out.finish(text)
}

/// One line, from `start` to the end of `text`.
fn line(
    text: &[u8],
    start: usize,
    utf8: bool,
    path: Option<&RecordsPath>,
    values: &mut Vec<Value>,
    out: &mut Collector<'_>,
) -> Result<(), IngestError> {
    let mut at = skip_space(text, start);
    if at == text.len() {
        return Ok(());
    }
    if !utf8 && let Err(e) = std::str::from_utf8(&text[start..]) {
        return out.reject(|| format!("byte {} of the line is not UTF-8", e.valid_up_to() + 1));
    }
    values.clear();
    while at < text.len() {
        match scan::value(text, at) {
            Ok(value) => {
                values.push(value);
                at = skip_space(text, value.end);
            }
            Err(fault) => {
                return out.reject(|| {
                    let (_, column) = position(&text[start..], fault.at - start);
                    format!("it is not JSON: {} at column {column}", fault.what)
                });
            }
        }
    }
    for value in values.iter() {
        match path {
            None => out.value(text, value)?,
            Some(path) => match records_at(&text[..value.end], value.start, path, out) {
                Ok(_) => {}
                Err(Stop::Limit(error)) => return Err(error),
                Err(Stop::Missing(why)) => out.reject(|| path_missing(path, &why))?,
                Err(Stop::Fault(fault)) => out.reject(|| format!("it is not JSON: {}", fault.what))?,
            },
        }
    }
    Ok(())
}

/// Whether the first line is a complete value and others follow: a sign of NDJSON that calls itself JSON.
fn is_lines(text: &[u8]) -> bool {
    let start = skip_space(text, 0);
    let Some(end) = memchr::memchr(b'\n', &text[start..]).map(|i| start + i) else {
        return false;
    };
    text[start] != b'['
        && skip_space(text, end) < text.len()
        && scan::value(&text[..end], start).is_ok_and(|v| skip_space(&text[..end], v.end) == end)
}

/// Why the walk through a document ended.
enum Stop {
    Fault(Fault),
    Limit(IngestError),
    Missing(String),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Stop {
    fn of_array(self, text: &[u8]) -> IngestError {
        match self {
            Self::Limit(error) => error,
            Self::Fault(fault) => malformed(text, fault.at, fault.what),
            Self::Missing(why) => IngestError::Malformed(why),
        }
    }

    fn of_body(self, text: &[u8], path: &RecordsPath) -> IngestError {
        match self {
            Self::Missing(why) => IngestError::Malformed(path_missing(path, &why)),
            other => other.of_array(text),
        }
    }
}

/// Takes each element of the array at `path` within the document that begins at `at`; answers the document's end.
///
/// The whole document is checked before the first record is taken. Of a key that is there twice, the last counts, as
/// it does for every reader behind this one.
fn records_at(text: &[u8], at: usize, path: &RecordsPath, out: &mut Collector<'_>) -> Result<usize, Stop> {
    let whole = scan::value(text, at)?;
    let mut at = whole.start;
    for (i, step) in path.steps().iter().enumerate() {
        let found = match (step, text[at]) {
            (PathStep::Key(key), b'{') => {
                let mut found = None;
                members(text, at, |name, value| {
                    if names(&text[name], key) {
                        found = Some(value.start);
                    }
                })?;
                found
            }
            (PathStep::Index(index), b'[') => {
                let (mut found, mut place) = (None, 0);
                elements::<Fault>(text, at, |value| {
                    if place == *index {
                        found = Some(value.start);
                    }
                    place += 1;
                    Ok(())
                })?;
                found
            }
            _ => None,
        };
        at = found.ok_or_else(|| {
            let step = match step {
                PathStep::Key(key) => format!("{key:?}"),
                PathStep::Index(index) => format!("[{index}]"),
            };
            Stop::Missing(format!("but {step} (step {}) is not in this body", i + 1))
        })?;
    }
    if text[at] != b'[' {
        return Err(Stop::Missing(format!(
            "but there is {}, not an array",
            scan::kind(text[at])
        )));
    }
    elements(text, at, |value| out.value(text, &value).map_err(Stop::Limit))?;
    Ok(whole.end)
}

/// Whether a key as written, with quotes and escapes, means `key`.
fn names(written: &[u8], key: &str) -> bool {
    let inner = &written[1..written.len() - 1];
    if memchr::memchr(b'\\', inner).is_none() {
        return inner == key.as_bytes();
    }
    serde_json::from_slice::<String>(written).is_ok_and(|name| name == key)
}

fn malformed(text: &[u8], at: usize, what: &str) -> IngestError {
    let (line, column) = position(text, at);
    IngestError::Malformed(format!(
        "the body is not JSON: {what} at line {line}, column {column}; nothing of it was taken"
    ))
}
