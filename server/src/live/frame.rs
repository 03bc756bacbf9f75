//! Messages as bytes, in the framing of a websocket server function: a byte that says whether an error follows, then JSON.
//!
//! `server_fn` frames what the browser sends and reads; this is its counterpart, one frame of the websocket for each message. What differs
//! between viewers of a state is a hundred bytes at its head; the rest is the JSON that all of them share, and it is never copied.

use std::io::{IoSlice, Write};

use app::AppError;
use dash_model::{
    live::{ClientMessage, Patch, Place, ServerMessage, State},
    shared::Shared,
};
use leptos::prelude::FromServerFnError;

/// What stands before a message.
const FINE: u8 = 0;
/// What stands before an error.
const FAILED: u8 = 1;
/// A whole binary message, as the first byte of its frame.
const BINARY: u8 = 0x82;
/// The longest head of a frame that is not masked.
const HEAD: usize = 10;
/// Room for a head and a message's own bytes; a patch's with numbers of usual size take 130.
const OWN: usize = 160;

/// Understands what a browser sent, or says what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<ClientMessage, String> {
    match bytes.split_first() {
        Some((&FINE, json)) => serde_json::from_slice(json).map_err(|e| format!("not a message of this channel: {e}")),
        Some((&FAILED, _)) => Err("an error came where a message should be".into()),
        Some((other, _)) => Err(format!("a message begins with 0, not with {other}")),
        None => Err("an empty message".into()),
    }
}

/// One message on its way to one socket.
pub struct Frame {
    /// The head of the frame, which ends where the message begins, and the message's own bytes.
    own: Vec<u8>,
    /// Where the head begins.
    start: usize,
    shared: Part,
    tail: &'static str,
    sent: usize,
}

/// What all viewers are sent.
enum Part {
    Nothing,
    State(Shared<State>),
    Patch(Shared<Patch>),
}

impl Frame {
    pub fn of(message: ServerMessage) -> Self {
        let mut own = own(FINE);
        let (shared, tail) = match message {
            ServerMessage::Snapshot { sub, place, state } => {
                begin(&mut own, format_args!(r#"{{"Snapshot":{{"sub":{sub},"#), place, "state");
                (Part::State(state), "}}")
            }
            ServerMessage::Patch {
                sub,
                from,
                place,
                patch,
            } => {
                let head = format_args!(r#"{{"Patch":{{"sub":{sub},"from":{from},"#);
                begin(&mut own, head, place, "patch");
                (Part::Patch(patch), "}}")
            }
            small @ (ServerMessage::Heartbeat { .. } | ServerMessage::Refused { .. }) => {
                if let Err(error) = serde_json::to_writer(&mut own, &small) {
                    return Self::unwritable(&error);
                }
                (Part::Nothing, "")
            }
        };
        if shared.json().is_none() {
            return Self::unwritable(&"a state or patch that is no JSON");
        }
        Self::new(own, shared, tail)
    }

    /// What the browser's end of the server function takes for an error.
    pub fn failure(error: &AppError) -> Self {
        let mut own = own(FAILED);
        own.extend_from_slice(&error.ser());
        Self::new(own, Part::Nothing, "")
    }

    fn unwritable(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a message for a browser cannot be written");
        Self::failure(&AppError::Internal)
    }

    fn new(mut own: Vec<u8>, shared: Part, tail: &'static str) -> Self {
        let length = own.len() - HEAD + shared.bytes().len() + tail.len();
        let mut head = [BINARY; HEAD];
        let used = match length {
            0..126 => {
                head[1] = length as u8;
                2
            }
            126..0x1_0000 => {
                head[1] = 126;
                head[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                4
            }
            _ => {
                head[1] = 127;
                head[2..].copy_from_slice(&(length as u64).to_be_bytes());
                HEAD
            }
        };
        let start = HEAD - used;
        own[start..HEAD].copy_from_slice(&head[..used]);
        Self {
            own,
            start,
            shared,
            tail,
            sent: 0,
        }
    }

    /// Nothing of it is on its way yet.
    pub fn is_fresh(&self) -> bool {
        self.sent == 0
    }

    pub fn is_sent(&self) -> bool {
        self.rest().iter().all(|part| part.is_empty())
    }

    /// So many bytes of the rest are on their way.
    pub fn advance(&mut self, bytes: usize) {
        self.sent += bytes;
    }

    /// What is still to be sent, in this order.
    pub fn rest(&self) -> [IoSlice<'_>; 3] {
        let mut skip = self.sent;
        [&self.own[self.start..], self.shared.bytes(), self.tail.as_bytes()].map(|part| {
            let gone = skip.min(part.len());
            skip -= gone;
            IoSlice::new(&part[gone..])
        })
    }
}

impl Part {
    fn json(&self) -> Option<&str> {
        match self {
            Self::Nothing => Some(""),
            Self::State(state) => state.json(),
            Self::Patch(patch) => patch.json(),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.json().unwrap_or_default().as_bytes()
    }
}

/// Room for the head, and what stands before the message.
fn own(kind: u8) -> Vec<u8> {
    let mut own = Vec::with_capacity(OWN);
    own.resize(HEAD, 0);
    own.push(kind);
    own
}

/// All of a message but the value of its last field. That it is what serde writes is a test's to say.
fn begin(own: &mut Vec<u8>, variant: std::fmt::Arguments<'_>, place: Place, last: &str) {
    let Place { epoch, seq } = place;
    write!(own, r#"{variant}"place":{{"epoch":{epoch},"seq":{seq}}},"{last}":"#).expect("memory takes every byte");
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use dash_model::stats::PipelineStats;
    use proptest::prelude::*;
    use tokio_tungstenite::tungstenite::protocol::frame::{
        FrameHeader,
        coding::{Data, OpCode},
    };

    use super::*;

    /// The bytes that go over the socket.
    fn wire(frame: &Frame) -> Vec<u8> {
        frame.rest().each_ref().map(|part| &**part).concat()
    }

    /// The message in a frame that somebody else's code understands as a whole binary one.
    fn payload(wire: &[u8]) -> &[u8] {
        let mut cursor = Cursor::new(wire);
        let (head, length) = FrameHeader::parse(&mut cursor)
            .expect("a frame")
            .expect("all of its head");
        assert!(head.is_final && head.mask.is_none());
        assert_eq!(head.opcode, OpCode::Data(Data::Binary));
        let payload = &wire[cursor.position() as usize..];
        assert_eq!(payload.len() as u64, length);
        payload
    }

    fn any_message() -> impl Strategy<Value = ServerMessage> {
        let place = (any::<u64>(), any::<u64>()).prop_map(|(epoch, seq)| Place { epoch, seq });
        let stats = |received| PipelineStats {
            received,
            ..PipelineStats::default()
        };
        prop_oneof![
            any::<i64>().prop_map(|now_ms| ServerMessage::Heartbeat { now_ms }),
            // The lengths at which the head of a frame changes are near 126 and 65,536.
            (any::<u32>(), prop_oneof![0..200_usize, 65_400..65_600_usize]).prop_map(|(sub, n)| {
                ServerMessage::Refused {
                    sub,
                    why: "\"é".repeat(n / 2),
                }
            }),
            (any::<u32>(), place.clone(), any::<u64>()).prop_map(move |(sub, place, n)| ServerMessage::Snapshot {
                sub,
                place,
                state: State::Pipeline(stats(n)).into(),
            }),
            (any::<u32>(), any::<u64>(), place, any::<u64>()).prop_map(move |(sub, from, place, n)| {
                ServerMessage::Patch {
                    sub,
                    from,
                    place,
                    patch: Patch::Pipeline(stats(n)).into(),
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn a_frame_is_what_a_server_function_would_send(message in any_message()) {
            let mut expected = vec![FINE];
            expected.extend(serde_json::to_vec(&message).expect("json"));
            let wire = wire(&Frame::of(message));
            prop_assert_eq!(payload(&wire), expected);
        }

        #[test]
        fn it_arrives_whole_however_it_is_cut(message in any_message(), cuts in proptest::collection::vec(1..100_usize, 0..40)) {
            let mut frame = Frame::of(message);
            let whole = wire(&frame);
            let mut arrived = Vec::new();
            for cut in cuts {
                let rest = wire(&frame);
                let cut = cut.min(rest.len());
                arrived.extend_from_slice(&rest[..cut]);
                frame.advance(cut);
            }
            arrived.extend(wire(&frame));
            frame.advance(whole.len() - frame.sent);
            prop_assert!(frame.is_sent());
            prop_assert_eq!(arrived, whole);
        }

        #[test]
        fn no_bytes_from_a_browser_are_fatal(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(decode(&bytes).is_err());
        }
    }

    /// Recorded from server_fn 0.8.13 between a browser and a server.
    #[test]
    fn a_recorded_message_is_read() {
        let recorded = b"\0{\"Subscribe\":{\"sub\":1,\"topic\":{\"Pipeline\":\"flights\"},\"resume\":{\"epoch\":1763931,\"seq\":7}}}";
        let message = decode(recorded).expect("a message");
        let expected = ClientMessage::Subscribe {
            sub: 1,
            topic: dash_model::live::Topic::Pipeline("flights".into()),
            resume: Some(Place {
                epoch: 1_763_931,
                seq: 7,
            }),
        };
        assert_eq!(message, expected);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let why = |bytes: &[u8]| decode(bytes).expect_err("no message");
        assert!(why(b"").contains("empty"));
        assert!(
            why(b"\0{\"Sub").contains("not a message of this channel: EOF"),
            "{}",
            why(b"\0{\"Sub")
        );
        assert!(why(b"\x01\"Internal\"").contains("an error"));
        assert!(why(b"{\"Ping\":null}").contains("not with 123"));
    }

    #[test]
    fn viewers_share_the_bytes_of_a_patch() {
        let patch = Shared::new(Patch::Pipeline(PipelineStats::default()));
        let frame = |sub| {
            Frame::of(ServerMessage::Patch {
                sub,
                from: 1,
                place: Place { epoch: 1, seq: 2 },
                patch: patch.clone(),
            })
        };
        let (one, other) = (frame(1), frame(2));
        assert_eq!(one.rest()[1].as_ptr(), other.rest()[1].as_ptr());
        assert!(one.own.capacity() <= OWN, "{}", one.own.capacity());
    }
}
