//! A mail server with its answers written down.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

pub struct Server {
    pub port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

type Replies = BTreeMap<&'static str, &'static str>;

impl Server {
    /// Answers to commands by their first word, `GREETING` before the first and `.` after the letter; without one it agrees. An
    /// empty answer is none.
    pub async fn start(replies: &[(&'static str, &'static str)]) -> Self {
        let agree = [
            ("GREETING", "220 test"),
            ("EHLO", "250 test"),
            ("AUTH", "235 welcome"),
            ("DATA", "354 go on"),
            ("QUIT", "221 bye"),
        ];
        let replies: Replies = agree.iter().chain(replies).copied().collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let said = Arc::<Mutex<Vec<String>>>::default();
        let heard = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who leaves in the middle has said enough.
                let _ = talk(stream, &replies, &heard).await;
            }
        });
        Self { port, said }
    }

    /// Line by line, with the letter.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().expect("not poisoned").clone()
    }
}

async fn talk(stream: TcpStream, replies: &Replies, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut letter = false;
    writer.write_all(line(replies, "GREETING").as_bytes()).await?;
    while let Some(said) = lines.next_line().await? {
        let command = if letter && said == "." {
            "."
        } else {
            said.split(' ').next().unwrap_or_default()
        };
        let reply = line(replies, command);
        let answered = !letter || command == ".";
        letter = if letter {
            command != "."
        } else {
            command == "DATA" && reply.starts_with("354")
        };
        heard.lock().expect("not poisoned").push(said);
        if answered {
            writer.write_all(reply.as_bytes()).await?;
        }
    }
    Ok(())
}

fn line(replies: &Replies, command: &str) -> String {
    match replies.get(command).copied().unwrap_or("250 ok") {
        "" => String::new(),
        reply => format!("{reply}\r\n"),
    }
}
