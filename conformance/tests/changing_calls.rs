//! One kind of call after another, each interrupted in the middle of a frame.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Read;

use framewire::protocol::Role;
use framewire::{Config, Error, WebSocket};
use framewire_conformance::event::Event;
use framewire_conformance::frames::{BINARY, FIN, PING, to};
use framewire_conformance::oracle::{self, Terms};
use framewire_conformance::peer::ScriptedPeer;

type Socket = WebSocket<ScriptedPeer>;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    NextMessage,
    ReadMessage,
    MessageReader,
    ReadHeader,
    ReadFrame,
}

const CALLS: [Call; 5] = [
    Call::NextMessage,
    Call::ReadMessage,
    Call::MessageReader,
    Call::ReadHeader,
    Call::ReadFrame,
];

impl Call {
    /// Makes the call, and gives the data it gave.
    fn make(self, socket: &mut Socket) -> Result<Vec<u8>, Error> {
        match self {
            Self::NextMessage => Ok(socket.next_message()?.payload().to_vec()),
            Self::ReadMessage => {
                let mut message = vec![];
                socket.read_message(&mut message)?;
                Ok(message)
            }
            Self::MessageReader => {
                let mut message = vec![];
                socket.message_reader()?.read_to_end(&mut message).unwrap();
                Ok(message)
            }
            Self::ReadHeader => socket.read_header().map(|_| vec![]),
            Self::ReadFrame => {
                let mut buffer = [0xEE; 16];
                let frame = socket.read_frame(&mut buffer)?;
                Ok(frame.payload().to_vec())
            }
        }
    }
}

#[test]
fn a_ping_that_one_call_began_is_finished_by_any_other() {
    let ping = to(Role::Server, FIN | PING, b"abcdef").bytes();
    let message = to(Role::Server, FIN | BINARY, b"data").bytes();
    for (before, after) in CALLS.map(|a| CALLS.map(|b| (a, b))).concat() {
        for cut in 1..ping.len() {
            let peer = ScriptedPeer::saying([&ping[..cut]]);
            let mut socket = WebSocket::server(peer, Config::default()).unwrap();
            let interrupted = before.make(&mut socket);
            if before == Call::ReadHeader && cut >= 6 {
                interrupted.unwrap();
            } else {
                assert!(interrupted.unwrap_err().is_would_block());
            }
            socket.stream_mut().say(&ping[cut..]);
            socket.stream_mut().say(&message[..]);

            let context = format!("{before:?} {after:?} {cut}");
            let data = match after {
                Call::ReadHeader => {
                    assert_eq!(socket.read_header().unwrap().payload_len(), 6, "{context}");
                    Call::ReadFrame
                }
                call => call,
            };
            if data == Call::ReadFrame {
                assert_eq!(data.make(&mut socket).unwrap(), b"abcdef", "{context}");
            }
            assert_eq!(data.make(&mut socket).unwrap(), b"data", "{context}");
            socket.flush().unwrap();
            let sent = oracle::judge(Terms::plain(Role::Client), socket.stream().written());
            assert_eq!(sent.events, [Event::Pong(b"abcdef".to_vec())], "{context}");
        }
    }
}
