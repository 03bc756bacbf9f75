//! A JSON checker that finds where values end, counts their depth and keys, and never recurses.
//!
//! It takes what serde_json takes, with two exceptions that later stages decide on: lone surrogates (`"\ud800"`) and
//! any depth pass here. UTF-8 is checked by the caller, at once for the whole body, which is much faster.

use std::ops::Range;

/// A value that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    pub start: usize,
    /// The byte behind its last.
    pub end: usize,
    /// Objects and arrays within each other; 0 for a string, number, `true`, `false` or `null`.
    pub depth: u32,
    /// Keys of all objects in it.
    pub fields: u32,
}

/// Where and why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub what: &'static str,
}

/// What a value is, told by its first byte.
pub fn kind(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        _ => "a number",
    }
}

/// The first byte from `at` that is no JSON white space, or the end.
pub fn skip_space(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && matches!(text[at], b' ' | b'\n' | b'\r' | b'\t') {
        at += 1;
    }
    at
}

const fn fault<T>(at: usize, what: &'static str) -> Result<T, Fault> {
    Err(Fault { at, what })
}

/// Open containers, a bit each: 64 MiB of brackets cost 8 MiB.
#[derive(Default)]
struct Nesting {
    /// 1 for an object, 0 for an array.
    full: Vec<u64>,
    top: u64,
    depth: u32,
}

impl Nesting {
    fn push(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.full.push(self.top);
        }
        self.top = self.top << 1 | u64::from(object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.top >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.top = self.full.pop().unwrap_or_default();
        }
    }

    fn in_object(&self) -> bool {
        self.top & 1 == 1
    }
}

/// Checks the value that begins at `at` or behind white space there. What follows it is not looked at.
pub fn value(text: &[u8], at: usize) -> Result<Value, Fault> {
    let start = skip_space(text, at);
    let mut at = start;
    let mut open = Nesting::default();
    let (mut depth, mut fields) = (0, 0);
    loop {
        // A value is expected.
        at = skip_space(text, at);
        match text.get(at) {
            Some(&bracket @ (b'{' | b'[')) => {
                open.push(bracket == b'{');
                depth = depth.max(open.depth);
                at = skip_space(text, at + 1);
                // `}` and `]` are two behind their brackets in ASCII.
                if text.get(at) == Some(&(bracket + 2)) {
                    at += 1;
                    open.pop();
                } else {
                    if bracket == b'{' {
                        at = key(text, at)?;
                        fields += 1;
                    }
                    continue;
                }
            }
            Some(b'"') => at = string(text, at)?,
            Some(b'-' | b'0'..=b'9') => at = number(text, at)?,
            Some(b't') => at = literal(text, at, b"true")?,
            Some(b'f') => at = literal(text, at, b"false")?,
            Some(b'n') => at = literal(text, at, b"null")?,
            Some(_) => return fault(at, "a value is expected"),
            None => return fault(at, "the text ends where a value is expected"),
        }
        // A value has ended: close what ends with it.
        loop {
            if open.depth == 0 {
                let end = at;
                return Ok(Value {
                    start,
                    end,
                    depth,
                    fields,
                });
            }
            at = skip_space(text, at);
            match (text.get(at), open.in_object()) {
                (Some(b','), true) => {
                    at = key(text, skip_space(text, at + 1))?;
                    fields += 1;
                    break;
                }
                (Some(b','), false) => {
                    at += 1;
                    break;
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    at += 1;
                    open.pop();
                }
                (Some(_), true) => return fault(at, "a comma or } is expected"),
                (Some(_), false) => return fault(at, "a comma or ] is expected"),
                (None, true) => return fault(at, "the text ends within an object"),
                (None, false) => return fault(at, "the text ends within an array"),
            }
        }
    }
}

/// A key and its colon.
fn key(text: &[u8], at: usize) -> Result<usize, Fault> {
    if text.get(at) != Some(&b'"') {
        return fault(at, "a key in double quotes is expected");
    }
    let at = skip_space(text, string(text, at)?);
    if text.get(at) != Some(&b':') {
        return fault(at, "a colon is expected");
    }
    Ok(at + 1)
}

/// Of eight characters of a string, a high bit in the first that ends a run of plain ones: the quote, the backslash, a control
/// character. What stands behind that one means nothing.
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (control | quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash) & HIGH
}

/// The first character from `at` that is not plain, or the end. Eight at a time: most of a body is inside of strings.
fn plain(text: &[u8], mut at: usize) -> usize {
    while let Some(eight) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        match special(u64::from_le_bytes(*eight)) {
            0 => at += 8,
            found => return at + (found.trailing_zeros() / 8) as usize,
        }
    }
    while at < text.len() && !matches!(text[at], 0..0x20 | b'"' | b'\\') {
        at += 1;
    }
    at
}

fn string(text: &[u8], start: usize) -> Result<usize, Fault> {
    let mut at = start + 1;
    loop {
        at = plain(text, at);
        match text.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match text.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') => {
                    let hex = text.get(at + 2..at + 6);
                    if !hex.is_some_and(|h| h.iter().all(u8::is_ascii_hexdigit)) {
                        return fault(at, "four hexadecimal digits belong behind \\u");
                    }
                    at += 6;
                }
                _ => return fault(at, "a backslash stands before one of \" \\ / b f n r t u"),
            },
            Some(_) => return fault(at, "a control character in a string must be escaped"),
            None => return fault(at, "the text ends within a string"),
        }
    }
}

fn digits(text: &[u8], mut at: usize) -> Result<usize, Fault> {
    let start = at;
    while at < text.len() && text[at].is_ascii_digit() {
        at += 1;
    }
    if at == start {
        return fault(at, "a digit is expected");
    }
    Ok(at)
}

fn number(text: &[u8], at: usize) -> Result<usize, Fault> {
    let start = if text[at] == b'-' { at + 1 } else { at };
    let mut at = digits(text, start)?;
    if text[start] == b'0' && at > start + 1 {
        return fault(start, "a number does not begin with 0 and a digit");
    }
    if text.get(at) == Some(&b'.') {
        at = digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = digits(text, at + 1 + sign)?;
    }
    Ok(at)
}

fn literal(text: &[u8], at: usize, word: &'static [u8]) -> Result<usize, Fault> {
    if text[at..].starts_with(word) {
        return Ok(at + word.len());
    }
    fault(at, "a value is expected")
}

/// Checks the object that begins at `at` and hands each key (with its quotes) and value to `each`. Answers its end.
pub fn members(text: &[u8], at: usize, mut each: impl FnMut(Range<usize>, Value)) -> Result<usize, Fault> {
    let mut at = skip_space(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Ok(at + 1);
    }
    loop {
        let start = at;
        let found = value(text, key(text, at)?)?;
        // The key was just checked, so that it has an end.
        each(start..string(text, start)?, found);
        at = skip_space(text, found.end);
        match text.get(at) {
            Some(b',') => at = skip_space(text, at + 1),
            Some(b'}') => return Ok(at + 1),
            Some(_) => return fault(at, "a comma or } is expected"),
            None => return fault(at, "the text ends within an object"),
        }
    }
}

/// Checks the array that begins at `at` and hands each element to `each`, which may stop it. Answers its end.
pub fn elements<E: From<Fault>>(
    text: &[u8],
    at: usize,
    mut each: impl FnMut(Value) -> Result<(), E>,
) -> Result<usize, E> {
    let mut at = skip_space(text, at + 1);
    if text.get(at) == Some(&b']') {
        return Ok(at + 1);
    }
    loop {
        let found = value(text, at)?;
        each(found)?;
        at = skip_space(text, found.end);
        match text.get(at) {
            Some(b',') => at += 1,
            Some(b']') => return Ok(at + 1),
            Some(_) => {
                return Err(E::from(Fault {
                    at,
                    what: "a comma or ] is expected",
                }));
            }
            None => {
                return Err(E::from(Fault {
                    at,
                    what: "the text ends within an array",
                }));
            }
        }
    }
}

/// Line and column of a byte, from 1; columns count characters.
pub fn position(text: &[u8], at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = before[line_start..].iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    /// Whether the whole text is one value.
    fn accepts(text: &str) -> bool {
        value(text.as_bytes(), 0).is_ok_and(|v| skip_space(text.as_bytes(), v.end) == text.len())
    }

    fn reference(text: &str) -> bool {
        serde_json::from_str::<&RawValue>(text).is_ok()
    }

    #[test]
    fn takes_and_refuses_what_serde_json_does() {
        for text in [
            "0",
            "-0",
            "01",
            "-",
            "1.",
            "1.5",
            ".5",
            "1e",
            "1e5",
            "1E+05",
            "1e-",
            "+1",
            "1e999",
            "true",
            "tru",
            "nul",
            "null",
            "\"\"",
            "\"a",
            "\"\\u12\"",
            "\"\\u12G4\"",
            "\"\\x\"",
            "\"\t\"",
            "\"\\",
            "{}",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[]",
            "[[[]]]",
            "[}",
            "{]",
            "{\"a\":1}x",
            " [ 1 , {\"a\" : 2 } ] ",
            "",
            " ",
            "NaN",
            "Infinity",
            "'a'",
            "//",
            "\u{feff}1",
            "{\"a\":1,\"a\":2}",
            "[1e5,-2.5E-3]",
        ] {
            assert_eq!(accepts(text), reference(text), "{text:?}");
        }
        assert!(accepts(r#""\ud800""#), "lone surrogates are for the mapping to decide");
    }

    #[test]
    fn counts_depth_and_keys() {
        for (text, depth, fields) in [
            ("1", 0, 0),
            ("{}", 1, 0),
            (r#"{"a":{"b":[1,{"c":2}]},"d":3}"#, 4, 4),
            ("[[],[[]]]", 3, 0),
        ] {
            let found = value(text.as_bytes(), 0).expect(text);
            assert_eq!(
                (found.depth, found.fields, found.end),
                (depth, fields, text.len()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_million_brackets_are_counted_without_recursion() {
        let text = [vec![b'['; 1_000_000], vec![b']'; 1_000_000]].concat();
        assert_eq!(value(&text, 0).map(|v| v.depth), Ok(1_000_000));
        let mixed = [b"{\"a\":[".repeat(500), b"]}".repeat(500)].concat();
        assert_eq!(value(&mixed, 0).map(|v| v.depth), Ok(1_000));
        assert!(value(&mixed[..mixed.len() - 1], 0).is_err());
    }

    #[test]
    fn what_is_plain_does_not_depend_on_its_place() {
        for byte in 0..=u8::MAX {
            let ends = byte < 0x20 || matches!(byte, b'"' | b'\\');
            for at in 0..20 {
                // Neighbours that are plain by little: the lowest plain character and bytes of other scripts.
                for filler in [b' ', b'#', b'[', 0x80, 0xff] {
                    let mut text = [filler; 20];
                    text[at] = byte;
                    let expected = if ends { at } else { text.len() };
                    assert_eq!(plain(&text, 0), expected, "{byte:#x} at {at} among {filler:#x}");
                }
            }
        }
    }

    #[test]
    fn positions_count_lines_and_characters() {
        let text = "ä\nöü x".as_bytes();
        assert_eq!(position(text, text.len() - 1), (2, 4));
        assert_eq!(position(text, 0), (1, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn agrees_with_serde_json_on_near_json(text in r#"[\[\]{}:,"\\ue0-9a1.+\-trufalsn \n]{0,24}"#) {
            // serde_json refuses some \u escapes only when it decodes; both take them raw.
            prop_assert_eq!(accepts(&text), reference(&text));
        }
    }
}
