//! LIKE without regular expressions: linear in the text for each `%`.

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    One(char),
    AnyOne,
    AnyMany,
}

/// A LIKE pattern: `%` stands for any text, `_` for one character, the escape character takes both their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    fold: bool,
}

impl Pattern {
    /// `fold` ignores case. `None` when the pattern ends in its escape character.
    pub fn new(pattern: &str, escape: Option<char>, fold: bool) -> Option<Self> {
        let mut parts = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let literal = if Some(c) == escape { Some(chars.next()?) } else { None };
            match (literal, c) {
                (Some(c), _) => push(&mut parts, c, fold),
                (None, '%') => parts.push(Part::AnyMany),
                (None, '_') => parts.push(Part::AnyOne),
                (None, c) => push(&mut parts, c, fold),
            }
        }
        parts.dedup_by(|a, b| *a == Part::AnyMany && *b == Part::AnyMany);
        Some(Self { parts, fold })
    }

    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = if self.fold {
            text.chars().flat_map(char::to_lowercase).collect()
        } else {
            text.chars().collect()
        };
        let (mut t, mut p) = (0, 0);
        // Where to go on when what follows the last `%` does not match here.
        let mut retry: Option<(usize, usize)> = None;
        while t < text.len() {
            match self.parts.get(p) {
                Some(Part::AnyMany) => {
                    p += 1;
                    retry = Some((p, t));
                }
                Some(Part::AnyOne) => {
                    p += 1;
                    t += 1;
                }
                Some(Part::One(c)) if *c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => match retry {
                    Some((after, from)) => {
                        p = after;
                        t = from + 1;
                        retry = Some((after, t));
                    }
                    None => return false,
                },
            }
        }
        self.parts[p..].iter().all(|part| *part == Part::AnyMany)
    }
}

fn push(parts: &mut Vec<Part>, c: char, fold: bool) {
    if fold {
        parts.extend(c.to_lowercase().map(Part::One));
    } else {
        parts.push(Part::One(c));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(text: &str, pattern: &str) -> bool {
        Pattern::new(pattern, Some('\\'), false).expect(pattern).matches(text)
    }

    #[test]
    fn behaves_like_postgresql() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "_b_", true),
            ("abc", "c", false),
            ("abc", "", false),
            ("", "", true),
            ("", "%", true),
            ("", "_", false),
            ("10%", "10\\%", true),
            ("100", "10\\%", false),
            ("a.c", "a.c", true),
            ("abc", "a.c", false),
            ("aXbXc", "a%b%c", true),
            ("äöü", "_ö_", true),
            ("ABC", "abc", false),
        ] {
            assert_eq!(like(text, pattern), expected, "{text} LIKE {pattern}");
        }
        assert_eq!(Pattern::new("abc\\", Some('\\'), false), None);
        assert!(Pattern::new("äB%", None, true).expect("pattern").matches("ÄbC"));
    }

    /// The definition itself, exponential.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern.first() {
            None => text.is_empty(),
            Some('%') => (0..=text.len()).any(|i| naive(&text[i..], &pattern[1..])),
            Some('_') => !text.is_empty() && naive(&text[1..], &pattern[1..]),
            Some(c) => text.first() == Some(c) && naive(&text[1..], &pattern[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(text in "[ab]{0,8}", pattern in "[ab%_]{0,6}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            prop_assert_eq!(like(&text, &pattern), naive(&chars(&text), &chars(&pattern)));
        }
    }
}
