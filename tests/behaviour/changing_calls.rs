//! One kind of call after another, each interrupted in the middle of a frame.

use std::io::Read;

use framewire::protocol::Role;
use framewire::{Config, Error, ErrorKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::arbitrary::legal;
use support::connection::{Connection, Kind};
use support::event::Event;
use support::frames::{BINARY, FIN, PING, to, wire};
use support::oracle::{self, Terms};
use support::peer::{ScriptedPeer, cut};

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
    fn make(self, socket: &mut dyn Connection) -> Result<Vec<u8>, Error> {
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
    let calls = CALLS.map(|a| CALLS.map(|b| (a, b))).concat();
    let rows = Kind::ALL.map(|kind| calls.iter().map(move |&(a, b)| (kind, a, b)));
    for (kind, before, after) in rows.into_iter().flatten() {
        for cut in 1..ping.len() {
            let peer = ScriptedPeer::saying([&ping[..cut]]);
            let mut socket = kind.with(&peer, Role::Server);
            let interrupted = before.make(socket.as_mut());
            if before == Call::ReadHeader && cut >= 6 {
                interrupted.unwrap();
            } else {
                assert!(interrupted.unwrap_err().is_would_block());
            }
            peer.say(&ping[cut..]);
            peer.say(&message[..]);

            let context = format!("{kind:?} {before:?} {after:?} {cut}");
            let data = match after {
                Call::ReadHeader => {
                    assert_eq!(socket.read_header().unwrap().payload_len(), 6, "{context}");
                    Call::ReadFrame
                }
                call => call,
            };
            if data == Call::ReadFrame {
                assert_eq!(data.make(socket.as_mut()).unwrap(), b"abcdef", "{context}");
            }
            assert_eq!(data.make(socket.as_mut()).unwrap(), b"data", "{context}");
            socket.flush().unwrap();
            let sent = oracle::judge(Terms::plain(Role::Client), &peer.written());
            assert_eq!(sent.events, [Event::Pong(b"abcdef".to_vec())], "{context}");
        }
    }
}

#[test]
fn a_message_that_was_skipped_in_part_is_given_to_no_call() {
    let frame = to(Role::Server, FIN | BINARY, b"abcdef").bytes();
    let (head, tail) = frame.split_at(8); // the header and two bytes
    let begins: [fn(&mut dyn Connection); 2] = [
        |socket| {
            let read = socket.read_frame(&mut [0; 16]).map(drop);
            assert!(read.unwrap_err().is_would_block());
        },
        |socket| assert!(socket.message_reader().is_ok()),
    ];
    for (kind, begin) in Kind::ALL
        .map(|kind| begins.map(|begin| (kind, begin)))
        .concat()
    {
        let peer = ScriptedPeer::default();
        let mut socket = kind.with(&peer, Role::Server);
        assert!(socket.read_header().unwrap_err().is_would_block());
        peer.say(head);
        begin(socket.as_mut());
        assert!(socket.next_message().unwrap_err().is_would_block());

        assert!(socket.resume_message_reader().is_none());
        peer.say(tail);
        peer.say(to(Role::Server, FIN | BINARY, b"next").bytes());
        let mut buffer = [0; 16];
        let frame = socket.read_frame(&mut buffer).unwrap();
        assert_eq!(frame.payload(), b"next");
    }
}

#[test]
fn a_reader_that_skips_the_message_before_it_does_not_resume_that_one() {
    for kind in Kind::ALL {
        let first = to(Role::Server, BINARY, b"abc").bytes();
        let peer = ScriptedPeer::saying([first]);
        let mut socket = kind.with(&peer, Role::Server);
        socket.message_reader().unwrap();
        assert!(socket.message_reader().unwrap_err().is_would_block());
        assert!(socket.resume_message_reader().is_none());
        let rest = [
            to(Role::Server, FIN, b"def"),
            to(Role::Server, FIN | BINARY, b"next"),
        ];
        peer.say(wire(&rest));
        assert_eq!(Call::MessageReader.make(socket.as_mut()).unwrap(), b"next");
    }
}

/// What one call gives.
#[derive(Debug)]
enum Given {
    Message(Vec<u8>),
    Frame(Vec<u8>),
    Beginning(Vec<u8>),
    Nothing,
}

/// Makes a call as an application that changes its mind all the time does.
fn any_call(call: Call, socket: &mut dyn Connection) -> Result<Given, Error> {
    Ok(match call {
        Call::NextMessage | Call::ReadMessage => Given::Message(call.make(socket)?),
        Call::MessageReader => {
            let mut some = [0; 3];
            match socket.message_reader()?.read(&mut some) {
                Ok(len) => Given::Beginning(some[..len].to_vec()),
                Err(_) => Given::Nothing,
            }
        }
        Call::ReadHeader => call.make(socket).map(|_| Given::Nothing)?,
        Call::ReadFrame => {
            let mut buffer = [0xEE; 1024];
            let frame = socket.read_frame(&mut buffer)?;
            Given::Frame(frame.payload().to_vec())
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..Default::default() })]

    #[test]
    fn calls_in_any_order_give_whole_messages_and_whole_frames_in_order_and_answer_every_ping(
        frames in legal(Role::Server),
        cuts in vec(any::<Index>(), 0..12),
        calls in vec(select(CALLS.to_vec()), 1..20),
        read_buffer in prop_oneof![1_usize..20, Just(4096)],
        kind in select(Kind::ALL.to_vec()),
        silences in any::<bool>(),
    ) {
        let bytes = wire(&frames);
        let all = oracle::judge(Terms::plain(Role::Server), &bytes).events;
        let pieces = cut(&bytes, cuts.iter().map(|at| at.index(bytes.len() + 1)));
        let config = Config { read_buffer, ..Config::default() };
        // A task goes on after a pause by itself, and not after a silence: then it is cancelled.
        let silences = silences && kind.waits();
        let mut said = if silences { pieces.clone().into_iter() } else { vec![].into_iter() };
        let peer = ScriptedPeer::saying(if silences { vec![] } else { pieces }).with_pauses();
        let mut socket = kind.open(&peer, Role::Server, config).unwrap();

        let mut messages = all.iter().filter_map(|event| match event {
            Event::Message(_, payload) => Some(payload),
            _ => None,
        });
        let mut in_order = frames.iter().map(|frame| &frame.payload);
        let mut finished = false;
        for call in calls.iter().cycle() {
            match any_call(*call, socket.as_mut()) {
                Ok(Given::Message(message)) => {
                    prop_assert!(messages.any(|sent| *sent == message), "{message:x?}");
                }
                Ok(Given::Frame(frame)) => {
                    prop_assert!(in_order.any(|sent| *sent == frame), "{frame:x?}");
                }
                Ok(Given::Beginning(bytes)) => {
                    let payloads = || frames.iter().map(|frame| &frame.payload);
                    let sent = payloads().any(|sent| sent.windows(bytes.len().max(1)).any(|part| part == bytes));
                    prop_assert!(bytes.is_empty() || sent, "{bytes:x?}");
                }
                Ok(Given::Nothing) => {
                    // A header is only looked at: something else has to follow.
                    if calls.iter().all(|call| *call == Call::ReadHeader) {
                        break;
                    }
                }
                Err(error) if error.is_would_block() => {
                    if let Some(piece) = said.next() {
                        peer.say(piece);
                        continue;
                    }
                    finished = !peer.has_more();
                    if finished {
                        break;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::Closed(_) => {
                        finished = true;
                        break;
                    }
                    ErrorKind::MessageInProgress => {
                        if !calls.iter().any(|call| matches!(call, Call::NextMessage | Call::ReadMessage)) {
                            break;
                        }
                    }
                    other => prop_assert!(false, "{other:?}"),
                },
            }
        }
        let pongs = all.iter().filter_map(|event| match event {
            Event::Ping(payload) => Some(payload),
            _ => None,
        });
        let _ = socket.flush();
        let sent = oracle::judge(Terms::plain(Role::Client), &peer.written());
        let answered = sent.events.iter().filter_map(|event| match event {
            Event::Pong(payload) => Some(payload),
            _ => None,
        });
        let answered: Vec<_> = answered.collect();
        let pings: Vec<_> = pongs.collect();
        prop_assert!(pings.starts_with(&answered), "{answered:x?} of {pings:x?}");
        if finished {
            prop_assert_eq!(answered, pings);
        }
    }
}
