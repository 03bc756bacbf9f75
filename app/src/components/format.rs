//! Numbers, sizes and times as people read them. Pure: the same on the server and in the browser.

use std::fmt;

use crate::model::{
    mapping::Tags,
    query::TimeRange,
    stats::{MappedPoint, PipelineStats},
};

/// A number and its unit, apart, so that a page can set them in different sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    pub number: String,
    pub unit: String,
}

impl Figure {
    pub fn new(number: impl Into<String>, unit: impl Into<String>) -> Self {
        Self {
            number: number.into(),
            unit: unit.into(),
        }
    }

    /// What stands where there is no value.
    pub fn none() -> Self {
        Self::new("–", "")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit.as_str() {
            "" => f.write_str(&self.number),
            "%" => write!(f, "{}%", self.number),
            unit => write!(f, "{} {unit}", self.number),
        }
    }
}

/// `1234567` as `1,234,567`.
pub fn count(n: u64) -> String {
    group(&n.to_string())
}

/// Thousands apart, exactly so many decimals. What is no number is a dash.
pub fn number(value: f64, decimals: u8) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let text = format!("{:.*}", usize::from(decimals), value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    // What rounds to zero has no sign.
    let sign = if value < 0.0 && text.bytes().any(|b| matches!(b, b'1'..=b'9')) {
        "-"
    } else {
        ""
    };
    let whole = group(whole);
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// A value in its unit. Bytes become KiB, MiB ..., seconds the largest unit that fits; other units stay. Without `decimals` as
/// many as the size of the value asks for.
pub fn value(value: f64, unit: Option<&str>, decimals: Option<u8>) -> Figure {
    if !value.is_finite() {
        return Figure::none();
    }
    let unit = unit.unwrap_or_default();
    match unit {
        "B" | "byte" | "bytes" => bytes_with(value, "", decimals),
        "B/s" | "bytes/s" => bytes_with(value, "/s", decimals),
        "s" | "seconds" => duration_with(value * 1_000.0, decimals),
        "ms" | "milliseconds" => duration_with(value, decimals),
        "percent" => Figure::new(number(value, decimals.unwrap_or_else(|| decimals_of(value))), "%"),
        other => Figure::new(number(value, decimals.unwrap_or_else(|| decimals_of(value))), other),
    }
}

/// Bytes in the largest binary unit that fits.
pub fn bytes(n: u64) -> Figure {
    bytes_with(n as f64, "", None)
}

/// Milliseconds in the largest unit that fits: ms, s, min, h, d.
pub fn duration_ms(ms: u64) -> Figure {
    duration_with(ms as f64, None)
}

/// Events a second: small rates keep a decimal, so that 0.4 is not 0.
pub fn rate(per_second: f64) -> Figure {
    let decimals = u8::from(per_second > 0.0 && per_second < 10.0);
    Figure::new(number(per_second, decimals), "/s")
}

/// How many times smaller `stored` is than `raw`; nothing while nothing is stored.
pub fn ratio(raw: u64, stored: u64) -> Option<String> {
    (stored > 0 && raw > 0).then(|| format!("{}×", number(raw as f64 / stored as f64, 1)))
}

/// `2026-11-23 15:25:47 UTC`.
pub fn utc(ms: i64) -> String {
    let c = Civil::of(ms);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// `2026-11-23T15:25:47.123Z`, for machines.
pub fn iso(ms: i64) -> String {
    let c = Civil::of(ms);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        c.year, c.month, c.day, c.hour, c.minute, c.second, c.milli
    )
}

/// How long ago, in one unit. A clock that is a little ahead does not see the future.
pub fn ago(ms: i64) -> String {
    if ms < -5_000 {
        return format!("in {}", in_words(-ms));
    }
    if ms < 1_500 {
        return "just now".into();
    }
    format!("{} ago", in_words(ms))
}

/// "last 15 minutes", in UTC where it names times.
pub fn range(range: TimeRange) -> String {
    match range {
        TimeRange::Last { seconds } => {
            let (n, unit) = match seconds {
                s if s % 86_400 == 0 => (s / 86_400, "day"),
                s if s % 3_600 == 0 => (s / 3_600, "hour"),
                s if s % 60 == 0 => (s / 60, "minute"),
                s => (s, "second"),
            };
            match n {
                1 => format!("last {unit}"),
                n => format!("last {n} {unit}s"),
            }
        }
        TimeRange::Between { from_ms, to_ms } => format!("{} to {}", utc(from_ms), utc(to_ms)),
        TimeRange::All => "all time".into(),
    }
}

/// `metric{tag=value}`, the name of a series in one line.
pub fn series(metric: &str, tags: &Tags) -> String {
    if tags.is_empty() {
        return metric.to_owned();
    }
    let tags: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{metric}{{{}}}", tags.join(", "))
}

/// The value of a mapped point, with no more digits than it has.
pub fn exact(point: &MappedPoint) -> String {
    format!("{}", point.value)
}

/// Raw JSON on several lines. Numbers stay as they were written; what is no JSON (a record that was cut, a CSV line) stays as it is.
pub fn pretty_json(raw: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(raw).is_err() {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(raw.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    let mut chars = raw.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_text {
            out.push(c);
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                in_text = true;
                out.push(c);
            }
            '{' | '[' => {
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                out.push(c);
                match chars.next_if(|c| matches!(c, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// The parts that received events are now in, and what they lack to the whole (negative: they exceed it).
pub fn sum(stats: &PipelineStats) -> ([(&'static str, u64); 5], i64) {
    let parts = [
        ("mapped", stats.mapped),
        ("filtered", stats.filtered),
        ("quarantined", stats.quarantined),
        ("rejected", stats.rejected),
        ("pending", stats.pending),
    ];
    let total: u64 = parts.iter().map(|part| part.1).sum();
    (parts, stats.received as i64 - total as i64)
}

fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// About three significant digits, none behind whole numbers.
fn decimals_of(value: f64) -> u8 {
    let size = value.abs();
    if size == size.trunc() || size >= 100.0 {
        0
    } else if size >= 10.0 {
        1
    } else if size >= 0.1 {
        2
    } else {
        4
    }
}

fn bytes_with(value: f64, per: &str, decimals: Option<u8>) -> Figure {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut scaled, mut unit) = (value, 0);
    // 1,023.96 would be shown as 1,024.0: it is the next unit already.
    while scaled.abs() >= 1_023.95 && unit + 1 < UNITS.len() {
        scaled /= 1_024.0;
        unit += 1;
    }
    let decimals = decimals.unwrap_or(u8::from(unit > 0 && scaled.abs() < 100.0));
    Figure::new(number(scaled, decimals), format!("{}{per}", UNITS[unit]))
}

fn duration_with(ms: f64, decimals: Option<u8>) -> Figure {
    const UNITS: [(f64, &str); 5] = [
        (86_400_000.0, "d"),
        (3_600_000.0, "h"),
        (60_000.0, "min"),
        (1_000.0, "s"),
        (1.0, "ms"),
    ];
    let (size, unit) = UNITS
        .into_iter()
        .find(|(size, _)| ms.abs() >= *size)
        .unwrap_or((1.0, "ms"));
    let scaled = ms / size;
    Figure::new(
        number(scaled, decimals.unwrap_or_else(|| decimals_of(scaled).min(1))),
        unit,
    )
}

fn in_words(ms: i64) -> String {
    let s = ms / 1_000;
    match s {
        ..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", count((s / 86_400).unsigned_abs())),
    }
}

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    milli: i64,
}

impl Civil {
    /// The calendar in UTC; Howard Hinnant's `civil_from_days`.
    fn of(ms: i64) -> Self {
        let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1_000 % 60,
            milli: rest % 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(n), text);
        }
        assert_eq!(number(-1_234.567, 2), "-1,234.57");
        assert_eq!(number(999_999.9, 0), "1,000,000");
    }

    #[test]
    fn what_rounds_to_zero_has_no_sign() {
        assert_eq!(number(-0.0004, 2), "0.00");
        assert_eq!(number(-0.0, 0), "0");
    }

    #[test]
    fn what_is_no_number_is_a_dash() {
        assert_eq!(number(f64::NAN, 1), "–");
        assert_eq!(value(f64::INFINITY, Some("B"), None), Figure::none());
    }

    #[test]
    fn values_are_shown_in_their_unit() {
        for (v, unit, decimals, text) in [
            (512.0, Some("B"), None, "512 B"),
            (1_024.0, Some("bytes"), None, "1.0 KiB"),
            (1_048_575.0, Some("B"), None, "1.0 MiB"),
            (-2_048.0, Some("B/s"), None, "-2.0 KiB/s"),
            (3.5 * 1_073_741_824.0, Some("B"), Some(2), "3.50 GiB"),
            (12.345, Some("%"), None, "12.3%"),
            (12.345, Some("percent"), Some(0), "12%"),
            (0.25, Some("s"), None, "250 ms"),
            (90.0, Some("s"), None, "1.5 min"),
            (172_800_000.0, Some("ms"), None, "2 d"),
            (0.0, Some("ms"), None, "0 ms"),
            (4.0, None, None, "4"),
            (4.256, Some("km"), None, "4.26 km"),
            (0.0123, None, None, "0.0123"),
            (1_234.5, None, None, "1,234"),
        ] {
            assert_eq!(value(v, unit, decimals).to_string(), text, "{v} {unit:?}");
        }
    }

    #[test]
    fn small_rates_are_not_zero() {
        assert_eq!(rate(0.4).to_string(), "0.4 /s");
        assert_eq!(rate(0.0).number, "0");
        assert_eq!(rate(12_345.6).number, "12,346");
    }

    #[test]
    fn a_ratio_needs_something_stored() {
        assert_eq!(ratio(100, 0), None);
        assert_eq!(ratio(1_000, 250), Some("4.0×".into()));
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(951_826_152_123), "2000-02-29T12:09:12.123Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(utc(4_107_542_399_000), "2100-02-28 23:59:59 UTC");
        assert_eq!(utc(4_107_542_400_000), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn ages_are_in_one_unit() {
        for (ms, text) in [
            (-2_000, "just now"),
            (0, "just now"),
            (1_500, "1 s ago"),
            (59_999, "59 s ago"),
            (60_000, "1 min ago"),
            (7_200_000, "2 h ago"),
            (172_800_000, "2 days ago"),
            (-60_000, "in 1 min"),
        ] {
            assert_eq!(ago(ms), text);
        }
    }

    #[test]
    fn ranges_are_in_words() {
        for (seconds, text) in [
            (300, "last 5 minutes"),
            (3_600, "last hour"),
            (604_800, "last 7 days"),
            (90, "last 90 seconds"),
        ] {
            assert_eq!(range(TimeRange::Last { seconds }), text);
        }
    }

    #[test]
    fn a_series_is_named_with_its_tags() {
        assert_eq!(series("cpu", &Tags::new()), "cpu");
        let tags = Tags::from([("core".into(), "0".into()), ("host".into(), "a".into())]);
        assert_eq!(series("cpu", &tags), "cpu{core=0, host=a}");
    }

    #[test]
    fn pretty_json_keeps_every_character_of_the_values() {
        let raw = r#"{"a":1.10e5,"b" : [1,{ }],"c":"x, \"y\": {","d":[ ],"e":12345678901234567890}"#;
        let pretty = "{\n  \"a\": 1.10e5,\n  \"b\": [\n    1,\n    {}\n  ],\n  \"c\": \"x, \\\"y\\\": {\",\n  \"d\": [],\n  \"e\": 12345678901234567890\n}";
        assert_eq!(pretty_json(raw), pretty);
        assert_eq!(pretty_json(pretty), pretty);
    }

    #[test]
    fn what_is_no_json_stays_as_it_came() {
        assert_eq!(pretty_json("{\"a\":"), "{\"a\":");
        assert_eq!(pretty_json("a,b,c"), "a,b,c");
    }

    #[test]
    fn the_sum_says_what_it_lacks() {
        let stats = PipelineStats {
            received: 10,
            mapped: 6,
            filtered: 1,
            quarantined: 1,
            rejected: 1,
            pending: 1,
            ..PipelineStats::default()
        };
        assert_eq!(sum(&stats).1, 0);
        assert_eq!(sum(&PipelineStats { received: 12, ..stats }).1, 2);
    }
}
