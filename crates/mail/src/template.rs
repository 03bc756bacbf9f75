//! What Dash writes, and when.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    Message,
    page::Page,
    words::{count, line, name},
};

/// Characters of what a browser calls itself, and of an address of the internet.
const AGENT: usize = 120;

/// One for each occasion. Links are whole URLs; names, agents and addresses are as somebody gave them, and made harmless here.
#[derive(Clone, PartialEq, Eq)]
pub enum Letter {
    MagicLink {
        link: String,
        minutes: u32,
    },
    ConfirmEmail {
        link: String,
        name: String,
    },
    ResetPassword {
        link: String,
        minutes: u32,
    },
    Invitation {
        link: String,
        organization: String,
        by: String,
        role: String,
        days: u32,
    },
    PasswordChanged {
        when: DateTime<Utc>,
        /// From where it was changed.
        address: String,
    },
    /// To somebody who has an account and signs up once more: only the letter tells, the page does not.
    SignedUpAgain {
        sign_in: String,
        reset: String,
    },
    NewDevice {
        when: DateTime<Utc>,
        agent: String,
        address: String,
    },
    /// Something signs in from now on that did not before.
    NewWayIn {
        /// Such as "a passkey, Laptop".
        what: String,
        when: DateTime<Utc>,
        address: String,
    },
}

impl Letter {
    /// `base_url` is where this Dash is; it ends every letter.
    pub fn write(&self, to: &str, base_url: &str) -> Message {
        self.page(base_url).write(to, base_url)
    }

    fn page<'a>(&'a self, base_url: &'a str) -> Page<'a> {
        match self {
            Self::MagicLink { link, minutes } => Page {
                subject: "Sign in to Dash".to_owned(),
                name: String::new(),
                before: vec![format!("This link signs you in. It works once, and for {}.", count(*minutes, "minute"))],
                actions: vec![("Sign in", link)],
                after: vec!["You did not ask for it? Then there is nothing to do: nobody gets in without this letter.".to_owned()],
            },
            Self::ConfirmEmail { link, name: who } => Page {
                subject: "Confirm your email address".to_owned(),
                name: name(who, ""),
                before: vec!["Welcome to Dash. Please confirm that this address is yours.".to_owned()],
                actions: vec![("Confirm the address", link)],
                after: vec!["You did not sign up? Then there is nothing to do: without you the address is not used.".to_owned()],
            },
            Self::ResetPassword { link, minutes } => Page {
                subject: "Set a new password".to_owned(),
                name: String::new(),
                before: vec![format!(
                    "Somebody, probably you, wants to set a new password for your account. The link works once, and for {}.",
                    count(*minutes, "minute")
                )],
                actions: vec![("Set a new password", link)],
                after: vec!["It was not you? Then there is nothing to do: your password stays as it is.".to_owned()],
            },
            Self::Invitation {
                link,
                organization,
                by,
                role,
                days,
            } => {
                let (by, organization) = (name(by, "Somebody"), name(organization, "an organization"));
                Page {
                    subject: format!("{by} invites you to {organization} on Dash"),
                    name: String::new(),
                    before: vec![
                        format!("{by} invites you to join {organization} on Dash. Your role there: {}.", name(role, "member")),
                        format!("The invitation is for you alone, and for {}.", count(*days, "day")),
                    ],
                    actions: vec![("Look at the invitation", link)],
                    after: vec!["You do not know who that is? Then there is nothing to do: nobody joins without you.".to_owned()],
                }
            }
            Self::PasswordChanged { when, address } => Page {
                subject: "Your password was changed".to_owned(),
                name: String::new(),
                before: vec![format!(
                    "The password of your account was changed on {}, from {}.",
                    moment(when),
                    place(address)
                )],
                actions: vec![("Open Dash", base_url)],
                after: vec![
                    "It was you? Then there is nothing to do.".to_owned(),
                    "It was not? Then set a new password right away, with \"Forgot your password?\" where you sign in.".to_owned(),
                ],
            },
            Self::SignedUpAgain { sign_in, reset } => Page {
                subject: "You have an account already".to_owned(),
                name: String::new(),
                before: vec![
                    "Somebody, probably you, signed up to Dash with this address. There is an account with it already, so nothing was changed.".to_owned(),
                ],
                actions: vec![("Sign in", sign_in), ("Set a new password", reset)],
                after: vec!["It was not you? Then there is nothing to do: whoever it was did not learn that you are here.".to_owned()],
            },
            Self::NewDevice { when, agent, address } => Page {
                subject: "New sign-in to your account".to_owned(),
                name: String::new(),
                before: vec![
                    "Somebody signed in to your account with a device that was not seen there before:".to_owned(),
                    format!("{}, from {}, with {}.", moment(when), place(address), device(agent)),
                ],
                actions: vec![("Open Dash", base_url)],
                after: vec![
                    "It was you? Then there is nothing to do.".to_owned(),
                    "It was not? Then sign that device out in your settings, and set a new password.".to_owned(),
                ],
            },
            Self::NewWayIn { what, when, address } => Page {
                subject: "New way in to your account".to_owned(),
                name: String::new(),
                before: vec![
                    "From now on this signs in to your account, too:".to_owned(),
                    format!("{}; added on {}, from {}.", line(what, AGENT), moment(when), place(address)),
                ],
                actions: vec![("Open Dash", base_url)],
                after: vec![
                    "It was you? Then there is nothing to do.".to_owned(),
                    "It was not? Then remove it on your account's page, and set a new password.".to_owned(),
                ],
            },
        }
    }
}

/// Which letter it is; its links are secrets.
impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MagicLink { .. } => "MagicLink",
            Self::ConfirmEmail { .. } => "ConfirmEmail",
            Self::ResetPassword { .. } => "ResetPassword",
            Self::Invitation { .. } => "Invitation",
            Self::PasswordChanged { .. } => "PasswordChanged",
            Self::SignedUpAgain { .. } => "SignedUpAgain",
            Self::NewDevice { .. } => "NewDevice",
            Self::NewWayIn { .. } => "NewWayIn",
        })
    }
}

fn moment(when: &DateTime<Utc>) -> String {
    when.format("%-d %B %Y at %H:%M UTC").to_string()
}

fn place(address: &str) -> String {
    match line(address, AGENT) {
        unknown if unknown.is_empty() => "an unknown address".to_owned(),
        address => address,
    }
}

fn device(agent: &str) -> String {
    name(&line(agent, AGENT), "an unknown device")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://dash.example.org";
    const LINK: &str = "https://dash.example.org/a?token=secret&x=1";

    fn all(given: &str) -> Vec<Letter> {
        let when = DateTime::UNIX_EPOCH;
        let (link, given) = (|| LINK.to_owned(), || given.to_owned());
        vec![
            Letter::MagicLink {
                link: link(),
                minutes: 15,
            },
            Letter::ConfirmEmail {
                link: link(),
                name: given(),
            },
            Letter::ResetPassword {
                link: link(),
                minutes: 60,
            },
            Letter::Invitation {
                link: link(),
                organization: given(),
                by: given(),
                role: given(),
                days: 7,
            },
            Letter::PasswordChanged { when, address: given() },
            Letter::SignedUpAgain {
                sign_in: link(),
                reset: link(),
            },
            Letter::NewDevice {
                when,
                agent: given(),
                address: given(),
            },
            Letter::NewWayIn {
                what: given(),
                when,
                address: given(),
            },
        ]
    }

    #[test]
    fn a_letter_as_text() {
        let letter = Letter::Invitation {
            link: LINK.to_owned(),
            organization: "Analytical Engines".to_owned(),
            by: "Ada Lovelace".to_owned(),
            role: "editor".to_owned(),
            days: 7,
        };
        let message = letter.write("charles@example.org", BASE);
        assert_eq!(message.to, "charles@example.org");
        assert_eq!(
            message.subject,
            "Ada Lovelace invites you to Analytical Engines on Dash"
        );
        let expected = "Hello,

Ada Lovelace invites you to join Analytical Engines on Dash. Your role there: editor.

The invitation is for you alone, and for 7 days.

Look at the invitation:
https://dash.example.org/a?token=secret&x=1

You do not know who that is? Then there is nothing to do: nobody joins without you.

-- \nDash, https://dash.example.org
";
        assert_eq!(message.text, expected);
    }

    #[test]
    fn a_letter_as_html() {
        let letter = Letter::ConfirmEmail {
            link: LINK.to_owned(),
            name: "Ada".to_owned(),
        };
        let html = letter.write("ada@example.org", BASE).html;
        let link = "https://dash.example.org/a?token=secret&#38;x=1";
        assert!(html.starts_with("<!doctype html>"), "{html}");
        assert!(html.contains(">Hello Ada,</p>"), "{html}");
        assert!(html.contains("prefers-color-scheme: dark"), "{html}");
        // As a button and in clear.
        assert_eq!(html.matches(&format!("href=\"{link}\"")).count(), 2, "{html}");
        assert!(html.contains(">Confirm the address</a>"), "{html}");
        assert!(html.contains(&format!(">{link}</a>")), "{html}");
        assert_eq!(html.matches("<p ").count(), html.matches("</p>").count());
    }

    #[test]
    fn occasions_with_a_time_say_it_as_people_do() {
        let letter = Letter::PasswordChanged {
            when: DateTime::UNIX_EPOCH,
            address: "2001:db8::7".to_owned(),
        };
        let text = letter.write("ada@example.org", BASE).text;
        assert!(
            text.contains("was changed on 1 January 1970 at 00:00 UTC, from 2001:db8::7."),
            "{text}"
        );
        let letter = Letter::NewDevice {
            when: DateTime::UNIX_EPOCH,
            agent: "Firefox on Linux".to_owned(),
            address: String::new(),
        };
        let text = letter.write("ada@example.org", BASE).text;
        assert!(
            text.contains("1 January 1970 at 00:00 UTC, from an unknown address, with Firefox on Linux."),
            "{text}"
        );
    }

    #[test]
    fn every_letter_is_whole_in_both_forms() {
        for letter in all("Ada") {
            let message = letter.write("ada@example.org", BASE);
            assert!(!message.subject.is_empty() && message.subject.len() < 80, "{letter:?}");
            for form in [&message.text, &message.html] {
                assert!(
                    form.contains("Hello") && form.contains("Dash") && form.contains(BASE),
                    "{form}"
                );
            }
            for tracking in ["<img", "<script", "url(", "src=", "<link", "@import"] {
                assert!(!message.html.contains(tracking), "{letter:?}: {tracking}");
            }
            assert!(message.text.lines().all(|l| l.len() < 200), "{}", message.text);
        }
    }

    #[test]
    fn what_somebody_is_called_changes_nothing_else() {
        let evil = "Eve\r\nBcc: eve@evil.example\r\n\r\n<script>alert('x')</script>\" onload=\"x\u{202e}";
        let clean = all("Eve");
        for (letter, clean) in all(evil).into_iter().zip(clean) {
            let (message, clean) = (
                letter.write("ada@example.org", BASE),
                clean.write("ada@example.org", BASE),
            );
            assert!(!message.subject.contains(char::is_control), "{:?}", message.subject);
            assert_eq!(
                message.text.lines().count(),
                clean.text.lines().count(),
                "{}",
                message.text
            );
            assert!(!message.text.lines().any(|l| l.starts_with("Bcc")), "{}", message.text);
            assert!(!message.text.contains('\u{202e}'));
            assert_eq!(
                message.html.lines().count(),
                clean.html.lines().count(),
                "{}",
                message.html
            );
            assert!(
                !message.html.contains("<script") && !message.html.contains("onload=\""),
                "{}",
                message.html
            );
            for mark in ['<', '>', '"'] {
                assert_eq!(
                    message.html.matches(mark).count(),
                    clean.html.matches(mark).count(),
                    "{letter:?}: {mark}"
                );
            }
        }
    }

    #[test]
    fn links_are_not_printed() {
        for letter in all("Ada") {
            let message = letter.write("ada@example.org", BASE);
            assert!(!format!("{letter:?} {message:?}").contains("secret"));
            let kept = serde_json::to_string(&message).expect("JSON");
            assert_eq!(serde_json::from_str::<Message>(&kept).expect("the same"), message);
        }
    }

    #[test]
    fn each_message_has_an_id_of_its_own_and_keeps_it() {
        let letter = all("Ada").remove(0);
        let [one, other] = [(); 2].map(|()| letter.write("ada@example.org", BASE));
        assert_ne!(one.id, other.id);
        // As it was written by those who knew of none.
        let mut kept = serde_json::to_value(&one).expect("JSON");
        kept.as_object_mut().expect("an object").remove("id");
        let read: Message = serde_json::from_value(kept).expect("a message");
        assert!(!read.id.is_nil() && read.id != one.id);
    }
}
