//! A sender that costs little: requests are bytes made beforehand, answers are looked at as far as a load needs.
//!
//! HTTP/1.1 over one connection that stays open, one request at a time.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// For one question that is no load.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection that stays open.
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
            if let Some(at) = end_of_head(&self.buffer) {
                break at;
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

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4)
}

/// Status and length of the body.
fn understand(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let text = std::str::from_utf8(head).context("the head of an answer is no text")?;
    let mut lines = text.split("\r\n");
    let status: Option<u16> = lines
        .next()
        .and_then(|l| l.split(' ').nth(1))
        .and_then(|s| s.parse().ok());
    let length = lines
        .filter_map(|l| l.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    match (status, length) {
        // It has no body, and need not say so.
        (Some(204), _) => Ok((204, 0)),
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

/// A request with a body; `headers` are whole lines, each with its end.
pub fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: dash-bench\r\n{headers}content-length: {length}\r\n\r\n"
    );
    let mut request = Vec::with_capacity(head.len() + length);
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
    request
}

/// One question on a connection of its own: status and body. `key` is a bearer's.
pub async fn get(address: SocketAddr, path: &str, key: Option<&str>) -> anyhow::Result<(u16, Vec<u8>)> {
    let key = key.map_or(String::new(), |key| format!("authorization: Bearer {key}\r\n"));
    // 1.0: the answer is not chunked.
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n{key}\r\n");
    ask(address, request.as_bytes()).await
}

/// The answer to a whole request of HTTP/1.0: its end is the connection's.
pub async fn ask(address: SocketAddr, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>)> {
    let whole = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let mut answer = tokio::time::timeout(PATIENCE, whole)
        .await
        .with_context(|| format!("no answer within {PATIENCE:?}"))??;
    let head = end_of_head(&answer).context("an answer without an end of its head")?;
    let body = answer.split_off(head);
    let status = String::from_utf8_lossy(&answer)
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok());
    Ok((status.context("an answer without a status")?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        let read = |text: &str| understand(text.as_bytes()).ok();
        assert_eq!(
            read("HTTP/1.1 202 Accepted\r\nContent-Length: 12\r\n\r\n"),
            Some((202, 12))
        );
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n"), Some((204, 0)));
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\n"), None);
        let receipt = Answer {
            status: 202,
            body: br#"{"batch":"264","accepted":1000,"rejected":[]}"#,
        };
        assert_eq!(receipt.accepted().unwrap(), 1_000);
        let other = Answer {
            status: 202,
            body: b"{}",
        };
        assert!(other.accepted().is_err());
    }
}
