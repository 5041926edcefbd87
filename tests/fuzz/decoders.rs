//! Our decoder and those of tungstenite and fastwebsockets, over the same bytes. What all take is the same messages
//! and control frames. Where one refuses what another takes, the difference is one of those that are listed here: of
//! each, the rule that ours follows.
//!
//! The input: a byte of flags, three for the lengths of pieces, and then frames as for `front_end`.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fastwebsockets::{FragmentCollector, OpCode};
use framewire::Opcode;
use framewire::frame::Violation;
use framewire::protocol::{Limits, Role};
use support::Replay;
use support::event::{End, Event};
use support::front_end::{FrontEnd as _, Script, WholeSession};
use support::peer::{Ending, ScriptedPeer};
use tungstenite::Message;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::WebSocketConfig;

use crate::front_end::wire;
use crate::{Input, cut};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let role = if flags & 1 == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let lengths = input.lengths();
    let bytes = wire(role, input);
    let limits = Limits::UNLIMITED.frame(LIMIT).message(LIMIT);
    let mut pieces = cut(&bytes, lengths);
    let mut script = Script::new(role, []).limited(limits);
    script.pieces.clone_from(&pieces);
    let ours = WholeSession.run(&script);
    let violation = violation(ours.end);
    // The rest of a frame: not all refuse it at the same byte of its header or payload.
    let rest = vec![0; LIMIT as usize + 16];
    if violation.is_some() {
        pieces.push(rest.clone());
    }
    for decoder in DECODERS {
        let peer = ScriptedPeer::saying(pieces.iter().cloned()).ending(Ending::Eof);
        let (events, refusal) = (decoder.read)(role, peer);
        let name = decoder.name;
        let _told = Replay(|| format!("{script:?}"));
        let expected: Vec<_> = ours.events.iter().cloned().map(decoder.tells).collect();
        let len = events.len().min(expected.len());
        assert_eq!(events[..len], expected[..len]);
        if let Some(refusal) = &refusal
            && (violation.is_none() || events.len() < ours.events.len())
        {
            let whole = Script::new(role, [&bytes[..], &rest].concat()).limited(limits);
            let whole = WholeSession.run(&whole);
            let is_later = whole.events == ours.events && matches!(whole.end, End::Violation(_));
            let is_later = is_later && events.len() == ours.events.len();
            assert!(
                is_later || (decoder.refuses)(refusal, ours.events.last()),
                "{name} refuses it: {refusal}"
            );
        } else if let Some(violation) = violation
            && (refusal.is_none() || events.len() > ours.events.len())
        {
            assert!((decoder.takes)(violation), "{name} takes {violation:?}");
        } else if violation.is_none() {
            assert_eq!(events, expected);
        }
    }
}

fn violation(end: End) -> Option<Violation> {
    match end {
        End::Violation(violation) => Some(violation),
        End::Open | End::Closed => None,
    }
}

/// Another decoder.
struct Decoder {
    name: &'static str,
    /// What it makes of what a peer says to this end, and why it refused to go on, if it did.
    read: fn(Role, ScriptedPeer) -> (Vec<Event>, Option<String>),
    /// How it tells of what ours has found.
    tells: fn(Event) -> Event,
    /// Whether it takes what ours refuses.
    takes: fn(Violation) -> bool,
    /// Whether ours takes what it refuses so, and ends with this.
    refuses: fn(&str, Option<&Event>) -> bool,
}

const DECODERS: [Decoder; 2] = [
    Decoder {
        name: "tungstenite",
        read: by_tungstenite,
        tells: |event| match event {
            // Registered for gateways (RFC 6455 11.7), and unknown there: it tells the answer to it.
            Event::Close(Some(1014), _) => {
                Event::Close(Some(1002), "Protocol violation".to_owned())
            }
            event => event,
        },
        takes: |violation| match violation {
            // RFC 6455 5.2: the minimal number of bytes must be used for a length, and a control frame has one of a
            // byte.
            Violation::NonMinimalLength
            | Violation::ControlTooLarge(_)
            // RFC 6455 7.4: both answer such a code with 1002. To ours it is an error, too.
            | Violation::CloseCodeInvalid(_) => true,
            _ => false,
        },
        refuses: |_, _| false,
    },
    Decoder {
        name: "fastwebsockets",
        read: by_fastwebsockets,
        tells: |event| event,
        takes: |violation| match violation {
            // RFC 6455 5.2, as above.
            Violation::NonMinimalLength
            // RFC 6455 5.4: a message ends before the next one begins, empty fragments or not.
            | Violation::ExpectedContinuation(_)
            // RFC 6455 8.1: a text ends with a whole character.
            | Violation::InvalidUtf8
            // RFC 6455 5.5: a control frame has a payload of 125 bytes at most.
            | Violation::ControlTooLarge(_)
            // RFC 6455 5.1: a client masks every frame, and a server none.
            | Violation::Unmasked
            | Violation::Masked => true,
            _ => false,
        },
        // Registered, as above.
        refuses: |why, last| {
            let is_registered = matches!(last, Some(Event::Close(Some(1014), _)));
            why == "Invalid close code" && is_registered
        },
    },
];

fn by_tungstenite(role: Role, stream: ScriptedPeer) -> (Vec<Event>, Option<String>) {
    let role = match role {
        Role::Server => tungstenite::protocol::Role::Server,
        Role::Client => tungstenite::protocol::Role::Client,
    };
    let config = WebSocketConfig::default()
        .max_frame_size(Some(LIMIT as usize))
        .max_message_size(Some(LIMIT as usize));
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream, role, Some(config));
    let mut events = vec![];
    loop {
        let event = match socket.read() {
            Ok(Message::Text(text)) => Event::Message(Opcode::Text, text.as_bytes().to_vec()),
            Ok(Message::Binary(bytes)) => Event::Message(Opcode::Binary, bytes.to_vec()),
            Ok(Message::Ping(payload)) => Event::Ping(payload.to_vec()),
            Ok(Message::Pong(payload)) => Event::Pong(payload.to_vec()),
            Ok(Message::Close(frame)) => {
                let (code, reason) = match frame {
                    Some(frame) => (Some(frame.code.into()), frame.reason.to_string()),
                    None => (None, String::new()),
                };
                events.push(Event::Close(code, reason));
                return (events, None);
            }
            Ok(Message::Frame(_)) => unreachable!("it is not asked for frames"),
            Err(
                Error::ConnectionClosed
                | Error::AlreadyClosed
                | Error::Io(_)
                | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake),
            ) => return (events, None),
            Err(error) => return (events, Some(error.to_string())),
        };
        events.push(event);
    }
}

fn by_fastwebsockets(role: Role, stream: ScriptedPeer) -> (Vec<Event>, Option<String>) {
    let role = match role {
        Role::Server => fastwebsockets::Role::Server,
        Role::Client => fastwebsockets::Role::Client,
    };
    let mut socket = fastwebsockets::WebSocket::after_handshake(stream, role);
    socket.set_max_message_size(LIMIT as usize + 1);
    socket.set_auto_pong(false);
    let mut socket = FragmentCollector::new(socket);
    let mut events = vec![];
    loop {
        let frame = match ready(socket.read_frame()) {
            Ok(frame) => frame,
            Err(fastwebsockets::WebSocketError::UnexpectedEOF) => return (events, None),
            Err(error) => return (events, Some(error.to_string())),
        };
        let payload = frame.payload.to_vec();
        events.push(match frame.opcode {
            OpCode::Text => Event::Message(Opcode::Text, payload),
            OpCode::Binary => Event::Message(Opcode::Binary, payload),
            OpCode::Ping => Event::Ping(payload),
            OpCode::Pong => Event::Pong(payload),
            OpCode::Close => {
                events.push(Event::from_control(Opcode::Close, &payload));
                return (events, None);
            }
            OpCode::Continuation => unreachable!("fragments are collected"),
        });
    }
}

/// The result of a future over a stream that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits for a stream that has all"),
    }
}

/// On frames and messages.
const LIMIT: u64 = 1 << 16;
