//! Text that others wrote, made fit to stand in a letter.

use std::fmt::Write;

/// Characters of a name of a person or of an organization.
const NAME: usize = 80;

/// A single line. Nothing in it begins a header, moves the cursor or turns the direction of writing.
pub(crate) fn line(text: &str, longest: usize) -> String {
    let hidden = |c: &char| matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    let space = |c: char| if c.is_control() { ' ' } else { c };
    let plain: String = text.chars().filter(|c| !hidden(c)).map(space).collect();
    // `split_whitespace` knows the separators of lines and paragraphs too.
    let mut plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = plain.char_indices().nth(longest) {
        plain.truncate(end);
        plain.truncate(plain.trim_end().len());
        plain.push('…');
    }
    plain
}

/// What somebody calls himself or his organization, or `none` when nothing is left of it.
///
/// Mail programs make a link of whatever looks like one, and an invitation goes to anybody: it must not carry the address of
/// somebody else's site. A character that is not seen, after each dot and slash inside, keeps them from it.
pub(crate) fn name(text: &str, none: &str) -> String {
    let line = line(text, NAME);
    if line.is_empty() {
        return none.to_owned();
    }
    let mut name = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        name.push(c);
        let more = rest.peek().is_some_and(|next| !next.is_whitespace());
        if more && matches!(c, '.' | '/' | '。' | '．') {
            name.push('\u{200c}');
        }
    }
    name
}

/// The address of a page, or `base` when it is none that a browser would only open.
pub(crate) fn link<'a>(link: &'a str, base: &'a str) -> String {
    let web = |link: &str| link.starts_with("https://") || link.starts_with("http://");
    let link = if web(link) { link } else { base };
    link.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect()
}

/// `1 minute`, `15 minutes`.
pub(crate) fn count(number: u32, unit: &str) -> String {
    let mut text = format!("{number} {unit}");
    if number != 1 {
        text.push('s');
    }
    text
}

/// For the content of an element and for an attribute in quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' => {
                // To a `String` nothing fails.
                let _ = write!(escaped, "&#{};", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        for (text, expected) in [
            ("Ada", "Ada"),
            ("  Ada \t Lovelace ", "Ada Lovelace"),
            ("Ada\r\nBcc: eve@example.org", "Ada Bcc: eve@example.org"),
            ("Ada\u{85}\u{2028}\u{2029}\u{b}\0\u{1b}[2J", "Ada [2J"),
            ("\u{202e}evil\u{202c}\u{2066}", "evil"),
            ("A\u{200b}d\u{feff}a", "Ada"),
            ("علی\u{200c}رضا", "علی\u{200c}رضا"),
            ("äöü🦀", "äöü🦀"),
            ("\r\n", ""),
        ] {
            assert_eq!(line(text, 80), expected, "{text:?}");
        }
        assert_eq!(line("äöü ß", 4), "äöü…");
        assert_eq!(line("äöüß", 4), "äöüß");
    }

    #[test]
    fn a_name_is_no_link() {
        assert_eq!(name("Acme Inc.", "-"), "Acme Inc.");
        assert_eq!(name("Acme Inc. of Paris", "-"), "Acme Inc. of Paris");
        assert_eq!(
            name("win at https://evil.example", "-"),
            "win at https:/\u{200c}/\u{200c}evil.\u{200c}example"
        );
        assert_eq!(name("\r\n\u{200b}", "somebody"), "somebody");
    }

    #[test]
    fn only_pages_are_linked_to() {
        let base = "https://dash.example.org";
        assert_eq!(
            link("https://dash.example.org/a?b=c", base),
            "https://dash.example.org/a?b=c"
        );
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//evil.example",
            "",
            " https://x",
        ] {
            assert_eq!(link(bad, base), base, "{bad:?}");
        }
        assert_eq!(
            link("https://dash.example.org/a\r\nb c", base),
            "https://dash.example.org/abc"
        );
    }

    #[test]
    fn numbers_have_their_unit() {
        let counts = [0, 1, 2].map(|n| count(n, "day"));
        assert_eq!(counts, ["0 days", "1 day", "2 days"]);
    }

    #[test]
    fn nothing_escapes() {
        assert_eq!(
            escape(r#"<a href="x" b='y'>&"#),
            "&#60;a href=&#34;x&#34; b=&#39;y&#39;&#62;&#38;"
        );
    }
}
