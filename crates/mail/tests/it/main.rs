//! A mailer and a server that says what it is told to say.

mod conversation;
mod server;
mod tls;

use dash_mail::{Letter, Mailer, Message};

const FROM: &str = "Dash <dash@example.org>";

fn message() -> Message {
    let letter = Letter::Invitation {
        link: "https://dash.example.org/i/token".to_owned(),
        organization: "Bücher\r\nBcc: eve@example.org".to_owned(),
        by: "Ada".to_owned(),
        role: "editor".to_owned(),
        days: 7,
    };
    letter.write("charles@example.org", "https://dash.example.org")
}

fn mailer(url: &str) -> Mailer {
    Mailer::smtp(&url.into(), FROM, None).expect("a mailer")
}
