//! Against a mail server that others wrote: [aiosmtpd](https://aiosmtpd.aio-libs.org). Needs a Python that has what `aiosmtpd.txt` names; `TEST_AIOSMTPD_PYTHON`
//! says which. Without one it is skipped, or fails where `TEST_PEERS_REQUIRED` is 1.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use dash_mail::{Letter, Mailer};
use tokio::net::{TcpListener, TcpStream};

/// What the standard library of Python reads in the letter.
const READ: &str = "
import email, email.policy, glob, json, sys
[path] = glob.glob(sys.argv[1] + '/new/*')
with open(path, 'rb') as file:
    letter = email.message_from_binary_file(file, policy=email.policy.default)
print(json.dumps({
    'headers': {name.lower(): str(value) for name, value in letter.items()},
    'parts': [part.get_content_type() for part in letter.iter_parts()],
    'text': letter.get_body(('plain',)).get_content(),
    'html': letter.get_body(('html',)).get_content(),
}))
";

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn start(python: &str, letters: &Path) -> (Running, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let mut command = Command::new(python);
    command.args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}")]);
    command.args(["-c", "aiosmtpd.handlers.Mailbox"]).arg(letters);
    let running = Running(command.stdout(Stdio::null()).spawn().expect("a Python"));
    for _ in 0..200 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return (running, port);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("aiosmtpd does not listen");
}

#[tokio::test]
async fn a_letter_arrives_as_it_was_written() {
    let Ok(python) = std::env::var("TEST_AIOSMTPD_PYTHON") else {
        let missing = "TEST_AIOSMTPD_PYTHON names no Python that has aiosmtpd";
        let required = std::env::var_os("TEST_PEERS_REQUIRED").is_some_and(|v| v == "1");
        assert!(!required, "{missing}");
        eprintln!("skipped: {missing}");
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let letters = directory.path().join("letters");
    let (_running, port) = start(&python, &letters).await;
    let url = format!("smtp://127.0.0.1:{port}?tls=none");
    let mailer = Mailer::smtp(&url.into(), "Dash für alle <dash@example.org>", None).expect("a mailer");
    let letter = Letter::Invitation {
        link: format!("https://dash.example.org/i/{}?a=1&b=2", "x".repeat(300)),
        organization: "Bücher & <Söhne>\r\nBcc: eve@example.org 🦀".to_owned(),
        by: "Ада".to_owned(),
        role: "editor".to_owned(),
        days: 7,
    };
    let mut message = letter.write("charles@example.org", "https://dash.example.org");
    // A dot alone ends a letter on the wire.
    message.text.push_str(".\n..\nFrom here on\n");
    mailer.send(&message).await.expect("it is taken");

    let read = Command::new(&python)
        .args(["-c", READ])
        .arg(&letters)
        .output()
        .expect("a Python");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let read: serde_json::Value = serde_json::from_slice(&read.stdout).expect("JSON");
    let headers = read["headers"].as_object().expect("headers");
    assert_eq!(headers["subject"], message.subject.as_str());
    assert_eq!(headers["from"], "Dash für alle <dash@example.org>");
    assert_eq!(headers["to"], "charles@example.org");
    assert_eq!(headers["auto-submitted"], "auto-generated");
    assert!(
        !headers.contains_key("bcc") && !headers.contains_key("cc"),
        "{headers:?}"
    );
    assert!(headers.contains_key("date"), "{headers:?}");
    assert_eq!(headers["message-id"], format!("<{}@example.org>", message.id.simple()));
    assert_eq!(read["parts"], serde_json::json!(["text/plain", "text/html"]));
    assert_eq!(read["text"].as_str().map(str::trim_end), Some(message.text.trim_end()));
    assert_eq!(read["html"].as_str().map(str::trim_end), Some(message.html.trim_end()));
}
