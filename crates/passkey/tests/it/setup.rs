//! Which servers can have passkeys, and what the browser gets.

use dash_passkey::{Passkeys, SCRIPT, SetupError};

fn setup(url: &str) -> Result<(), SetupError> {
    Passkeys::new(&url.parse().expect("a URL")).map(|_| ())
}

#[test]
fn a_server_needs_a_name_and_https() {
    for good in [
        "https://dash.example",
        "https://dash.example:8443/behind/a/proxy",
        "https://intranet",
        "http://localhost:3000",
        "http://dash.localhost",
    ] {
        assert_eq!(setup(good), Ok(()), "{good}");
    }
    for (address, host) in [
        ("https://192.0.2.1", "192.0.2.1"),
        ("http://127.0.0.1:3000", "127.0.0.1"),
        ("https://[::1]", "[::1]"),
    ] {
        let error = setup(address).expect_err(address);
        assert_eq!(error, SetupError::Address { host: host.to_owned() });
        assert!(error.to_string().contains("by a name"), "{error}");
    }
    let error = setup("http://dash.example").expect_err("in clear");
    assert!(error.to_string().contains("https"), "{error}");
    for odd in ["ftp://dash.example", "data:text/plain,dash"] {
        assert!(matches!(setup(odd), Err(SetupError::Form { .. })), "{odd}");
    }
}

#[test]
fn the_script_is_one_that_a_policy_allows() {
    assert!(SCRIPT.contains("window.DashPasskeys"));
    for inline in ["eval(", "new Function", "innerHTML", "javascript:"] {
        assert!(!SCRIPT.contains(inline), "{inline}");
    }
}
