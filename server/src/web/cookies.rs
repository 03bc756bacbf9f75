//! Cookies beside that of the session. Both are sealed: nobody makes one, and nobody reads what is in it.

use app::form::Notice;
use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dash_model::UserId;
use dash_vault::{Place, Vault};
use secrecy::ExposeSecret;

const NOTICE: &str = "dash_notice";
const KNOWN: &str = "dash_known";
/// A browser keeps no longer one.
const LONGEST: usize = 3_800;

fn place(name: &'static str) -> Place<'static> {
    Place {
        table: "cookies",
        column: name,
        row: "",
    }
}

/// The name of the session's cookie: with the prefix, a browser takes it from this host over https alone.
pub fn session_name(secure: bool) -> &'static str {
    if secure { "__Host-dash" } else { "dash" }
}

/// Takes the session's cookie back. What tower-sessions sends for that lacks what the prefix asks for.
pub fn clear_session(secure: bool) -> String {
    format!(
        "{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{}",
        session_name(secure),
        suffix(secure)
    )
}

/// What the next page says.
pub fn set_notice(vault: &Vault, notice: &Notice, secure: bool) -> String {
    let sealed = |notice: &Notice| {
        let clear = serde_json::to_vec(notice).unwrap_or_default();
        URL_SAFE_NO_PAD.encode(vault.seal(&place(NOTICE), &clear))
    };
    let mut value = sealed(notice);
    if value.len() > LONGEST {
        // What was typed was long: then it has to be typed again.
        let short = Notice {
            typed: Default::default(),
            ..notice.clone()
        };
        value = sealed(&short);
    }
    format!(
        "{NOTICE}={value}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax{}",
        suffix(secure)
    )
}

pub fn clear_notice() -> String {
    format!("{NOTICE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
}

pub fn notice(vault: &Vault, headers: &HeaderMap) -> Option<Notice> {
    serde_json::from_slice(&open(vault, headers, NOTICE)?).ok()
}

/// Says that somebody has signed in on this device.
pub fn set_known_device(vault: &Vault, user: UserId, secure: bool) -> String {
    let value = URL_SAFE_NO_PAD.encode(vault.seal(&place(KNOWN), user.0.as_bytes()));
    format!(
        "{KNOWN}={value}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{}",
        suffix(secure)
    )
}

pub fn known_device(vault: &Vault, headers: &HeaderMap) -> Option<UserId> {
    let bytes = open(vault, headers, KNOWN)?;
    Some(UserId(uuid::Uuid::from_slice(&bytes).ok()?))
}

fn suffix(secure: bool) -> &'static str {
    if secure { "; Secure" } else { "" }
}

fn open(vault: &Vault, headers: &HeaderMap, name: &'static str) -> Option<Vec<u8>> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    let mut pairs = cookies
        .flat_map(|c| c.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(n, _)| *n == name)?;
    let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
    let clear = vault.open(&place(name), &sealed).ok()?;
    Some(clear.expose_secret().to_vec())
}

#[cfg(test)]
mod tests {
    use dash_vault::Key;

    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let (pair, _) = cookie.split_once(';').expect("attributes");
        headers.insert(header::COOKIE, format!("theme=dark; {pair}").parse().expect("a value"));
        headers
    }

    #[test]
    fn a_notice_comes_back_and_nobody_makes_one() {
        let vault = Vault::new(Key::random(), Vec::new());
        let notice = Notice {
            text: "Saved.".into(),
            once: vec!["a secret".into()],
            ..Notice::default()
        };
        let cookie = set_notice(&vault, &notice, true);
        assert!(cookie.contains("HttpOnly") && cookie.contains("Secure") && cookie.contains("SameSite=Lax"));
        assert!(!cookie.contains("secret"), "{cookie}");
        assert_eq!(super::notice(&vault, &headers(&cookie)), Some(notice));
        let other = Vault::new(Key::random(), Vec::new());
        assert_eq!(super::notice(&other, &headers(&cookie)), None);
        let forged = format!("{NOTICE}={}; Path=/", URL_SAFE_NO_PAD.encode(br#"{"text":"Call us"}"#));
        assert_eq!(super::notice(&vault, &headers(&forged)), None);
    }

    #[test]
    fn what_was_typed_is_left_out_when_it_is_too_long() {
        let vault = Vault::new(Key::random(), Vec::new());
        let notice = Notice {
            text: "No.".into(),
            typed: [("name".to_owned(), "x".repeat(10_000))].into(),
            ..Notice::default()
        };
        let cookie = set_notice(&vault, &notice, false);
        assert!(cookie.len() < 4_096, "a browser keeps it");
        let read = super::notice(&vault, &headers(&cookie)).expect("a notice");
        assert_eq!((read.text.as_str(), read.typed.len()), ("No.", 0));
    }

    #[test]
    fn a_device_is_known_for_one_person_and_is_no_notice() {
        let vault = Vault::new(Key::random(), Vec::new());
        let user = UserId(uuid::Uuid::now_v7());
        let cookie = set_known_device(&vault, user, false);
        assert_eq!(known_device(&vault, &headers(&cookie)), Some(user));
        let moved = cookie.replacen(KNOWN, NOTICE, 1);
        assert_eq!(super::notice(&vault, &headers(&moved)), None);
    }
}
