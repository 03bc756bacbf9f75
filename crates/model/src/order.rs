//! In which order series and groups are shown: as a reader counts, not as bytes compare.

use std::cmp::Ordering;

use crate::mapping::Tags;

/// Groups by their tags, one after the other: names by their letters, values as [`natural`] has them. Every answer, and
/// whatever is patched or made of one, keeps to this order.
///
/// It is total, and equal means the same tags.
pub fn groups(a: &Tags, b: &Tags) -> Ordering {
    let (mut left, mut right) = (a.iter(), b.iter());
    loop {
        let ordering = match (left.next(), right.next()) {
            (Some(a), Some(b)) => a.0.cmp(b.0).then_with(|| natural(a.1, b.1)),
            (a, b) => return a.is_some().cmp(&b.is_some()),
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
}

/// Numbers first and by size, so that 10 comes behind 9 and 0.25 before 0.5; then other texts by their letters, with
/// digits that follow each other taken for one number: `core 9` before `core 10`.
///
/// It is total, and equal means the same text.
pub fn natural(a: &str, b: &str) -> Ordering {
    let by_value = match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    by_value
        .then_with(|| with_numbers(a.as_bytes(), b.as_bytes()))
        .then_with(|| a.cmp(b))
}

/// The value of a text that is a plain decimal number. `1e5`, `inf` and `nan` are names rather than numbers.
fn number(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    // 0 and -0 are one value.
    let value = text.parse::<f64>().ok().filter(|_| plain)? + 0.0;
    Some(value)
}

/// Byte by byte, runs of digits by their size; leading zeros do not count.
fn with_numbers(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (x, y) = (digits(a), digits(b));
        let ordering = if x.is_empty() || y.is_empty() {
            match (a.first(), b.first()) {
                (Some(x), Some(y)) => x.cmp(y),
                (x, y) => return x.is_some().cmp(&y.is_some()),
            }
        } else {
            let (x, y) = (significant(x), significant(y));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        };
        if ordering.is_ne() {
            return ordering;
        }
        (a, b) = (&a[x.len().max(1)..], &b[y.len().max(1)..]);
    }
}

/// The digits that `text` begins with.
fn digits(text: &[u8]) -> &[u8] {
    let len = text.iter().take_while(|b| b.is_ascii_digit()).count();
    &text[..len]
}

fn significant(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|b| **b == b'0').count();
    &digits[zeros..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorted<'a>(texts: &[&'a str]) -> Vec<&'a str> {
        let mut texts = texts.to_vec();
        texts.sort_by(|a, b| natural(a, b));
        texts
    }

    #[test]
    fn numbers_go_by_size() {
        assert_eq!(sorted(&["10", "1", "2", "0", "11"]), ["0", "1", "2", "10", "11"]);
        assert_eq!(
            sorted(&["0.5", "-1", "0.25", "-10", "+3"]),
            ["-10", "-1", "0.25", "0.5", "+3"]
        );
        // Beyond what a double tells apart.
        assert_eq!(
            sorted(&["90071992547409930", "90071992547409929"]),
            ["90071992547409929", "90071992547409930"]
        );
    }

    #[test]
    fn numbers_inside_of_text_go_by_size() {
        assert_eq!(sorted(&["core 10", "core 9", "core"]), ["core", "core 9", "core 10"]);
        assert_eq!(sorted(&["10.0.0.10", "10.0.0.9"]), ["10.0.0.9", "10.0.0.10"]);
        assert_eq!(sorted(&["v2.10-b", "v2.9-c"]), ["v2.9-c", "v2.10-b"]);
        // Longer than any integer.
        assert_eq!(
            sorted(&["a99999999999999999999999", "a100000000000000000000000"]),
            ["a99999999999999999999999", "a100000000000000000000000"]
        );
    }

    #[test]
    fn text_goes_by_its_letters_behind_numbers() {
        assert_eq!(
            sorted(&["b", "a", "7", "", "é", "inf", "1e5"]),
            ["7", "", "1e5", "a", "b", "inf", "é"]
        );
    }

    #[test]
    fn what_looks_alike_still_has_an_order() {
        assert_eq!(sorted(&["07", "7", "007"]), ["007", "07", "7"]);
        assert_eq!(sorted(&["a7b", "a07b", "a07a"]), ["a07a", "a07b", "a7b"]);
        assert_eq!(sorted(&["0", "-0"]), ["-0", "0"]);
    }

    #[test]
    fn groups_go_by_one_tag_after_the_other() {
        let tags = |pairs: &[(&str, &str)]| -> Tags { pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect() };
        let mut all = [
            tags(&[("core", "10"), ("host", "a")]),
            tags(&[("core", "9"), ("host", "b10")]),
            tags(&[("core", "9"), ("host", "b9")]),
            tags(&[("core", "9")]),
            tags(&[]),
        ];
        all.sort_by(groups);
        let hosts: Vec<_> = all
            .iter()
            .map(|t| t.values().cloned().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(hosts, ["", "9", "9 b9", "9 b10", "10 a"]);
    }

    fn any_text() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[0-2.a+ -]{0,5}").expect("an expression")
    }

    proptest! {
        // What `sort_by` demands.
        #[test]
        fn it_is_a_total_order(a in any_text(), b in any_text(), c in any_text()) {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b).is_eq(), a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le(), "{:?} {:?} {:?}", a, b, c);
            }
        }
    }
}
