//! A sender that costs little: requests are bytes made beforehand, answers are looked at as far as a load needs.
//!
//! HTTP/1.1 over one connection that stays open, one request at a time.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Valid until the next request of its connection.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .context("the server does not answer")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 << 10),
        })
    }

    /// Sends a whole request and waits for the whole answer.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            self.more().await?;
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let (status, length) = understand(&self.buffer[..head])?;
        while self.buffer.len() < head + length {
            self.more().await?;
        }
        ensure!(
            self.buffer.len() == head + length,
            "the server sent more than it announced"
        );
        Ok(Answer {
            status,
            body: &self.buffer[head..],
        })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        ensure!(read > 0, "the server closed a connection that it should keep");
        Ok(())
    }
}

/// Status and length of the body.
fn understand(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let text = std::str::from_utf8(head).context("the head of an answer is no text")?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|l| l.split(' ').nth(1))
        .and_then(|s| s.parse().ok());
    let length = lines
        .filter_map(|l| l.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    match (status, length) {
        (Some(status), Some(length)) => Ok((status, length)),
        _ => bail!("an answer without status or length: {text:?}"),
    }
}

impl Answer<'_> {
    /// Events that a receipt says were accepted.
    pub fn accepted(&self) -> anyhow::Result<u64> {
        let mark = b"\"accepted\":";
        let at = self.body.windows(mark.len()).position(|w| w == mark);
        let digits = at.map(|at| &self.body[at + mark.len()..]).unwrap_or_default();
        let digits = digits.iter().take_while(|b| b.is_ascii_digit());
        let text: String = digits.map(|b| char::from(*b)).collect();
        text.parse().with_context(|| format!("no receipt: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(500)]).into_owned()
    }
}

/// Who is asked, and with which key.
#[derive(Clone)]
pub struct Target {
    pub address: SocketAddr,
    pub key: String,
}

impl Target {
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Bytes {
        let mut request = self.head("POST", path);
        request.push_str(&format!(
            "content-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        ));
        let mut request = request.into_bytes();
        request.extend_from_slice(body);
        request.into()
    }

    pub fn get(&self, path: &str) -> Bytes {
        (self.head("GET", path) + "\r\n").into()
    }

    fn head(&self, method: &str, path: &str) -> String {
        let Self { address, key } = self;
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: dash-bench\r\nauthorization: Bearer {key}\r\n"
        )
    }
}
