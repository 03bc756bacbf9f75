//! A mail server with its answers written down.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

/// How long an answer takes that begins with `late `.
pub const LATE: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub enum Tls {
    Never,
    FromTheStart(TlsAcceptor),
    /// After STARTTLS.
    Later(TlsAcceptor),
}

pub struct Server {
    pub port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

type Replies = BTreeMap<&'static str, &'static str>;

impl Server {
    /// Answers to commands by their first word, `GREETING` before the first and `.` after the letter; without one it agrees. An
    /// empty answer is none; `{link}` in it is the last link that was heard.
    pub async fn start(replies: &[(&'static str, &'static str)]) -> Self {
        Self::with(Tls::Never, replies).await
    }

    pub async fn with(tls: Tls, replies: &[(&'static str, &'static str)]) -> Self {
        let agree = [
            ("GREETING", "220 test"),
            ("EHLO", "250 test"),
            ("STARTTLS", "220 go on"),
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
                let _ = serve(stream, &tls, &replies, &heard).await;
            }
        });
        Self { port, said }
    }

    /// Line by line, with the letter.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().expect("not poisoned").clone()
    }
}

async fn serve(mut stream: TcpStream, tls: &Tls, replies: &Replies, heard: &Mutex<Vec<String>>) -> io::Result<()> {
    if let Tls::FromTheStart(acceptor) = tls {
        let mut stream = acceptor.accept(stream).await?;
        stream.write_all(line(replies, "GREETING").as_bytes()).await?;
        return talk(&mut stream, replies, heard).await;
    }
    stream.write_all(line(replies, "GREETING").as_bytes()).await?;
    talk(&mut stream, replies, heard).await?;
    if let Tls::Later(acceptor) = tls {
        let mut stream = acceptor.accept(stream).await?;
        talk(&mut stream, replies, heard).await?;
    }
    Ok(())
}

/// To its end, or to where TLS begins.
async fn talk(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    replies: &Replies,
    heard: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut letter = false;
    let mut link = String::new();
    loop {
        let mut said = String::new();
        if stream.read_line(&mut said).await? == 0 {
            return Ok(());
        }
        let said = said.trim_end_matches(['\r', '\n']).to_owned();
        if said.starts_with("https://") {
            link.clone_from(&said);
        }
        let command = if letter && said == "." {
            "."
        } else {
            said.split(' ').next().unwrap_or_default()
        };
        let reply = line(replies, command).replace("{link}", &link);
        let answered = !letter || command == ".";
        letter = if letter {
            command != "."
        } else {
            command == "DATA" && reply.starts_with("354")
        };
        heard.lock().expect("not poisoned").push(said.clone());
        if !answered {
            continue;
        }
        let prompt = reply.strip_prefix("late ");
        if prompt.is_some() {
            sleep(LATE).await;
        }
        let reply = prompt.unwrap_or(&reply);
        stream.write_all(reply.as_bytes()).await?;
        stream.flush().await?;
        if command == "STARTTLS" && reply.starts_with("220") {
            return Ok(());
        }
    }
}

fn line(replies: &Replies, command: &str) -> String {
    match replies.get(command).copied().unwrap_or("250 ok") {
        "" => String::new(),
        reply => format!("{reply}\r\n"),
    }
}
