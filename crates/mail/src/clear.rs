//! A connection that begins in clear and goes on in TLS.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What the first bytes of TLS begin with. No command does.
const HANDSHAKE: u8 = 22;

/// Gives clear text byte by byte: whoever reads lines then has none left over when TLS begins, and cannot take for an answer inside of TLS
/// what somebody on the way put behind the one to STARTTLS. It goes into the handshake, which fails of it.
#[derive(Debug)]
pub(crate) struct Clear {
    stream: TcpStream,
    over: bool,
}

impl Clear {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, over: false }
    }
}

impl AsyncRead for Clear {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.over || buffer.remaining() == 0 {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let mut byte = [0];
        let mut one = ReadBuf::new(&mut byte);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut one))?;
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Clear {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Ours to begin, so nobody else decides when.
        self.over |= bytes.first() == Some(&HANDSHAKE);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncTokioStream for Clear {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}
