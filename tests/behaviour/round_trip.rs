//! Any messages, sent in any way: the bytes are legal to the oracle and every front end of the
//! other end gives the messages back.

use framewire::frame::{Rsv, os_key};
use framewire::protocol::{Limits, Role, Session};
use framewire::{Config, Opcode};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::arbitrary::{Message, message, ping_or_pong, role};
use support::compression::{Compression, heard};
use support::connection::{Endpoint, Kind, Messaging, all_endpoints};
use support::event::{End, Event};
use support::front_end::{self, Script};
use support::operations::{Hands, Leaves, Operation, Sends, sample};
use support::oracle::{self, Parsed, Terms};
use support::peer::{Manner, ScriptedPeer, Taking, cut};
use support::{again, peer};

type Control = Option<(u8, Vec<u8>)>;

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let kinds = select(Kind::ALL.to_vec());
    (kinds, role(), compression()).prop_map(|(kind, role, compression)| Endpoint {
        kind,
        role,
        compression,
    })
}

fn compression() -> impl Strategy<Value = Compression> {
    select(Compression::ALL.to_vec())
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        Just(Manner::Smooth),
        Just(Manner::ByteByByte),
        Just(Manner::Stalling),
        Just(Manner::Spurious),
    ]
}

/// What a kind has that sends a message as one.
fn sending(kind: Kind) -> Vec<&'static Operation> {
    let messages = Operation::sending_messages(kind);
    messages.filter(|one| one.sends == Sends::Message).collect()
}

fn opcode(text: bool) -> Opcode {
    if text { Opcode::Text } else { Opcode::Binary }
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

/// Sends a message, and gives what the other end is to be given.
fn send(socket: &mut dyn Messaging, operation: &Operation, bytes: &[u8], step: usize) -> Event {
    let mut hands = Hands::new(bytes, step);
    again(|| operation.call(socket, &mut hands)).unwrap();
    Event::Message(hands.opcode(), hands.message)
}

/// What the peer of this role is given of what was sent: messages, and whatever went between them.
fn given(end: Endpoint, sent: &[u8], messages: &[Event]) -> Vec<Event> {
    let verdict = oracle::judge(Terms::plain(peer(end.role)), &end.heard(sent));
    assert_eq!(verdict.end, End::Open);
    let given = verdict.events.iter();
    let given = given.filter(|event| matches!(event, Event::Message(..)));
    assert!(given.eq(messages), "{:x?}", verdict.events);
    verdict.events
}

/// Legal to the oracle, masked as the role must, and given back by every front end.
fn check_sent(
    (sender, compression): (Role, Compression),
    sent: &[u8],
    expected: &[Event],
    cuts: &[Index],
) -> Vec<Parsed> {
    let plain = heard(compression, sent);
    let verdict = oracle::judge(Terms::plain(peer(sender)), &plain);
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
    let mut script = Script::new(peer(sender), sent);
    script.compression = compression;
    script.plain = Some(plain);
    script.pieces = cut(sent, cuts.iter().map(|at| at.index(sent.len() + 1)));
    front_end::check(&script);
    frames
}

/// The rule, by hand: the message of RFC 6455 5.7 and of RFC 7692 7.2.3.1 by every operation that sends it at
/// once.
#[test]
fn hello_by_every_operation_is_what_the_rfcs_say() {
    for end in all_endpoints().filter(|end| end.role == Role::Server) {
        for operation in sending(end.kind) {
            if let Leaves::Streamed { flushed: true } | Leaves::OneByOne = operation.leaves {
                continue;
            }
            let peer = ScriptedPeer::default();
            let mut socket = end.messaging(&peer, Config::default()).unwrap();
            send(socket.as_mut(), operation, b"Hello", 4096);
            socket.flush().unwrap();
            let expected = match end.compression {
                Compression::None => &b"\x81\x05Hello"[..],
                _ if operation.raw => b"\x81\x05Hello",
                _ => b"\xC1\x07\xF2\x48\xCD\xC9\xC9\x07\x00",
            };
            assert_eq!(peer.written(), expected, "{operation:?}");
        }
    }
}

/// The rule, by hand: a Ping between the fragments of RFC 6455 5.7.
#[test]
fn a_session_says_hello_in_two_fragments_with_a_ping_in_between() {
    let (mut session, mut sent) = (Session::server(Limits::default()), vec![]);
    for (fin, opcode, payload) in [
        (false, Opcode::Text, &b"Hel"[..]),
        (true, Opcode::Ping, b"?"),
        (true, Opcode::Continuation, b"lo"),
    ] {
        let framed = session.send_frame(fin, Rsv::NONE, opcode, payload, &mut sent);
        framed.unwrap();
    }
    assert_eq!(sent, b"\x01\x03Hel\x89\x01?\x80\x02lo");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 300, ..Default::default() })]

    #[test]
    fn every_operation_that_sends_in_any_order(
        (end, manner) in (endpoint(), manner()),
        messages in vec((message(), any::<Index>(), 0_usize..4096), 1..6),
        chunk_size in prop_oneof![1_usize..40, Just(4096)],
        write_buffer in prop_oneof![1_usize..200, Just(1 << 16)],
        at_most in option::of(1_usize..50),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let peer = ScriptedPeer::default()
            .behaving(manner)
            .taking(at_most.map_or(Taking::All, Taking::AtMost));
        let config = Config::default().chunk_size(chunk_size).write_buffer(write_buffer);
        let mut socket = end.messaging(&peer, config).unwrap();
        let mut sent = vec![];
        for ((_, bytes), operation, step) in &messages {
            let operation = operation.get(&sending(end.kind)).to_owned();
            sent.push(send(socket.as_mut(), operation, bytes, 1 + step % chunk_size));
        }
        again(|| socket.flush()).unwrap();
        prop_assert!(!socket.has_pending_output());
        let events = given(end, &peer.written(), &sent);
        check_sent((end.role, end.compression), &peer.written(), &events, &cuts);
    }

    #[test]
    fn a_streamed_message_has_full_fragments_and_fin_on_the_last_which_is_not_empty(
        role in role(),
        kind in select(Kind::FRONT_ENDS.to_vec()),
        (_, bytes) in message(),
        chunk_size in 1_usize..40,
        waits: bool,
    ) {
        let streams = ["stream_message", "stream_message from a source that would block"];
        let config = Config::default().chunk_size(chunk_size);
        let peer = ScriptedPeer::default();
        let mut socket = kind.open(&peer, role, config, None).unwrap();
        let stream = Operation::named(streams[usize::from(waits)]);
        let event = send(socket.as_mut(), stream, &bytes, chunk_size);
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
                session.send((opcode(message.0), &message.1), &mut sent).unwrap();
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
fn a_message_of_every_way_to_write_its_length_by_every_operation() {
    for end in all_endpoints() {
        // Compressed they have another length on the wire.
        let lengths: &[usize] = match (end.compression, end.kind) {
            (Compression::None, Kind::Blocking | Kind::Tokio) => {
                &[0, 1, 125, 126, 127, 4096, 4097, 65535, 65536]
            }
            (Compression::None, _) => &[0, 125, 126, 4097],
            _ => &[0, 1, 126, 4097],
        };
        for &len in lengths {
            let peer = ScriptedPeer::default();
            let mut socket = end.messaging(&peer, Config::default()).unwrap();
            let operations = sending(end.kind);
            let sent = operations.iter();
            let sent = sent.map(|one| send(socket.as_mut(), one, &sample(len), 4096));
            let sent: Vec<_> = sent.collect();
            socket.flush().unwrap();
            let written = peer.written();
            given(end, &written, &sent);
            let frames = oracle::frames(&written);
            let compressed = frames.iter().filter(|frame| frame.rsv != 0).count();
            let expected = match end.compression {
                Compression::None => 0,
                _ => operations.iter().filter(|one| !one.raw).count(),
            };
            assert_eq!(compressed, expected, "{len}");
        }
    }
}
