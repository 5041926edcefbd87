//! What a peer can do to us with many frames, or with none (DESIGN 6): memory stays flat, work
//! linear, and the Close frame is sent once. Everything is counted; nothing is timed.

use allocation_counter::measure;
use framewire::frame::{Violation, os_key};
use framewire::protocol::{Decoder, Event, Limits, MessageBuffer, Role, Session};
use framewire::{CloseCode, Config, ErrorKind, Opcode, Side};
use support::compression::Compression;
use support::connection::{Kind, all_endpoints, endpoints, endpoints_with};
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, Length, PING, TEXT, close_payload, to, wire,
};
use support::operations::{Hands, Operation, Sends};
use support::peer::{ScriptedPeer, Taking};
use support::{each, oracle, pattern};

/// How many bytes arrive at a time.
const READ: usize = 16 << 10;

/// The rule, by hand: nothing is held for a Ping but its Pong, and of the Pongs that wait the last one
/// is enough (RFC 6455 5.5.3).
#[test]
fn hostile_flood_of_two_pings_is_answered_by_one_pong() {
    let mut session = Session::server(Limits::default());
    let mut message = MessageBuffer::new();
    for ping in [b"\x89\x81\0\0\0\0a", b"\x89\x81\0\0\0\0b"] {
        session.receive(&mut ping.to_owned(), &mut message).unwrap();
    }
    let mut output = vec![];
    while session.write_reply(&mut output).unwrap() {}
    assert_eq!(output, b"\x8A\x01b");
    assert_eq!(message.capacity(), 0);
}

/// The rule, by hand: a length that a frame announces costs no memory before its bytes come.
#[test]
fn hostile_frame_of_2_to_the_62_bytes_of_which_two_have_come_takes_those_two() {
    let mut session = Session::server(Limits::UNLIMITED);
    let mut message = MessageBuffer::new();
    let mut input = *b"\x82\xFF\x40\0\0\0\0\0\0\0\0\0\0\0hi";
    let (used, event) = session.receive(&mut input, &mut message).unwrap();
    assert_eq!((used, event), (16, None));
    assert!(message.capacity() <= 64, "{message:?}");
}

fn session(role: Role, limits: Limits) -> Session {
    match role {
        Role::Server => Session::server(limits),
        Role::Client => Session::client(limits, os_key),
    }
}

/// Ping number `n`.
fn ping(role: Role, n: u32) -> Vec<u8> {
    to(role, FIN | PING, n.to_be_bytes()).bytes()
}

#[test]
fn hostile_ping_flood_leaves_a_session_with_one_pong() {
    for role in each([Role::Server, Role::Client]) {
        let mut session = session(role, Limits::default());
        let mut message = MessageBuffer::new();
        for n in 0..100_000 {
            let mut input = ping(role, n);
            let (used, event) = session.receive(&mut input, &mut message).unwrap();
            assert_eq!(event, Some(Event::Ping(&n.to_be_bytes())));
            assert_eq!(used, if role == Role::Server { 10 } else { 6 });
        }
        assert_eq!(message.capacity(), 0);
        let mut output = vec![];
        while session.write_reply(&mut output).unwrap() {}
        let [pong] = &oracle::frames(&output)[..] else {
            panic!("{output:x?}");
        };
        assert_eq!(pong.opcode, Opcode::Pong);
        assert_eq!(pong.payload, 99_999_u32.to_be_bytes());
    }
}

#[test]
fn hostile_ping_flood_fills_the_write_buffer_of_a_websocket_and_no_more() {
    for end in endpoints() {
        let flood: Vec<_> = (0..50_000).flat_map(|n| ping(end.role, n)).collect();
        let peer = ScriptedPeer::saying([flood]).taking(Taking::Nothing);
        let mut socket = end.with(&peer);
        let held = measure(|| {
            assert!(socket.next_message().unwrap_err().is_would_block());
        });
        let Config {
            read_buffer,
            write_buffer,
            ..
        } = Config::default();
        if end.kind.is_counted() {
            let most = 2 * write_buffer + read_buffer + 10_000;
            assert!(held.bytes_max < most as u64, "{held:?}");
        }
        assert!(!peer.has_more(), "reading goes on");
        assert!(socket.has_pending_output());

        peer.set_taking(Taking::All);
        socket.flush().unwrap();
        let sent = peer.written();
        let bound = write_buffer + 2 * (14 + 125);
        assert!(sent.len() <= bound, "{} bytes", sent.len());
        let pongs = oracle::frames(&sent);
        assert!(pongs.iter().all(|frame| frame.opcode == Opcode::Pong));
        let last = pongs.last().unwrap();
        assert_eq!(last.payload, 49_999_u32.to_be_bytes(), "the latest");
    }
}

/// The event loop writes before it reads again, so that no more waits than the answers to one read.
#[test]
fn hostile_ping_flood_is_answered_by_an_event_loop_as_far_as_the_peer_reads() {
    for role in each([Role::Server, Role::Client]) {
        let flood: Vec<_> = (0..50_000).flat_map(|n| ping(role, n)).collect();
        let bad = to(role, FIN | 0xB, b"").bytes();
        let peer = ScriptedPeer::saying([flood, bad]).taking(Taking::Nothing);
        let config = Config::default();
        let opened = Kind::EventLoop.messaging(&peer, role, config, None);
        let mut socket = opened.unwrap();
        let end = loop {
            let error = socket.next_message().unwrap_err();
            if !error.is_would_block() {
                break error;
            }
            // A Ping is 6 bytes or more, and its Pong at most 10.
            assert!(socket.buffered() <= 2 * config.read_buffer);
            peer.set_taking(Taking::Room(10_000));
        };
        let violation = Violation::ReservedOpcode(0xB);
        assert!(matches!(end.kind(), ErrorKind::Violation(found) if *found == violation));
        peer.set_taking(Taking::All);
        socket.flush().unwrap();
        let sent = oracle::frames(&peer.written());
        let (close, pongs) = sent.split_last().unwrap();
        let pongs = pongs.iter().map(|pong| (pong.opcode, &pong.payload[..]));
        let expected: Vec<_> = (0..50_000_u32).map(u32::to_be_bytes).collect();
        assert!(pongs.eq(expected.iter().map(|n| (Opcode::Pong, &n[..]))));
        assert_eq!(close.payload[..2], 1002_u16.to_be_bytes());
    }
}

/// A message of so many fragments with this payload each.
fn fragments(role: Role, count: usize, payload: &[u8]) -> Vec<Frame> {
    let mut frames = vec![to(role, CONTINUATION, payload); count];
    frames[0].first |= BINARY;
    frames[count - 1].first |= FIN;
    frames
}

#[test]
fn hostile_tiny_and_empty_fragments_are_accepted_in_linear_work() {
    for role in each([Role::Server, Role::Client]) {
        for (count, payload) in each([(130_000, &b"x"[..]), (300_000, b"")]) {
            let len = count * payload.len();
            let mut input = wire(&fragments(role, count, payload));
            let reads = input.len().div_ceil(READ);

            // A frame costs one call, and one more where a read cuts it in two.
            let mut decoder = Decoder::new(role, Limits::default());
            let (mut calls, mut given) = (0, 0);
            for chunk in input.clone().chunks_mut(READ) {
                let mut used = 0;
                while used < chunk.len() {
                    let (taken, piece) = decoder.decode(&mut chunk[used..]).unwrap();
                    used += taken;
                    calls += 1;
                    given += piece.map_or(0, |piece| piece.payload.len());
                }
            }
            assert_eq!(given, len);
            assert!(calls <= count + 2 * reads, "{calls} calls");

            // A whole read costs one call, and the memory doubles until it is enough.
            let mut session = session(role, Limits::default());
            let mut message = MessageBuffer::new();
            let mut capacities = vec![];
            let mut whole = None;
            for chunk in input.chunks_mut(READ) {
                let expected = chunk.len();
                let (used, event) = session.receive(chunk, &mut message).unwrap();
                assert_eq!(used, expected);
                if let Some(Event::Message(message)) = event {
                    whole = Some(message.payload().len());
                }
                capacities.push(message.capacity());
            }
            assert_eq!(whole, Some(len));
            capacities.dedup();
            assert!(capacities.len() <= 20, "{capacities:?}");
            assert!(message.capacity() <= 2 * len.max(4), "{capacities:?}");
        }
    }
}

#[test]
fn hostile_tiny_fragments_cost_a_websocket_one_read_for_each_full_buffer_and_memory_that_doubles() {
    let bytes = fragments(Role::Server, 13_000, b"x");
    let ping = to(Role::Server, FIN | PING, b"?");
    let with_pings = bytes.iter().flat_map(|frame| [ping.clone(), frame.clone()]);
    let mut characters = fragments(Role::Server, 13_000, b"\xE2\x82");
    characters[0].first = TEXT;
    for last in characters.iter_mut().skip(1).step_by(2) {
        last.payload = b"\xAC".to_vec();
    }
    let cases = [
        ("Pings between", with_pings.collect()),
        ("bytes", bytes),
        ("none", fragments(Role::Server, 30_000, b"")),
        ("characters in two", characters),
    ];
    for (name, frames) in &cases {
        println!("{name}");
        let data = frames.iter().filter(|frame| frame.first & 0x08 == 0);
        let len: usize = data.map(|frame| frame.payload.len()).sum();
        for compression in Compression::ALL {
            let input = compression.said(frames);
            let Config { read_buffer, .. } = Config::default();
            let reads = input.len().div_ceil(read_buffer);
            for end in endpoints_with(compression).filter(|end| end.role == Role::Server) {
                let peer = ScriptedPeer::saying([&input[..]]);
                peer.reserve(input.len());
                let mut socket = end.with(&peer);
                let taken = measure(|| {
                    assert_eq!(socket.next_message().unwrap().unwrap().payload().len(), len);
                });
                assert_eq!(peer.calls().reads, reads);
                if end.kind.is_counted() && compression == Compression::None {
                    let most = 4 * len + 2 * read_buffer;
                    assert!(taken.bytes_total < most as u64, "{taken:?}");
                }
            }
        }
    }
}

#[test]
fn hostile_declared_length_costs_what_has_arrived() {
    for role in each([Role::Server, Role::Client]) {
        for first in each([FIN | BINARY, BINARY]) {
            for declared in each([1 << 62, (1 << 63) - 1]) {
                let frame = to(role, first, b"ten bytes.").with_length(Length::Declared(declared));
                let mut session = session(role, Limits::UNLIMITED);
                let mut message = MessageBuffer::new();
                let mut input = frame.bytes();
                let len = input.len();
                let (used, event) = session.receive(&mut input, &mut message).unwrap();
                assert_eq!((used, event), (len, None));
                assert!(message.capacity() <= 64, "{message:?}");
            }
        }
    }
}

#[test]
fn hostile_limit_costs_no_memory() {
    let frame = to(Role::Server, FIN | BINARY, b"").with_length(Length::Declared(1 << 40));
    let mut session = Session::server(Limits::default());
    let mut message = MessageBuffer::new();
    let mut input = frame.bytes();
    let refused = session.receive(&mut input, &mut message).unwrap_err();
    let limit = Limits::default().message;
    assert_eq!(refused, Violation::MessageTooBig { limit });
    assert_eq!(message.capacity(), 0);
}

#[test]
fn hostile_peer_that_reads_nothing_is_reported_and_what_waits_is_bounded() {
    // None of which can be compressed, nor the same again in one window.
    let payloads = pattern(64_000);
    for end in endpoints() {
        for feed in each([true, false]) {
            let peer = ScriptedPeer::default().taking(Taking::Nothing);
            let mut socket = end.with(&peer);
            let (mut taken, mut buffered) = (0, 0);
            let mut payloads = payloads.chunks(1000).cycle();
            let error = loop {
                let payload = payloads.next().unwrap();
                let sent = if feed {
                    socket.feed(payload)
                } else {
                    socket.write(payload)
                };
                match sent {
                    Ok(()) => taken += 1,
                    // Taken, and then cancelled while it waited to be sent.
                    Err(_) if socket.buffered() > buffered => taken += 1,
                    Err(error) => break error,
                }
                buffered = socket.buffered();
                assert!(taken < 1000, "it has to end");
            };
            assert!(error.is_would_block(), "{error:?}");
            peer.set_taking(Taking::All);
            socket.flush().unwrap();
            let sent = peer.written();
            assert!(sent.len() <= Config::default().write_buffer + 14 + 1000);
            assert_eq!(
                oracle::frames(&end.heard(&sent)).len(),
                taken,
                "what was taken was sent"
            );
        }
    }
}

#[test]
fn hostile_violation_is_answered_once_whatever_follows() {
    for end in all_endpoints() {
        let bad = to(end.role, FIN | 0xB, b"").bytes();
        let peer = ScriptedPeer::saying([bad.clone(), bad]);
        let mut socket = end.messaging(&peer, Config::default()).unwrap();
        for _ in 0..3 {
            let error = socket.next_message().unwrap_err();
            let ErrorKind::Violation(violation) = error.kind() else {
                panic!("{error:?}");
            };
            assert_eq!(*violation, Violation::ReservedOpcode(0xB));
        }
        assert_eq!(peer.calls().reads, 1, "nothing after it is read");
        for operation in Operation::sending(end.kind) {
            let sent = operation.call(&mut *socket, &mut Hands::new(b"late", 16));
            if operation.is_of_bytes() && operation.sends == Sends::Close {
                sent.expect("it is closed");
                continue;
            }
            let error = sent.expect_err(operation.name);
            let closed = error.closed().unwrap();
            assert_eq!(closed.code(), CloseCode::PROTOCOL_ERROR);
            assert_eq!(closed.by, Side::Local);
        }
        socket.flush().unwrap();
        let [close] = &oracle::frames(&peer.written())[..] else {
            panic!("one close frame");
        };
        assert_eq!(close.payload[..2], 1002_u16.to_be_bytes());
    }
}

#[test]
fn hostile_violation_after_our_close_frame_gets_no_second_one() {
    for end in all_endpoints() {
        let bad = to(end.role, FIN | 0xB, b"").bytes();
        let peer = ScriptedPeer::saying([&bad[..]]);
        let mut socket = end.messaging(&peer, Config::default()).unwrap();
        socket.close(CloseCode::GOING_AWAY, "bye").unwrap();
        assert!(socket.next_message().is_err());
        socket.flush().unwrap();
        let frames = oracle::frames(&peer.written());
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].payload, close_payload(1001, "bye"));

        let mut session = session(end.role, Limits::default());
        let mut output = vec![];
        session
            .close(CloseCode::GOING_AWAY, "bye", &mut output)
            .unwrap();
        let (mut bad, mut message) = (bad, MessageBuffer::new());
        assert!(session.receive(&mut bad, &mut message).is_err());
        assert!(!session.write_reply(&mut output).unwrap());
        assert!(session.is_closed());
        assert_eq!(oracle::frames(&output).len(), 1);
    }
}

#[test]
fn hostile_close_flood_is_answered_once_and_beats_a_pending_pong() {
    for role in each([Role::Server, Role::Client]) {
        let closes = [1001, 1002, 1003].map(|code| to(role, FIN | CLOSE, close_payload(code, "")));
        let input = [ping(role, 0), wire(&closes)].concat();
        let mut session = session(role, Limits::default());
        let mut message = MessageBuffer::new();
        let mut output = vec![];
        let mut input = &mut input.clone()[..];
        while !input.is_empty() {
            let (used, _) = session.receive(input, &mut message).unwrap();
            input = &mut input[used..];
        }
        while session.write_reply(&mut output).unwrap() {}
        let [close] = &oracle::frames(&output)[..] else {
            panic!("{output:x?}");
        };
        assert_eq!(close.payload, 1001_u16.to_be_bytes());
    }
}

#[test]
fn hostile_close_is_sent_when_the_peer_reads_again() {
    let bad = to(Role::Server, FIN | 0xB, b"").bytes();
    let flood: Vec<_> = (0..20_000).flat_map(|n| ping(Role::Server, n)).collect();
    for end in endpoints().filter(|end| end.role == Role::Server) {
        let peer = ScriptedPeer::saying([&flood[..], &bad]).taking(Taking::Nothing);
        let mut socket = end.with(&peer);
        let ended = socket.next_message().unwrap_err();
        peer.set_taking(Taking::AtMost(1000));
        socket.flush().unwrap();
        // A task has waited with its error until the answer is sent.
        let error = if ended.is_would_block() {
            socket.next_message().unwrap_err()
        } else {
            ended
        };
        assert_eq!(error.close_code(), Some(CloseCode::PROTOCOL_ERROR));
        let frames = oracle::frames(&peer.written());
        let (last, pongs) = frames.split_last().unwrap();
        assert_eq!(last.opcode, Opcode::Close);
        assert!(pongs.iter().all(|frame| frame.opcode == Opcode::Pong));
    }
}
