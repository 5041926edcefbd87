//! Any messages, sent in any way: the bytes are legal to the oracle and every front end of the
//! other end gives the messages back.

use std::io::Write;

use framewire::blocking::PreparedMessage;
use framewire::frame::{Rsv, os_key};
use framewire::protocol::{Limits, Role, Session};
use framewire::{Config, Opcode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::arbitrary::{Message, message, ping_or_pong, role};
use support::compression::{Compression, heard};
use support::connection::{Connection, Endpoint, Kind, endpoints};
use support::event::{End, Event};
use support::frames::PING;
use support::front_end::{self, Script};
use support::oracle::{self, Parsed, Terms};
use support::peer::{Manner, ScriptedPeer, Taking, cut};

type Control = Option<(u8, Vec<u8>)>;

/// A way to send a message.
#[derive(Debug, Clone)]
enum Method {
    Write,
    Feed,
    Stream { chunk: usize, step: usize },
    Push { pieces: Vec<usize>, flush: bool },
    Prepared,
    Frames { cuts: Vec<(Index, Control)> },
}

fn method() -> impl Strategy<Value = Method> {
    let cuts = vec((any::<Index>(), option::of(ping_or_pong())), 0..5);
    prop_oneof![
        Just(Method::Write),
        Just(Method::Feed),
        (1_usize..4096, 1_usize..50).prop_map(|(chunk, step)| Method::Stream { chunk, step }),
        (vec(1_usize..60, 1..5), any::<bool>())
            .prop_map(|(pieces, flush)| Method::Push { pieces, flush }),
        Just(Method::Prepared),
        cuts.prop_map(|cuts| Method::Frames { cuts }),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL.to_vec())
}

fn compression() -> impl Strategy<Value = Compression> {
    select(Compression::ALL.to_vec())
}

/// A kind of connection, and a stream's manners that need no second try of its calls.
fn kind_and_manner() -> impl Strategy<Value = (Kind, Manner)> {
    let all = [
        Manner::Smooth,
        Manner::ByteByByte,
        Manner::Stalling,
        Manner::Spurious,
    ];
    kind().prop_flat_map(move |kind| {
        let manners = if kind.waits() { &all[..] } else { &all[..2] };
        (Just(kind), select(manners.to_vec()))
    })
}

fn opcode(text: bool) -> Opcode {
    if text { Opcode::Text } else { Opcode::Binary }
}

fn peer_of(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

/// Cuts a message into fragments: whether it is the last, its opcode, its bytes, and the control
/// frame that goes before it.
fn fragments<'a>(
    (text, bytes): &'a Message,
    cuts: &'a [(Index, Control)],
) -> Vec<(bool, Opcode, &'a [u8], &'a Control)> {
    let mut places: Vec<_> = cuts
        .iter()
        .map(|(at, _)| at.index(bytes.len() + 1))
        .collect();
    places.sort_unstable();
    let starts = [0].into_iter().chain(places.iter().copied());
    let ends = places.iter().copied().chain([bytes.len()]);
    let controls = [&None]
        .into_iter()
        .chain(cuts.iter().map(|(_, control)| control));
    let last = cuts.len();
    starts
        .zip(ends)
        .zip(controls)
        .enumerate()
        .map(|(i, ((start, end), control))| {
            let opcode = if i == 0 {
                opcode(*text)
            } else {
                Opcode::Continuation
            };
            (i == last, opcode, &bytes[start..end], control)
        })
        .collect()
}

fn send(
    socket: &mut dyn Connection,
    message: &Message,
    method: &Method,
    chunk_size: usize,
) -> Vec<Event> {
    let (text, bytes) = message;
    let opcode = opcode(*text);
    let mut events = vec![];
    match method {
        Method::Write => socket.write_message(opcode, bytes).unwrap(),
        Method::Feed => socket.feed_message(opcode, bytes).unwrap(),
        Method::Stream { chunk, step } => {
            let chunk = 1 + chunk % chunk_size;
            let mut reader = ScriptedPeer::new(bytes.clone()).in_pieces_of(*step);
            let sent = socket.stream_message(opcode, chunk, &mut reader).unwrap();
            assert_eq!(sent, bytes.len() as u64);
        }
        Method::Push { pieces, flush } => {
            let mut writer = socket.message_writer(opcode).unwrap();
            let mut rest = &bytes[..];
            for piece in pieces.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, left) = rest.split_at(rest.len().min(*piece));
                writer.write_all(piece).unwrap();
                if *flush {
                    writer.flush().unwrap();
                }
                rest = left;
            }
            assert_eq!(writer.finish().unwrap(), bytes.len() as u64);
        }
        Method::Prepared => {
            let prepared = PreparedMessage::new(opcode, bytes).unwrap();
            socket.write_prepared(&prepared).unwrap();
        }
        Method::Frames { cuts } => {
            for (fin, opcode, payload, control) in fragments(message, cuts) {
                if let Some((opcode, payload)) = control {
                    if *opcode == PING {
                        socket.ping(payload).unwrap();
                        events.push(Event::Ping(payload.clone()));
                    } else {
                        socket.pong(payload).unwrap();
                        events.push(Event::Pong(payload.clone()));
                    }
                }
                socket.write_frame(fin, Rsv::NONE, opcode, payload).unwrap();
            }
        }
    }
    events.push(Event::Message(opcode, bytes.clone()));
    events
}

/// Legal to the oracle, masked as the role must, and given back by every front end.
fn check_sent(
    (sender, compression): (Role, Compression),
    sent: &[u8],
    expected: &[Event],
    cuts: &[Index],
) -> Vec<Parsed> {
    let plain = heard(compression, sent);
    let verdict = oracle::judge(Terms::plain(peer_of(sender)), &plain);
    let literal = sent.escape_ascii();
    assert_eq!(verdict.events, expected, "{sender:?} sent b\"{literal}\"");
    assert_eq!(verdict.end, End::Open);
    let frames = oracle::frames(sent);
    assert!(
        frames
            .iter()
            .all(|frame| frame.key.is_some() == (sender == Role::Client))
    );
    // RFC 6455 5.3: a new key for each frame. Two in a row are the same once in 2^32.
    for pair in frames.windows(3) {
        assert!(sender == Role::Server || pair[0].key != pair[1].key || pair[1].key != pair[2].key);
    }
    let mut script = Script::new(peer_of(sender), sent);
    script.compression = compression;
    script.plain = Some(plain);
    script.pieces = cut(sent, cuts.iter().map(|at| at.index(sent.len() + 1)));
    front_end::check(&script);
    frames
}

/// All of them, as plainly as they go.
fn methods() -> [Method; 6] {
    [
        Method::Write,
        Method::Feed,
        Method::Stream {
            chunk: 4095,
            step: usize::MAX,
        },
        Method::Push {
            pieces: vec![usize::MAX],
            flush: false,
        },
        Method::Prepared,
        Method::Frames { cuts: vec![] },
    ]
}

/// The rule, by hand: the message of RFC 6455 5.7 and of RFC 7692 7.2.3.1 by every method.
#[test]
fn hello_by_every_method_is_what_the_rfcs_say() {
    for end in endpoints().filter(|end| end.role == Role::Server) {
        for method in methods() {
            let peer = ScriptedPeer::default();
            let mut socket = end.with(&peer);
            let hello = (true, b"Hello".to_vec());
            send(socket.as_mut(), &hello, &method, 4096);
            socket.flush().unwrap();
            // A frame that is sent as such is not compressed.
            let is_raw = matches!(method, Method::Frames { .. });
            let expected = match end.compression {
                Compression::None => &b"\x81\x05Hello"[..],
                _ if is_raw => b"\x81\x05Hello",
                _ => b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00",
            };
            assert_eq!(peer.written(), expected, "{method:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..Default::default() })]

    #[test]
    fn every_method_of_a_websocket_in_any_order(
        (role, compression) in (role(), compression()),
        (kind, manner) in kind_and_manner(),
        messages in vec((message(), method()), 1..6),
        chunk_size in prop_oneof![1_usize..40, Just(4096)],
        write_buffer in prop_oneof![1_usize..200, Just(1 << 16)],
        at_most in option::of(1_usize..50),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let peer = ScriptedPeer::default()
            .behaving(manner)
            .taking(at_most.map_or(Taking::All, Taking::AtMost));
        let config = Config { chunk_size, write_buffer, ..Config::default() };
        let end = Endpoint { kind, role, compression };
        let mut socket = end.open(&peer, config).unwrap();
        let mut events = vec![];
        for (message, method) in &messages {
            events.extend(send(socket.as_mut(), message, method, chunk_size));
        }
        socket.flush().unwrap();
        prop_assert!(!socket.has_pending_output());
        check_sent((role, compression), &peer.written(), &events, &cuts);
    }

    #[test]
    fn a_streamed_message_has_full_fragments_and_fin_on_the_last_which_is_not_empty(
        role in role(),
        kind in kind(),
        (text, bytes) in message(),
        chunk_size in 1_usize..40,
        step in 1_usize..50,
    ) {
        let config = Config { chunk_size, ..Config::default() };
        let peer = ScriptedPeer::default();
        let mut socket = kind.open(&peer, role, config).unwrap();
        let mut reader = ScriptedPeer::new(bytes.clone()).in_pieces_of(step);
        socket.stream_message(opcode(text), chunk_size, &mut reader).unwrap();
        let event = Event::Message(opcode(text), bytes.clone());
        let frames = check_sent((role, Compression::None), &peer.written(), &[event], &[]);
        let (last, others) = frames.split_last().unwrap();
        prop_assert!(last.fin && (last.declared > 0 || bytes.is_empty()));
        prop_assert!(others.iter().all(|frame| frame.declared == chunk_size as u64));
    }

    #[test]
    fn sessions_talk_with_fragments_and_control_frames_in_between(
        (role, compression) in (role(), compression()),
        messages in vec((message(), vec((any::<Index>(), option::of(ping_or_pong())), 0..5)), 1..6),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let mut session = match role {
            Role::Server => Session::server(Limits::default()),
            Role::Client => Session::client(Limits::default(), os_key),
        };
        if let Some(agreed) = compression.negotiated() {
            session.set_extension(&agreed);
        }
        let (mut sent, mut events) = (vec![], vec![]);
        for (message, cuts) in &messages {
            if cuts.is_empty() {
                session.send(opcode(message.0), &message.1, &mut sent).unwrap();
            } else {
                for (fin, opcode, payload, control) in fragments(message, cuts) {
                    if let Some((bits, payload)) = control {
                        let opcode = Opcode::from_bits(*bits).unwrap();
                        session.send_frame(true, Rsv::NONE, opcode, payload, &mut sent).unwrap();
                        events.push(Event::from_control(opcode, payload));
                    }
                    session.send_frame(fin, Rsv::NONE, opcode, payload, &mut sent).unwrap();
                }
            }
            events.push(Event::Message(opcode(message.0), message.1.clone()));
        }
        check_sent((role, compression), &sent, &events, &cuts);
    }
}

#[test]
fn a_message_of_every_way_to_write_its_length_by_every_method() {
    let methods = methods();
    for end in endpoints() {
        // Compressed they have another length on the wire.
        let lengths: &[u32] = match end.compression {
            Compression::None => &[0, 1, 125, 126, 127, 4096, 4097, 65535, 65536, 300_000],
            _ => &[0, 1, 126, 4097, 65536],
        };
        for &len in lengths {
            let payload: Vec<_> = (0..len).map(|i| (i % 251) as u8).collect();
            let peer = ScriptedPeer::default();
            let mut socket = end.with(&peer);
            let mut events = vec![];
            for method in &methods {
                let message = (false, payload.clone());
                events.extend(send(socket.as_mut(), &message, method, 4096));
            }
            socket.flush().unwrap();
            let written = peer.written();
            let terms = Terms::plain(peer_of(end.role));
            let verdict = oracle::judge(terms, &end.heard(&written));
            assert_eq!((verdict.events, verdict.end), (events, End::Open), "{len}");
            // All but what is sent frame by frame is compressed.
            let compressed = oracle::frames(&written)
                .iter()
                .filter(|frame| frame.rsv != 0)
                .count();
            let expected = match end.compression {
                Compression::None => 0,
                _ => methods.len() - 1,
            };
            assert_eq!(compressed, expected, "{len}");
        }
    }
}
