//! One kind of call after another, each interrupted in the middle of a frame.

use std::io::Read;

use framewire::protocol::Role;
use framewire::{CloseCode, Config, Error, ErrorKind, Limits, Opcode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::arbitrary::legal;
use support::compression::Compression;
use support::connection::{Connection, Endpoint, Kind, endpoints, endpoints_with, ends};
use support::event::Event;
use support::frames::{BINARY, FIN, PING, PONG, to, wire};
use support::operations::{Hands, Operation, Seen};
use support::oracle::{self, Terms};
use support::peer::{ScriptedPeer, cut};
use support::{Replay, each};

/// A kind of call. An operation of the table would make its call again where this one is left to be interrupted.
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
    fn make(self, socket: &mut dyn Connection) -> Result<Option<Vec<u8>>, Error> {
        Ok(match self {
            Self::NextMessage => {
                let message = socket.next_message()?;
                message.map(|message| message.payload().to_vec())
            }
            Self::ReadMessage => {
                let mut buffer = vec![];
                let message = socket.append_message(&mut buffer)?;
                message.map(|message| message.payload().to_vec())
            }
            Self::MessageReader => socket.message_reader()?.map(|mut reader| {
                let mut message = vec![];
                reader.read_to_end(&mut message).unwrap();
                message
            }),
            Self::ReadHeader => socket.read_header()?.map(|_| vec![]),
            Self::ReadFrame => {
                let mut buffer = [0xEE; 16];
                let frame = socket.read_frame(&mut buffer)?;
                frame.map(|frame| frame.payload().to_vec())
            }
        })
    }
}

fn servers() -> impl Iterator<Item = Endpoint> {
    endpoints().filter(|end| end.role == Role::Server)
}

/// The rule, by hand.
#[test]
fn a_ping_that_a_frame_was_read_of_is_finished_by_the_next_message() {
    for end in ends().filter(|end| end.role == Role::Client) {
        let peer = ScriptedPeer::saying([b"\x89\x02a"]);
        let mut socket = end.with(&peer);
        let interrupted = socket.read_frame(&mut [0; 2]).map(drop);
        assert!(interrupted.unwrap_err().is_would_block());
        peer.say(b"b\x82\x04data");
        assert_eq!(socket.next_message().unwrap().unwrap().payload(), b"data");
        let [pong] = &oracle::frames(&peer.written())[..] else {
            panic!("one Pong");
        };
        assert_eq!((pong.first, &pong.payload[..]), (FIN | PONG, &b"ab"[..]));
    }
}

#[test]
fn a_ping_that_one_call_began_is_finished_by_any_other() {
    let ping = to(Role::Server, FIN | PING, b"abcdef").bytes();
    let message = [to(Role::Server, FIN | BINARY, b"data")];
    let ends = ends().chain(endpoints_with(Compression::Takeover));
    for end in ends.filter(|end| end.role == Role::Server) {
        let afters = || Operation::reading(end.kind);
        for (before, after) in CALLS.iter().flat_map(|a| afters().map(move |b| (*a, b))) {
            for cut in 1..ping.len() {
                let _replay = Replay(|| format!("{end:?} {before:?} {after:?} {cut}"));
                let peer = ScriptedPeer::saying([&ping[..cut]]);
                let mut socket = end.with(&peer);
                let interrupted = before.make(socket.as_mut());
                if before == Call::ReadHeader && cut >= 6 {
                    interrupted.unwrap();
                } else {
                    assert!(interrupted.unwrap_err().is_would_block());
                }
                peer.say(&ping[cut..]);
                let said = end.peer().say(&message);
                peer.say(wire(&said));

                let mut hands = Hands::seeing(16);
                hands.take(&message[0].payload);
                let mut see = || {
                    after.call(socket.as_mut(), &mut hands).unwrap();
                    hands.seen().pop().unwrap()
                };
                let mut seen = see();
                if let Seen::Frame(_, Opcode::Ping, payload) = &seen {
                    assert_eq!(payload, b"abcdef");
                    seen = see();
                }
                match seen {
                    // A raw frame is as it was sent.
                    Seen::Frame(_, _, payload) => assert_eq!(payload, said[0].payload),
                    Seen::Message(.., payload) | Seen::Bytes(payload) => {
                        assert_eq!(payload, message[0].payload);
                    }
                    seen => assert_eq!(seen, Seen::Begun(Opcode::Binary)),
                }
                socket.flush().unwrap();
                let sent = oracle::judge(Terms::plain(Role::Client), &peer.written());
                assert_eq!(sent.events, [Event::Pong(b"abcdef".to_vec())]);
            }
        }
    }
}

/// A message that is read in pieces has no limit, as it is not held; the next one that is held has.
#[test]
fn the_limit_holds_for_a_whole_message_after_one_that_was_read_in_pieces() {
    let config = Config::default().limits(Limits::default().message(10));
    for end in endpoints_with(Compression::None) {
        let long = to(end.role, FIN | BINARY, [7; 20]);
        let peer = ScriptedPeer::saying([[long.bytes(), long.bytes()].concat()]);
        let mut socket = end.open(&peer, config).unwrap();
        let read = Call::MessageReader.make(socket.as_mut()).unwrap();
        assert_eq!(read.unwrap(), [7; 20], "{end:?}");
        let error = socket.next_message().unwrap_err();
        assert_eq!(
            error.close_code(),
            Some(CloseCode::MESSAGE_TOO_BIG),
            "{end:?}"
        );
    }
}

#[test]
fn a_message_that_was_skipped_in_part_is_given_to_no_call() {
    // By hand: an operation of the table goes on to the end of the message.
    type Begin = (&'static str, fn(&mut dyn Connection));
    let begins: [Begin; 2] = [
        ("read_frame", |socket| {
            let read = socket.read_frame(&mut [0; 16]).map(drop);
            assert!(read.unwrap_err().is_would_block());
        }),
        ("message_reader", |socket| {
            assert!(socket.message_reader().unwrap().is_some());
        }),
    ];
    for (end, (_, begin)) in servers().flat_map(|end| each(begins).map(move |begin| (end, begin))) {
        let mut speaker = end.peer();
        let mut say = |payload| wire(&speaker.say(&[to(Role::Server, FIN | BINARY, payload)]));
        let frame = say(&b"abcdef"[..]);
        let (head, tail) = frame.split_at(8); // the header and two bytes
        let peer = ScriptedPeer::default();
        let mut socket = end.with(&peer);
        assert!(socket.read_header().unwrap_err().is_would_block());
        peer.say(head);
        begin(socket.as_mut());
        assert!(socket.next_message().unwrap_err().is_would_block());

        assert!(socket.resume_message_reader().is_none());
        peer.say(tail);
        let next = say(b"next");
        peer.say(&next);
        peer.say(say(b"after it"));
        let mut buffer = [0; 16];
        let frame = socket.read_frame(&mut buffer).unwrap().unwrap();
        assert_eq!(frame.payload(), oracle::frames(&next)[0].payload);
        assert_eq!(
            socket.next_message().unwrap().unwrap().payload(),
            b"after it"
        );
    }
}

#[test]
fn a_reader_that_skips_the_message_before_it_does_not_resume_that_one() {
    for end in servers() {
        let mut speaker = end.peer();
        let first = speaker.say(&[to(Role::Server, BINARY, b"abc")]);
        let peer = ScriptedPeer::saying([wire(&first)]);
        let mut socket = end.with(&peer);
        socket.message_reader().unwrap().unwrap();
        assert!(socket.message_reader().unwrap_err().is_would_block());
        assert!(socket.resume_message_reader().is_none());
        let rest = [
            to(Role::Server, FIN, b"def"),
            to(Role::Server, FIN | BINARY, b"next"),
        ];
        peer.say(wire(&speaker.say(&rest)));
        let next = Call::MessageReader.make(socket.as_mut()).unwrap();
        assert_eq!(next.unwrap(), b"next");
    }
}

/// What one call gives.
#[derive(Debug)]
enum Given {
    Message(Vec<u8>),
    Frame(Vec<u8>),
    Beginning(Vec<u8>),
    Nothing,
    End,
}

/// Makes a call as an application that changes its mind all the time does.
fn any_call(call: Call, socket: &mut dyn Connection) -> Result<Given, Error> {
    let given = match call {
        Call::NextMessage | Call::ReadMessage => call.make(socket)?.map(Given::Message),
        Call::MessageReader => socket.message_reader()?.map(|mut reader| {
            let mut some = [0; 3];
            match reader.read(&mut some) {
                Ok(len) => Given::Beginning(some[..len].to_vec()),
                Err(_) => Given::Nothing,
            }
        }),
        Call::ReadHeader => call.make(socket)?.map(|_| Given::Nothing),
        Call::ReadFrame => {
            let mut buffer = [0xEE; 1024];
            let frame = socket.read_frame(&mut buffer)?;
            frame.map(|frame| Given::Frame(frame.payload().to_vec()))
        }
    };
    Ok(given.unwrap_or(Given::End))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 500, ..Default::default() })]

    #[test]
    fn calls_in_any_order_give_whole_messages_and_whole_frames_in_order_and_answer_every_ping(
        frames in legal(Role::Server),
        cuts in vec(any::<Index>(), 0..12),
        calls in vec(select(CALLS.to_vec()), 1..20),
        read_buffer in prop_oneof![1_usize..20, Just(4096)],
        kind in select(Kind::FRONT_ENDS.to_vec()),
        compression in select(Compression::ALL.to_vec()),
        silences in any::<bool>(),
    ) {
        let end = Endpoint { kind, role: Role::Server, compression };
        let said = end.peer().say(&frames);
        let bytes = wire(&said);
        let all = oracle::judge(Terms::plain(Role::Server), &wire(&frames)).events;
        let pieces = cut(&bytes, cuts.iter().map(|at| at.index(bytes.len() + 1)));
        let config = Config::default().read_buffer(read_buffer);
        let shown: Vec<_> = pieces.iter().map(|piece| piece.escape_ascii().to_string()).collect();
        let context = format!("{end:?} by {read_buffer}, {calls:?}, pieces {shown:?}");
        // A task goes on after a pause by itself, and not after a silence: then it is cancelled.
        let silences = silences && kind.waits();
        let mut unsaid = if silences { pieces.clone().into_iter() } else { vec![].into_iter() };
        let peer = ScriptedPeer::saying(if silences { vec![] } else { pieces }).with_pauses();
        let mut socket = end.open(&peer, config).unwrap();

        let mut messages = all.iter().filter_map(|event| match event {
            Event::Message(_, payload) => Some(payload),
            _ => None,
        });
        let mut in_order = said.iter().map(|frame| &frame.payload);
        let mut finished = false;
        for call in calls.iter().cycle() {
            match any_call(*call, socket.as_mut()) {
                Ok(Given::Message(message)) => {
                    prop_assert!(messages.any(|sent| *sent == message), "{message:x?}: {context}");
                }
                Ok(Given::Frame(frame)) => {
                    prop_assert!(in_order.any(|sent| *sent == frame), "{frame:x?}: {context}");
                }
                Ok(Given::Beginning(bytes)) => {
                    let begins = messages.clone().any(|sent| sent.windows(bytes.len().max(1)).any(|part| part == bytes));
                    prop_assert!(bytes.is_empty() || begins, "{bytes:x?}: {context}");
                }
                Ok(Given::Nothing) => {
                    // A header is only looked at: something else has to follow.
                    if calls.iter().all(|call| *call == Call::ReadHeader) {
                        break;
                    }
                }
                Ok(Given::End) => {
                    finished = true;
                    break;
                }
                Err(error) if error.is_would_block() => {
                    if let Some(piece) = unsaid.next() {
                        peer.say(piece);
                        continue;
                    }
                    finished = !peer.has_more();
                    if finished {
                        break;
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::MessageInProgress => {
                        if !calls.iter().any(|call| matches!(call, Call::NextMessage | Call::ReadMessage)) {
                            break;
                        }
                    }
                    other => prop_assert!(false, "{other:?}: {context}"),
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
        prop_assert!(pings.starts_with(&answered), "{answered:x?} of {pings:x?}: {context}");
        if finished {
            prop_assert_eq!(answered, pings, "{}", context);
        }
    }
}
