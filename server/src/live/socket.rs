//! A viewer's websocket: what comes in, one frame that goes out, and the end.
//!
//! The websocket library reads, answers pings and closes; it keeps no bytes of what goes out. Those are written from where they are, once
//! the transport takes them: a message costs one call of the kernel, and a viewer who is slow costs no memory.

use std::{
    future::poll_fn,
    io::{self, ErrorKind, Read, Write},
    task::{Context, Poll, ready},
    time::Duration,
};

use dash_model::live::ClientMessage;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tokio_tungstenite::tungstenite::{
    Error, Message,
    error::ProtocolError,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext, frame::coding::CloseCode},
};

use super::frame::{Frame, decode};

/// Of what a browser sends: an empty page's subscription takes 300 bytes, a question with a hundred filters a few thousand.
const MAX_MESSAGE: usize = 64 << 10;
/// Kept for reading, for each socket; a longer message makes it as large as itself.
const READ_BUFFER: usize = 1 << 10;
/// Of answers to pings: whoever does not read them gets fewer.
const ANSWERS: usize = 1 << 10;
/// For the other side to read why it is closed.
const LINGER: Duration = Duration::from_secs(2);
/// Of a reason: what a closing frame holds.
const REASON: usize = 123;

pub struct Socket {
    stream: TcpStream,
    protocol: WebSocketContext,
    sending: Option<Frame>,
}

/// What happened to a socket.
#[derive(Debug)]
pub enum Turn {
    Heard(ClientMessage),
    /// A sign of life that says nothing.
    Alive,
    /// What was being sent is gone; there is room for the next.
    Sent,
}

/// Why a socket ends.
#[derive(Debug)]
pub enum End {
    /// The other side is gone.
    Left,
    /// This side ends it, and says why.
    Told { code: CloseCode, why: String },
}

impl Socket {
    /// After the handshake; `read` came behind it already.
    pub fn new(stream: TcpStream, read: &[u8]) -> Self {
        // A message that waits for the last one to be acknowledged would come up to 40 ms late.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a socket sends late");
        }
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(ANSWERS)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        Self {
            stream,
            protocol: WebSocketContext::from_partially_read(read.to_vec(), Role::Server, Some(config)),
            sending: None,
        }
    }

    /// There is room for a message.
    pub fn is_free(&self) -> bool {
        self.sending.is_none()
    }

    /// Sends as much as the transport takes now. For when [`is_free`](Self::is_free); the rest goes with [`turn`](Self::turn).
    pub fn send(&mut self, frame: Frame) -> Result<(), End> {
        self.sending = Some(frame);
        self.push().map(drop)
    }

    /// Until something happens. May be dropped and called again.
    pub async fn turn(&mut self) -> Result<Turn, End> {
        poll_fn(|context| self.poll_turn(context)).await
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Result<Turn, End>> {
        while self.sending.is_some() {
            if self.push()? {
                return Poll::Ready(Ok(Turn::Sent));
            }
            match self.stream.poll_write_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(End::Left)),
                Poll::Pending => break,
            }
        }
        loop {
            let free = self.sending.as_ref().is_none_or(Frame::is_fresh);
            let stream = &self.stream;
            match self.protocol.read(&mut Wire { stream, free }) {
                Ok(Message::Binary(bytes)) => return Poll::Ready(heard(&bytes)),
                Ok(Message::Text(text)) => return Poll::Ready(heard(text.as_bytes())),
                Ok(Message::Close(_)) => {
                    // The answer that it is closed: nobody may be there to read it.
                    let _ = self.protocol.flush(&mut Wire { stream, free });
                    return Poll::Ready(Err(End::Left));
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => return Poll::Ready(Ok(Turn::Alive)),
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                    if ready!(stream.poll_read_ready(context)).is_err() {
                        return Poll::Ready(Err(End::Left));
                    }
                }
                Err(error) => return Poll::Ready(Err(End::of(&error))),
            }
        }
    }

    /// Sends as much as the transport takes now; true when nothing is left.
    fn push(&mut self) -> Result<bool, End> {
        let Some(frame) = &mut self.sending else {
            return Ok(true);
        };
        let stream = &self.stream;
        if frame.is_fresh() {
            // Answers to pings stand between messages, never within one.
            match self.protocol.flush(&mut Wire { stream, free: true }) {
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(_) => return Err(End::Left),
            }
        }
        loop {
            match stream.try_write_vectored(&frame.rest()) {
                Ok(bytes) => frame.advance(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(End::Left),
            }
            if frame.is_sent() {
                self.sending = None;
                return Ok(true);
            }
        }
    }

    /// Says why it ends, if no message is half sent, and lets the other side read that: a socket that is closed over input which was
    /// not read is reset, and what was said last is lost.
    pub async fn close(mut self, code: CloseCode, why: &str) {
        let stream = &self.stream;
        if self.sending.as_ref().is_none_or(Frame::is_fresh) {
            let reason = why[..why.floor_char_boundary(REASON)].into();
            let frame = CloseFrame { code, reason };
            // Whoever does not take it sees the end of the connection.
            let _ = self.protocol.close(&mut Wire { stream, free: true }, Some(frame));
        }
        let _ = timeout(LINGER, async {
            let _ = self.stream.shutdown().await;
            while self.stream.readable().await.is_ok() && unread(&self.stream) {}
        })
        .await;
    }
}

impl End {
    fn of(error: &Error) -> Self {
        let code = match error {
            Error::Capacity(_) => CloseCode::Size,
            Error::Utf8(_) => CloseCode::Invalid,
            // Closed without a word, as a laptop that is shut.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return Self::Left,
            Error::Protocol(_) => CloseCode::Protocol,
            _ => return Self::Left,
        };
        let why = error.to_string();
        Self::Told { code, why }
    }
}

fn heard(bytes: &[u8]) -> Result<Turn, End> {
    decode(bytes).map(Turn::Heard).map_err(|why| End::Told {
        code: CloseCode::Invalid,
        why,
    })
}

/// Takes what has come, unseen; false at the end.
fn unread(stream: &TcpStream) -> bool {
    let mut bytes = [0; 4 << 10];
    match stream.try_read(&mut bytes) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// The transport as the websocket library sees it: it takes what it takes now.
struct Wire<'s> {
    stream: &'s TcpStream,
    /// No message is half sent, so that something else may go out.
    free: bool,
}

impl Read for Wire<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.try_read(bytes)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.free {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.stream.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use dash_model::live::ServerMessage;
    use futures::{SinkExt, StreamExt};
    use tokio::net::TcpListener;
    use tokio_tungstenite::WebSocketStream;

    use super::*;

    /// Both ends, after the handshake.
    async fn pair() -> (Socket, WebSocketStream<TcpStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let (theirs, ours) = tokio::join!(TcpStream::connect(address), listener.accept());
        let theirs = WebSocketStream::from_raw_socket(theirs.expect("connected"), Role::Client, None).await;
        (Socket::new(ours.expect("accepted").0, b""), theirs)
    }

    #[tokio::test]
    async fn a_ping_within_a_long_message_is_answered_behind_it() {
        let (mut ours, mut theirs) = pair().await;
        // More than both ends' buffers take.
        let why = "x".repeat(12 << 20);
        ours.send(Frame::of(ServerMessage::Refused { sub: 1, why }))
            .expect("begun");
        assert!(!ours.is_free());
        theirs.send(Message::Ping("there?".into())).await.expect("ping");
        assert!(matches!(ours.turn().await, Ok(Turn::Alive)));
        let read = async {
            let message = theirs.next().await.expect("open").expect("a message");
            (
                message.into_data().len(),
                theirs.next().await.expect("open").expect("an answer"),
            )
        };
        let sent = async {
            assert!(matches!(ours.turn().await, Ok(Turn::Sent)));
            // The answer goes with what happens next.
            ours.send(Frame::of(ServerMessage::Heartbeat { now_ms: 1 }))
                .expect("sent");
        };
        let ((length, answer), ()) = tokio::join!(read, sent);
        assert_eq!(length, r#".{"Refused":{"sub":1,"why":""}}"#.len() + (12 << 20));
        assert_eq!(answer, Message::Pong("there?".into()));
        assert!(ours.is_free());
    }

    #[tokio::test]
    async fn what_came_with_the_handshake_is_heard() {
        let (ours, _theirs) = pair().await;
        let early = [&[0x82, 0x87, 0, 0, 0, 0][..], b"\0\"Ping\""].concat();
        let mut ours = Socket::new(ours.stream, &early);
        assert!(matches!(ours.turn().await, Ok(Turn::Heard(ClientMessage::Ping))));
    }

    #[tokio::test]
    async fn whoever_is_gone_has_left() {
        let (mut ours, theirs) = pair().await;
        drop(theirs);
        assert!(matches!(ours.turn().await, Err(End::Left)));
    }
}
