//! One JSON value, as its text, into the type that the mapping asks for. `null` is no value; what does not fit is a reason.

use std::borrow::Cow;

use dash_model::mapping::TimeFormat;

use super::{
    number::{Decimal, parse_float, parse_integer},
    time,
};

enum Json<'r> {
    Null,
    Boolean(bool),
    Number(&'r str),
    Text(Cow<'r, str>),
    Object,
    Array,
}

/// Tells a value apart by its first byte: the text is known to be JSON.
fn read(json: &str) -> Result<Json<'_>, String> {
    Ok(match json.as_bytes().first() {
        Some(b'n') => Json::Null,
        Some(b't') => Json::Boolean(true),
        Some(b'f') => Json::Boolean(false),
        Some(b'{') => Json::Object,
        Some(b'[') => Json::Array,
        Some(b'"') => Json::Text(text(json)?),
        _ => Json::Number(json),
    })
}

fn text(json: &str) -> Result<Cow<'_, str>, String> {
    let inner = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str::<String>(json).map(Cow::Owned).map_err(|_| {
        "the text has a lone surrogate (\\ud800 to \\udfff without its pair); send whole characters".into()
    })
}

pub(super) fn float(json: &str) -> Result<Option<f64>, String> {
    let number = |text: &str, found: &dyn Fn() -> String| match parse_float(text) {
        Some(x) => Ok(Some(x)),
        None if Decimal::parse(text).is_some() => Err(format!("{} is too large for a float", clip(text))),
        None => Err(format!("expected a finite number, found {}", found())),
    };
    match read(json)? {
        Json::Null => Ok(None),
        Json::Boolean(b) => Ok(Some(f64::from(u8::from(b)))),
        Json::Number(n) => number(n, &|| describe(json)),
        Json::Text(t) => number(t.trim(), &|| format!("the text {}", quote(&t))),
        _ => Err(format!("expected a number, found {}", describe(json))),
    }
}

pub(super) fn integer(json: &str) -> Result<Option<i64>, String> {
    let refused = |found: String| format!("expected an integer within 64 bits, found {found}");
    match read(json)? {
        Json::Null => Ok(None),
        Json::Number(n) => parse_integer(n).map(Some).ok_or_else(|| refused(describe(json))),
        Json::Text(t) => parse_integer(t.trim())
            .map(Some)
            .ok_or_else(|| refused(format!("the text {}", quote(&t)))),
        _ => Err(refused(describe(json))),
    }
}

pub(super) fn boolean(json: &str) -> Result<Option<bool>, String> {
    let refused = |found: String| format!("expected true, false, 1 or 0, found {found}");
    let number = |n: &str| match parse_integer(n) {
        Some(0) => Some(false),
        Some(1) => Some(true),
        _ => None,
    };
    match read(json)? {
        Json::Null => Ok(None),
        Json::Boolean(b) => Ok(Some(b)),
        Json::Number(n) => number(n).map(Some).ok_or_else(|| refused(describe(json))),
        Json::Text(t) => match t.trim() {
            x if x.eq_ignore_ascii_case("true") => Ok(Some(true)),
            x if x.eq_ignore_ascii_case("false") => Ok(Some(false)),
            x => number(x)
                .map(Some)
                .ok_or_else(|| refused(format!("the text {}", quote(&t)))),
        },
        _ => Err(refused(describe(json))),
    }
}

/// A text as it is, a number as it was written, a boolean as `true` or `false`.
pub(super) fn string(json: &str) -> Result<Option<Cow<'_, str>>, String> {
    match read(json)? {
        Json::Null => Ok(None),
        Json::Boolean(_) | Json::Number(_) => Ok(Some(Cow::Borrowed(json))),
        Json::Text(t) => Ok(Some(t)),
        _ => Err(format!("expected a text, found {}", describe(json))),
    }
}

pub(super) fn time(json: &str, format: TimeFormat) -> Result<Option<i64>, String> {
    match read(json)? {
        Json::Null => Ok(None),
        Json::Number(n) => time::from_number(n, format).map(Some),
        Json::Text(t) => time::from_text(&t, format).map(Some),
        _ => Err(format!("expected a time, found {}", describe(json))),
    }
}

/// A JSON value in words, for people.
pub(super) fn describe(json: &str) -> String {
    match read(json) {
        Ok(Json::Null) => "null".into(),
        Ok(Json::Boolean(b)) => b.to_string(),
        Ok(Json::Number(n)) => format!("the number {}", clip(n)),
        Ok(Json::Text(t)) => format!("the text {}", quote(&t)),
        Ok(Json::Object) => "an object".into(),
        Ok(Json::Array) => "an array".into(),
        Err(_) => "a text".into(),
    }
}

pub(super) fn quote(text: &str) -> String {
    format!("{:?}", clip(text))
}

/// The beginning of a text, for messages.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
