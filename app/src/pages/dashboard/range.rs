//! The range of time in a dashboard's address: `?range=15m`, or `?from=&to=`.

use serde::{Deserialize, Serialize};

use crate::model::query::TimeRange;

/// The query parameters as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub range: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// The range that is shown, and why it is not the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    pub range: TimeRange,
    pub complaint: Option<String>,
}

/// What the picker offers: name in the address, words, range.
pub const PRESETS: [(&str, &str, TimeRange); 7] = [
    ("5m", "Last 5 minutes", TimeRange::Last { seconds: 300 }),
    ("15m", "Last 15 minutes", TimeRange::Last { seconds: 900 }),
    ("1h", "Last hour", TimeRange::Last { seconds: 3_600 }),
    ("6h", "Last 6 hours", TimeRange::Last { seconds: 21_600 }),
    ("24h", "Last 24 hours", TimeRange::Last { seconds: 86_400 }),
    ("7d", "Last 7 days", TimeRange::Last { seconds: 604_800 }),
    ("all", "Everything there is", TimeRange::All),
];

/// The longest `?range=`: ten years.
const MAX_SECONDS: u32 = 3_650 * 86_400;

impl Asked {
    /// The range to show, `default` where nothing was asked for or it cannot be understood. An open end is `now_ms`.
    pub fn choose(&self, default: TimeRange, now_ms: i64) -> Chosen {
        let fine = |range| Chosen { range, complaint: None };
        match self.parse(now_ms) {
            Ok(range) => fine(range.unwrap_or(default)),
            Err(complaint) => Chosen {
                range: default,
                complaint: Some(complaint),
            },
        }
    }

    fn parse(&self, now_ms: i64) -> Result<Option<TimeRange>, String> {
        let given = |text: &Option<String>| {
            text.as_deref()
                .map(str::trim)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        let (range, from, to) = (given(&self.range), given(&self.from), given(&self.to));
        if from.is_none() && to.is_none() {
            return range.map(|r| last(&r)).transpose();
        }
        let time = |name: &str, text: String| {
            parse_time(&text).ok_or_else(|| {
                format!("{name}: {text:?} is no time. Write it as 2026-11-23T15:00 (UTC) or 2026-11-23T15:00:00+01:00.")
            })
        };
        let from_ms = from
            .map(|t| time("From", t))
            .transpose()?
            .ok_or("From: a time is needed.")?;
        let to_ms = to.map(|t| time("To", t)).transpose()?.unwrap_or(now_ms);
        if from_ms >= to_ms {
            return Err("From has to be earlier than To.".into());
        }
        Ok(Some(TimeRange::Between { from_ms, to_ms }))
    }
}

/// `90s`, `15m`, `6h`, `7d` or `all`.
fn last(text: &str) -> Result<TimeRange, String> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(TimeRange::All);
    }
    let wrong = || format!("{text:?} is no range. Choose one below, or write for example 30m, 12h or 90d.");
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let seconds = count
        .checked_mul(unit)
        .filter(|s| (1..=MAX_SECONDS).contains(s))
        .ok_or_else(wrong)?;
    Ok(TimeRange::Last { seconds })
}

/// Milliseconds of RFC 3339 or of what `<input type="datetime-local">` sends, which is taken as UTC.
pub fn parse_time(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', ' ', 't'])?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(number);
    let (hour, minute) = (clock.next()??, clock.next()??);
    let second = match clock.next() {
        Some(second) => second?,
        None => 0,
    };
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let milli: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let offset = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') if zone.len() <= 1 => 0,
        Some(sign @ (b'+' | b'-')) => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let minutes = number(hours)? * 60 + number(minutes)?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60;
    in_range.then_some(seconds * 1_000 + milli)
}

/// Digits and nothing else: `parse` alone would take a sign.
fn number(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of the Gregorian calendar (Howard Hinnant's algorithm: years begin in March).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::components::format;

    const DEFAULT: TimeRange = TimeRange::Last { seconds: 900 };
    const NOW: i64 = 1_800_000_000_000;

    fn asked(range: &str, from: &str, to: &str) -> Chosen {
        let some = |t: &str| (!t.is_empty()).then(|| t.to_owned());
        let asked = Asked {
            range: some(range),
            from: some(from),
            to: some(to),
        };
        asked.choose(DEFAULT, NOW)
    }

    #[test]
    fn every_preset_is_what_its_name_says() {
        for (name, _, range) in PRESETS {
            assert_eq!(asked(name, "", "").range, range, "{name}");
        }
    }

    #[test]
    fn nothing_asked_is_the_dashboards_own_range() {
        let chosen = asked("", " ", "");
        assert_eq!((chosen.range, chosen.complaint), (DEFAULT, None));
    }

    #[test]
    fn what_is_no_range_shows_the_default_and_says_why() {
        for (range, from, to) in [
            ("5", "", ""),
            ("m", "", ""),
            ("0m", "", ""),
            ("-5m", "", ""),
            ("99999999d", "", ""),
            ("5µ", "", ""),
            ("", "yesterday", ""),
            ("", "", "2026-01-01T00:00"),
            ("", "2026-01-02T00:00", "2026-01-01T00:00"),
            ("", "2026-02-30T00:00", "2026-03-01T00:00"),
        ] {
            let chosen = asked(range, from, to);
            assert_eq!(chosen.range, DEFAULT, "{range} {from} {to}");
            assert!(chosen.complaint.is_some(), "{range} {from} {to}");
        }
    }

    #[test]
    fn an_open_end_is_now() {
        let between = TimeRange::Between {
            from_ms: 1_767_225_600_000,
            to_ms: NOW,
        };
        assert_eq!(asked("", "2026-01-01T00:00", "").range, between);
    }

    #[test]
    fn times_with_zone_fraction_and_neither() {
        for (text, ms) in [
            ("1970-01-01T00:00", 0),
            ("1970-01-01T00:00:01Z", 1_000),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01 00:00:00.5Z", 500),
            ("2000-02-29T23:59:59.999Z", 951_868_799_999),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "1970-01-01",
            "1970-01-01T24:00",
            "1970-1-+1T00:00",
            "1970-01-01T00:00:00X",
            "2026-13-01T00:00",
            "é-é-éT00:00",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(ms in 0i64..253_402_300_799_999) {
            prop_assert_eq!(parse_time(&format::iso(ms)), Some(ms));
        }

        #[test]
        fn no_text_breaks_it(range in ".{0,12}", from in "[0-9TZ:.+é-]{0,24}") {
            let _ = asked(&range, &from, "");
            let _ = parse_time(&range);
        }
    }
}
