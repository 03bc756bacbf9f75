use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use dash_model::account::OrganizationRole as Role;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpListener,
};

use crate::util::TestApp;

/// A mail server that says "later" once, and then takes everything.
async fn mail_server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let letters = Arc::clone(&taken);
    tokio::spawn(async move {
        let mut first = true;
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            write.write_all(b"220 test\r\n").await.unwrap();
            let (mut data, mut letter) = (false, String::new());
            while let Ok(Some(line)) = lines.next_line().await {
                let answer: &[u8] = match line.as_str() {
                    "." if data => {
                        data = false;
                        letters.lock().unwrap().push(std::mem::take(&mut letter));
                        b"250 taken\r\n"
                    }
                    _ if data => {
                        letter.push_str(&line);
                        letter.push('\n');
                        continue;
                    }
                    "DATA" => {
                        data = true;
                        b"354 go on\r\n"
                    }
                    line if line.starts_with("RCPT") && std::mem::take(&mut first) => b"451 later\r\n",
                    "QUIT" => b"221 bye\r\n",
                    _ => b"250 test\r\n",
                };
                if write.write_all(answer).await.is_err() {
                    break;
                }
            }
        }
    });
    (port, taken)
}

#[tokio::test]
async fn a_letter_is_sent_again_when_the_mail_server_says_later_and_kept_no_longer_than_that() {
    let (port, taken) = mail_server().await;
    let app = TestApp::with(&[
        ("DASH_SMTP_URL", &format!("smtp://127.0.0.1:{port}?tls=none")),
        ("DASH_MAIL_FROM", "Dash <dash@example.org>"),
    ])
    .await;
    let ada = app.member(dash_model::DEFAULT_ORGANIZATION, Role::Member, "ada").await;
    app.submit("", "/api/link/ask", &[("email", &ada.email)]).await;
    let client = app.database.client().await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let row = client
            .query_opt("SELECT attempts, error FROM mails", &[])
            .await
            .unwrap();
        let Some(row) = row else { break };
        if row
            .get::<_, Option<String>>(1)
            .is_some_and(|error| error.contains("451"))
            && row.get::<_, i32>(0) == 1
        {
            // It waits a minute: nobody waits for that here.
            client
                .batch_execute("UPDATE mails SET next_attempt_at = now()")
                .await
                .unwrap();
        }
        assert!(Instant::now() < deadline, "the letter was never sent");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let letters = taken.lock().unwrap().clone();
    assert_eq!(letters.len(), 1, "once");
    assert!(
        letters[0].contains("To: ada@example.org") && letters[0].contains("multipart/alternative"),
        "{}",
        letters[0]
    );
    // There is no mailbox where letters are sent: it would let anybody in.
    assert_eq!(app.page("/mailbox").await.status(), 404);
}
