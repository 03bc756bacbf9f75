//! Times of records, to the microsecond.

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use dash_model::mapping::TimeFormat;

use super::number::Decimal;

/// 2100-01-01T00:00:00Z, the first time that is not taken, in microseconds.
const END: i64 = 4_102_444_800_000_000;

/// A time from the text of a number. What is finer than a microsecond is cut.
///
/// `auto` goes by the digits before the point: up to 11 are seconds, up to 14 milliseconds, up to 17 microseconds,
/// more nanoseconds. Each unit covers all times from 1973-03-03 to 2099.
pub(super) fn from_number(text: &str, format: TimeFormat) -> Result<i64, String> {
    let number = Decimal::parse(text).ok_or_else(|| format!("expected a time, found {text}"))?;
    let shift = match format {
        TimeFormat::EpochS => 6,
        TimeFormat::EpochMs => 3,
        TimeFormat::EpochUs => 0,
        TimeFormat::EpochNs => -3,
        TimeFormat::Rfc3339 => {
            return Err(format!(
                "expected an RFC 3339 text such as {EXAMPLE}, found the number {text}"
            ));
        }
        TimeFormat::Auto => match number.magnitude() {
            ..=11 => 6,
            12..=14 => 3,
            15..=17 => 0,
            _ => -3,
        },
    };
    let whole = number.whole(shift);
    if number.negative && whole != Some((0, false)) {
        return Err(too_early(text));
    }
    match whole.and_then(|(n, _)| i64::try_from(n).ok()) {
        Some(n) if n < END => Ok(n),
        _ => Err(too_late(text)),
    }
}

/// A time from a text: RFC 3339, or a number written as text.
pub(super) fn from_text(text: &str, format: TimeFormat) -> Result<i64, String> {
    let text = text.trim();
    match format {
        TimeFormat::Auto if Decimal::parse(text).is_some() => return from_number(text, format),
        TimeFormat::Auto | TimeFormat::Rfc3339 => {}
        _ if Decimal::parse(text).is_some() => return from_number(text, format),
        _ => return Err(format!("expected a number, found {}", super::value::quote(text))),
    }
    let n = parse_rfc3339(text)?;
    match n {
        ..0 => Err(too_early(text)),
        END.. => Err(too_late(text)),
        _ => Ok(n),
    }
}

/// Microseconds of an RFC 3339 text with offset, `T` or a space between date and time.
pub(crate) fn parse_rfc3339(text: &str) -> Result<i64, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_micros());
    }
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    if naive.iter().any(|f| NaiveDateTime::parse_from_str(text, f).is_ok()) {
        return Err(format!(
            "{} has no offset from UTC; send it with Z or with an offset such as +02:00",
            super::value::quote(text)
        ));
    }
    Err(format!(
        "expected an RFC 3339 time such as {EXAMPLE}, found {}",
        super::value::quote(text)
    ))
}

/// A time as RFC 3339 text in UTC, with as many digits as it needs.
pub(crate) fn rfc3339(micros: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros)
        .map(|t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        .unwrap_or_default()
}

const EXAMPLE: &str = "2026-05-01T12:00:00Z";

fn too_early(found: &str) -> String {
    format!(
        "{} is before 1970-01-01; check the time's format",
        super::value::clip(found)
    )
}

fn too_late(found: &str) -> String {
    format!(
        "{} is 2100-01-01 or later; check the time's format",
        super::value::clip(found)
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_told_by_their_size() {
        let t = 1_767_225_600_123_456;
        for text in [
            "1767225600.123456",
            "1767225600123.456",
            "1767225600123456",
            "1767225600123456789",
            "1.767225600123456e9",
        ] {
            assert_eq!(from_number(text, TimeFormat::Auto), Ok(t), "{text}");
        }
        assert_eq!(from_number("0", TimeFormat::Auto), Ok(0));
        assert_eq!(from_number("-0.0", TimeFormat::EpochMs), Ok(0));
        assert_eq!(from_number("99999999999", TimeFormat::Auto).map_err(|_| ()), Err(()));
        assert_eq!(from_number("100000000000", TimeFormat::Auto), Ok(100_000_000_000_000));
    }

    #[test]
    fn the_range_is_1970_to_2100() {
        assert_eq!(from_text("1970-01-01T00:00:00Z", TimeFormat::Auto), Ok(0));
        assert_eq!(from_text("2099-12-31T23:59:59.999999Z", TimeFormat::Auto), Ok(END - 1));
        for (text, why) in [
            ("1969-12-31T23:59:59.999999Z", "before 1970"),
            ("1970-01-01T00:00:00+00:01", "before 1970"),
            ("2100-01-01T00:00:00Z", "2100-01-01 or later"),
            ("4102444800", "2100-01-01 or later"),
            ("-0.0000001", "before 1970"),
            ("1e300", "2100-01-01 or later"),
            ("-1e999999999999", "before 1970"),
        ] {
            let error = from_text(text, TimeFormat::Auto).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn offsets_are_required_and_respected() {
        assert_eq!(
            parse_rfc3339("2026-01-01T02:00:00+02:00"),
            parse_rfc3339("2026-01-01 00:00:00Z")
        );
        for text in ["2026-01-01T00:00:00", "2026-01-01 00:00:00.5"] {
            let error = parse_rfc3339(text).expect_err(text);
            assert!(error.contains("no offset") && error.contains("+02:00"), "{error}");
        }
        assert!(parse_rfc3339("2026-01-01").is_err_and(|e| e.contains("RFC 3339")));
    }

    proptest! {
        #[test]
        fn a_time_reads_back(t in 0..END) {
            prop_assert_eq!(from_text(&rfc3339(t), TimeFormat::Rfc3339), Ok(t));
            prop_assert_eq!(from_number(&format!("{}.{:06}", t / 1_000_000, t % 1_000_000), TimeFormat::EpochS), Ok(t));
            prop_assert_eq!(from_number(&format!("{t}999"), TimeFormat::EpochNs), Ok(t));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = from_text(&text, TimeFormat::Auto);
        }
    }
}
