//! A letter on paper: the same paragraphs and links as text and as HTML.
//!
//! HTML escapes every word that it is given, so that no letter has to think of it. Styles are inline, where all mail programs
//! read them; those for dark rooms cannot be, and who does not read them shows the light ones.

use uuid::Uuid;

use crate::{
    Message,
    words::{escape, link},
};

const PAGE: &str = "margin:0;padding:24px 12px;background:#f4f5f7;";
const CARD: &str = "max-width:520px;margin:0 auto;padding:32px;border-radius:12px;background:#ffffff;color:#1a1f2b;font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5;";
const PARAGRAPH: &str = "margin:0 0 16px;";
const BUTTON: &str = "display:inline-block;padding:12px 20px;border-radius:8px;background:#2563eb;color:#ffffff;text-decoration:none;font-weight:600;";
const QUIET: &str = "margin:0 0 16px;font-size:13px;color:#5b6472;";
const LINK: &str = "color:#2563eb;word-break:break-all;";
const DARK: &str = "@media (prefers-color-scheme: dark) {
.page { background: #0b0f17 !important; }
.card { background: #151b26 !important; color: #e6e9ef !important; }
.quiet { color: #9aa4b5 !important; }
.link { color: #8ab4ff !important; }
}";

/// What a letter says, in plain text.
pub(crate) struct Page<'a> {
    pub subject: String,
    /// Who is greeted; nobody in particular when it is empty.
    pub name: String,
    pub before: Vec<String>,
    /// What can be done, and where.
    pub actions: Vec<(&'static str, &'a str)>,
    pub after: Vec<String>,
}

impl Page<'_> {
    pub(crate) fn write(self, to: &str, base_url: &str) -> Message {
        Message {
            id: Uuid::new_v4(),
            to: to.to_owned(),
            text: self.text(base_url),
            html: self.html(base_url),
            subject: self.subject,
        }
    }

    fn greeting(&self) -> String {
        match self.name.as_str() {
            "" => "Hello,".to_owned(),
            name => format!("Hello {name},"),
        }
    }

    fn text(&self, base_url: &str) -> String {
        let mut paragraphs = vec![self.greeting()];
        paragraphs.extend(self.before.iter().cloned());
        let action = |(label, to): &(&str, &str)| format!("{label}:\n{}", link(to, base_url));
        paragraphs.extend(self.actions.iter().map(action));
        paragraphs.extend(self.after.iter().cloned());
        // What comes after two dashes and a space is a signature.
        paragraphs.push(format!("-- \nDash, {}\n", link(base_url, "")));
        paragraphs.join("\n\n")
    }

    fn html(&self, base_url: &str) -> String {
        let paragraph = |text: &String| format!("<p style=\"{PARAGRAPH}\">{}</p>\n", escape(text));
        let action = |(label, to): &(&str, &str)| {
            let (label, to) = (escape(label), escape(&link(to, base_url)));
            format!(
                "<p style=\"margin:24px 0 12px;\"><a href=\"{to}\" style=\"{BUTTON}\">{label}</a></p>\n\
                 <p class=\"quiet\" style=\"{QUIET}\">Or open this address: <a class=\"link\" href=\"{to}\" style=\"{LINK}\">{to}</a></p>\n"
            )
        };
        let mut content = paragraph(&self.greeting());
        content.extend(self.before.iter().map(paragraph));
        content.extend(self.actions.iter().map(action));
        content.extend(self.after.iter().map(paragraph));
        let (subject, base) = (escape(&self.subject), escape(&link(base_url, "")));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"supported-color-schemes\" content=\"light dark\">\n\
             <title>{subject}</title>\n<style>\n{DARK}\n</style>\n</head>\n\
             <body class=\"page\" style=\"{PAGE}\">\n<div class=\"card\" style=\"{CARD}\">\n{content}\
             <p class=\"quiet\" style=\"{QUIET}margin-bottom:0;\">Dash, <a class=\"link\" href=\"{base}\" style=\"{LINK}\">{base}</a></p>\n\
             </div>\n</body>\n</html>\n"
        )
    }
}
