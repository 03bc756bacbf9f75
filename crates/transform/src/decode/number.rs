//! Numbers from their decimal text, without a detour over binary fractions.

/// `digits * 10^exponent`, negated when `negative`. Digits beyond 30 are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub negative: bool,
    pub digits: u128,
    pub exponent: i64,
    /// Something other than zero was cut.
    pub cut: bool,
}

const KEPT: u32 = 30;

impl Decimal {
    /// Reads `-12.5e3` and the like: ASCII digits with at most one point and one exponent.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], power(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.len() + fraction.len() == 0 {
            return None;
        }
        let mut d = Self {
            negative,
            digits: 0,
            exponent: power,
            cut: false,
        };
        let mut kept = 0;
        for (part, fractional) in [(whole, false), (fraction, true)] {
            for b in part.bytes() {
                if !b.is_ascii_digit() {
                    return None;
                }
                if kept < KEPT {
                    d.digits = d.digits * 10 + u128::from(b - b'0');
                    kept += u32::from(d.digits > 0);
                    d.exponent -= i64::from(fractional);
                } else {
                    d.cut |= b != b'0';
                    d.exponent += i64::from(!fractional);
                }
            }
        }
        Some(d)
    }

    /// Digits before the point; 0 or less for what is smaller than one.
    pub fn magnitude(self) -> i64 {
        match self.digits.checked_ilog10() {
            Some(log) => i64::from(log) + 1 + self.exponent,
            None => 0,
        }
    }

    /// The whole part of `self * 10^shift` without its sign, and whether a fraction was left; `None` beyond 38 digits.
    pub fn whole(self, shift: i64) -> Option<(u128, bool)> {
        if self.digits == 0 {
            return Some((0, self.cut));
        }
        let exponent = self.exponent.checked_add(shift)?;
        if exponent >= 0 {
            let factor = 10u128.checked_pow(u32::try_from(exponent).ok()?)?;
            return self.digits.checked_mul(factor).map(|n| (n, self.cut));
        }
        match u32::try_from(-exponent).ok().and_then(|e| 10u128.checked_pow(e)) {
            Some(divisor) => Some((self.digits / divisor, self.cut || !self.digits.is_multiple_of(divisor))),
            None => Some((0, true)),
        }
    }

    /// The number itself when it has no fraction and fits.
    pub fn to_i64(self) -> Option<i64> {
        match self.whole(0)? {
            (n, false) => {
                let n = i128::try_from(n).ok()?;
                i64::try_from(if self.negative { -n } else { n }).ok()
            }
            _ => None,
        }
    }
}

/// An exponent, held within what any sum with it can bear.
fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n = digits.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000_000);
    Some(if text.starts_with('-') { -n } else { n })
}

/// A finite float from decimal text; `NaN`, `inf` and the like are no numbers here.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    // The standard library reads the same decimal texts, and words besides.
    let decimal = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    if !text.bytes().all(decimal) {
        return None;
    }
    text.parse().ok().filter(|x: &f64| x.is_finite())
}

/// An integer from decimal text: `5`, `5.0` and `5e0` alike.
pub(crate) fn parse_integer(text: &str) -> Option<i64> {
    // Nearly all are written plainly.
    text.parse().ok().or_else(|| Decimal::parse(text)?.to_i64())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_exact_to_the_last_digit() {
        for (text, n) in [
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808.0", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e3", Some(1000)),
            ("1200e-2", Some(12)),
            ("0.5", None),
            ("0e999999999999", Some(0)),
            ("1e-999999999999", None),
            ("1e999999999999", None),
            ("-0", Some(0)),
            ("1.00000000000000000000000000000000000000001", None),
            ("", None),
            (".", None),
            ("1e", None),
            ("1.2.3", None),
        ] {
            assert_eq!(parse_integer(text), n, "{text}");
        }
    }

    #[test]
    fn floats_are_finite_or_nothing() {
        for text in ["NaN", "inf", "-Infinity", "1e400", "0x10", "", "1_000"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
        assert_eq!(parse_float("1e-400"), Some(0.0));
        assert_eq!(parse_float("12.5"), Some(12.5));
    }

    proptest! {
        #[test]
        fn any_integer_reads_back(n in any::<i64>()) {
            prop_assert_eq!(parse_integer(&n.to_string()), Some(n));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9.eE]{0,60}") {
            prop_assert_eq!(parse_float(&text).is_some(), text.parse::<f64>().is_ok_and(f64::is_finite));
            let _ = parse_integer(&text);
        }
    }
}
