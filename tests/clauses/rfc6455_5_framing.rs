//! RFC 6455 section 5, framing, but for control frames: one test per MUST, named for its clause.

use framewire::Outgoing;
use framewire::frame::{Rsv, Violation};
use framewire::protocol::{Encoder, Limits, Role, SendError};
use framewire::{CloseCode, Config, ErrorKind, Opcode};
use support::connection::{Connection, Endpoint, all_ends, ends};
use support::event::{End, Event};
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, KEY, Length, PING, PONG, RSV1, RSV2, RSV3, TEXT, to, wire,
};
use support::front_end::{self, Script, assert_given, assert_refused};
use support::oracle::{self, Parsed};
use support::peer::ScriptedPeer;

const BOTH: [Role; 2] = [Role::Server, Role::Client];

fn socket(end: Endpoint) -> (ScriptedPeer, Box<dyn Connection>) {
    let config = Config::default().chunk_size(100);
    let peer = ScriptedPeer::default();
    let socket = end.open(&peer, config).unwrap();
    (peer, socket)
}

/// One frame of each kind, by each way to send, with the replies to a Ping and a Close.
fn one_of_each(end: Endpoint) -> Vec<Parsed> {
    let (peer, mut socket) = socket(end);
    socket.write("text").unwrap();
    socket.write([7; 300]).unwrap();
    socket.feed(b"").unwrap();
    socket
        .stream_message(Opcode::Binary, 100, &mut &[8; 250][..])
        .unwrap();
    socket
        .write_frame(false, Rsv::NONE, Opcode::Text, b"frag")
        .unwrap();
    socket.ping(b"ping").unwrap();
    socket.pong(b"pong").unwrap();
    socket
        .write_frame(true, Rsv::NONE, Opcode::Continuation, b"ment")
        .unwrap();
    let asked = [
        to(end.role, FIN | PING, b"ping"),
        to(end.role, FIN | CLOSE, b"\x03\xE8"),
    ];
    peer.say(wire(&asked));
    assert!(socket.next_message().unwrap().is_none());
    let frames = oracle::frames(&peer.written());
    assert_eq!(frames.len(), 12);
    frames
}

fn text(text: &str) -> Event {
    Event::Message(Opcode::Text, text.as_bytes().to_vec())
}

fn refused(role: Role, bad: impl AsRef<[u8]>, violation: Violation) {
    assert_refused(role, Limits::UNLIMITED, bad, violation, 1002);
}

#[test]
fn rfc6455_5_1_client_masks_every_frame() {
    for end in ends().filter(|end| end.role == Role::Client) {
        let frames = one_of_each(end);
        assert!(frames.iter().all(|frame| frame.key.is_some()));
    }
}

#[test]
fn rfc6455_5_1_server_closes_on_an_unmasked_frame() {
    for first in [FIN | TEXT, BINARY, FIN | PING, FIN | PONG, FIN | CLOSE] {
        let frame = to(Role::Server, first, b"").with_mask(None);
        refused(Role::Server, frame.bytes(), Violation::Unmasked);
    }
}

#[test]
fn rfc6455_5_1_server_masks_no_frame() {
    for end in ends().filter(|end| end.role == Role::Server) {
        let frames = one_of_each(end);
        assert!(frames.iter().all(|frame| frame.key.is_none()));
    }
}

#[test]
fn rfc6455_5_1_client_closes_on_a_masked_frame() {
    for first in [FIN | TEXT, BINARY, FIN | PING, FIN | PONG, FIN | CLOSE] {
        let frame = to(Role::Client, first, b"").with_mask(Some(KEY));
        refused(Role::Client, frame.bytes(), Violation::Masked);
    }
}

#[test]
fn rfc6455_5_2_reserved_bits_are_not_sent() {
    for end in ends() {
        let frames = one_of_each(end);
        assert!(frames.iter().all(|frame| frame.rsv == 0));
        for rsv in [Rsv::RSV1, Rsv::RSV2, Rsv::RSV3] {
            let (peer, mut socket) = socket(end);
            let error = socket
                .write(Outgoing::new(Opcode::Text, b"").rsv(rsv))
                .unwrap_err();
            let expected = SendError::ReservedBits(rsv);
            assert!(matches!(error.kind(), ErrorKind::Send(found) if *found == expected));
            assert!(peer.written().is_empty());
        }
    }
}

#[test]
fn rfc6455_5_2_reserved_bits_fail_the_connection() {
    for role in BOTH {
        for bits in [RSV1, RSV2, RSV3] {
            for first in [
                FIN | TEXT,
                TEXT,
                FIN | BINARY,
                FIN | PING,
                FIN | PONG,
                FIN | CLOSE,
            ] {
                let frame = to(role, bits | first, b"").bytes();
                let violation = Violation::ReservedBits(Rsv::from_first_byte(bits));
                refused(role, frame, violation);
            }
        }
    }
}

#[test]
fn rfc6455_5_2_reserved_opcode_fails_the_connection() {
    for role in BOTH {
        for opcode in (0x3..=0x7).chain(0xB..=0xF) {
            let frame = to(role, FIN | opcode, b"").bytes();
            refused(role, frame, Violation::ReservedOpcode(opcode));
        }
    }
}

#[test]
fn rfc6455_5_2_top_bit_of_a_length() {
    for role in BOTH {
        let with = |len| {
            to(role, FIN | BINARY, b"")
                .with_length(Length::Declared(len))
                .bytes()
        };
        refused(role, with(1 << 63), Violation::LengthTopBit);
        assert_given(role, with((1 << 63) - 1), &[], End::Open);
    }
}

#[test]
fn rfc6455_5_2_minimal_length() {
    for role in BOTH {
        for (len, bits) in [(0, 16), (125, 16), (0, 64), (126, 64), (65535, 64)] {
            let frame = to(role, FIN | BINARY, vec![0; len]).with_length(Length::Bits(bits));
            refused(role, frame.bytes(), Violation::NonMinimalLength);
        }
    }
}

#[test]
fn rfc6455_5_2_minimal_length_is_sent() {
    for end in all_ends() {
        let mask = if end.role == Role::Client { 4 } else { 0 };
        for (len, header) in [(0, 2), (125, 2), (126, 4), (65535, 4), (65536, 10)] {
            let peer = ScriptedPeer::default();
            let opened = end.messaging(&peer, Config::default());
            let mut socket = opened.unwrap();
            socket.write(vec![0; len]).unwrap();
            assert_eq!(peer.written().len(), header + mask + len);
            // Refuses what is not minimal.
            assert_eq!(oracle::frames(&peer.written()).len(), 1);
        }
    }
}

#[test]
fn rfc6455_5_3_masking_algorithm() {
    // Every length modulo 4 and modulo 8, with a key whose octets differ.
    for len in 0..40_u8 {
        let payload: Vec<_> = (0..len).collect();
        let frame = to(Role::Server, FIN | BINARY, &payload).bytes();
        for (i, octet) in frame[6..].iter().enumerate() {
            assert_eq!(octet ^ frame[2 + i % 4], payload[i]);
        }
        let event = Event::Message(Opcode::Binary, payload.clone());
        assert_given(Role::Server, frame, &[event], End::Open);
    }
}

#[test]
fn rfc6455_5_3_every_frame_has_a_fresh_key() {
    let clients = ends().filter(|end| end.role == Role::Client);
    let mut keys: Vec<_> = clients
        .flat_map(one_of_each)
        .map(|frame| frame.key)
        .collect();
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    // 48 random words of 32 bits: two are equal once in 4 million runs.
    assert_eq!(keys.len(), count);
}

#[test]
fn rfc6455_5_3_no_entropy_no_frame() {
    let mut encoder = Encoder::client(|| None);
    for opcode in [Opcode::Text, Opcode::Binary, Opcode::Ping, Opcode::Close] {
        let refused = encoder.frame(true, Rsv::NONE, opcode, b"");
        assert_eq!(refused.unwrap_err(), SendError::NoEntropy);
    }
}

#[test]
fn rfc6455_5_4_fragmented_and_whole_messages() {
    for role in BOTH {
        let bytes = wire(&[
            to(role, FIN | TEXT, "whole"),
            to(role, TEXT, "in "),
            to(role, CONTINUATION, "three "),
            to(role, FIN | CONTINUATION, "parts"),
            to(role, FIN | TEXT, ""),
            to(role, TEXT, ""),
            to(role, FIN | CONTINUATION, ""),
        ]);
        let events = ["whole", "in three parts", "", ""].map(text);
        assert_given(role, bytes, &events, End::Open);
    }
}

#[test]
fn rfc6455_5_4_fragments_in_order() {
    for role in BOTH {
        let mut frames = vec![to(role, BINARY, [0])];
        frames.extend((1..100).map(|n| to(role, CONTINUATION, [n])));
        frames.push(to(role, FIN | CONTINUATION, [100]));
        let event = Event::Message(Opcode::Binary, (0..=100).collect());
        assert_given(role, wire(&frames), &[event], End::Open);
    }
}

#[test]
fn rfc6455_5_4_interleaved_messages_fail_the_connection() {
    for role in BOTH {
        let frames = [to(role, TEXT, ""), to(role, FIN | BINARY, "other")];
        refused(
            role,
            wire(&frames),
            Violation::ExpectedContinuation(Opcode::Binary),
        );
        // Each frame in a read of its own: the second could be a message by itself.
        let mut script = Script::new(role, []);
        script.pieces = frames.map(|frame| wire(&[frame])).to_vec();
        script.pauses = true;
        front_end::check(&script);
    }
}

#[test]
fn rfc6455_5_4_interleaved_messages_are_not_sent() {
    for end in ends() {
        let (peer, mut socket) = socket(end);
        socket
            .write_frame(false, Rsv::NONE, Opcode::Text, b"be")
            .unwrap();
        for opcode in [Opcode::Text, Opcode::Binary] {
            let error = socket.write((opcode, b"other")).unwrap_err();
            let open = SendError::MessageOpen(Opcode::Text);
            assert!(matches!(error.kind(), ErrorKind::Send(found) if *found == open));
        }
        socket
            .write_frame(true, Rsv::NONE, Opcode::Continuation, b"gun")
            .unwrap();
        assert_eq!(oracle::frames(&peer.written()).len(), 2);
    }
}

#[test]
fn rfc6455_5_4_control_frames_inside_a_message() {
    for role in BOTH {
        let mut frames = vec![
            to(role, TEXT, "be"),
            to(role, FIN | PING, "1"),
            to(role, CONTINUATION, "gu"),
            to(role, FIN | PONG, "2"),
            to(role, FIN | CONTINUATION, "n"),
        ];
        let events = [
            Event::Ping(b"1".to_vec()),
            Event::Pong(b"2".to_vec()),
            text("begun"),
        ];
        assert_given(role, wire(&frames), &events, End::Open);

        frames.truncate(3);
        frames.push(to(role, FIN | CLOSE, ""));
        let events = [
            Event::Ping(b"1".to_vec()),
            Event::Close(None, String::new()),
        ];
        for front_end in front_end::all() {
            let outcome = front_end.run(&Script::new(role, wire(&frames)));
            assert_eq!(
                (&outcome.events[..], outcome.end),
                (&events[..], End::Closed)
            );
        }
    }
}

#[test]
fn rfc6455_5_4_type_of_a_message_is_its_first_frames() {
    for role in BOTH {
        // Bytes that are no UTF-8 are for binary messages, in whatever fragment.
        let bytes = wire(&[to(role, BINARY, b"\xFF"), to(role, FIN, b"\xFE")]);
        let event = Event::Message(Opcode::Binary, b"\xFF\xFE".to_vec());
        assert_given(role, bytes, &[event], End::Open);
        let bytes = wire(&[to(role, TEXT, b""), to(role, FIN, b"\xFE")]);
        assert_refused(role, Limits::UNLIMITED, bytes, Violation::InvalidUtf8, 1007);
    }
}

#[test]
fn rfc6455_5_4_stray_continuation() {
    for role in BOTH {
        for first in [CONTINUATION, FIN | CONTINUATION] {
            let frame = to(role, first, b"stray").bytes();
            refused(role, frame, Violation::UnexpectedContinuation);
        }
    }
    for end in ends() {
        let (_, mut socket) = socket(end);
        let error = socket.write_frame(true, Rsv::NONE, Opcode::Continuation, b"");
        let error = error.unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Send(SendError::NoMessageOpen)
        ));
    }
}

#[test]
fn rfc6455_5_6_text_is_utf8_as_a_whole() {
    for end in ends() {
        // A frame may end inside a character, the message may not.
        let frames: Vec<_> = "€😀"
            .bytes()
            .map(|byte| to(end.role, CONTINUATION, [byte]))
            .collect();
        let mut bytes = to(end.role, TEXT, b"").bytes();
        bytes.extend(wire(&frames));
        bytes.extend(to(end.role, FIN | CONTINUATION, b"").bytes());
        assert_given(end.role, bytes, &[text("€😀")], End::Open);

        let (_, mut socket) = socket(end);
        socket
            .write_frame(false, Rsv::NONE, Opcode::Text, b"\xE2\x82")
            .unwrap();
        let cut_off = socket.write_frame(true, Rsv::NONE, Opcode::Continuation, b"");
        let error = cut_off.unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Send(SendError::InvalidUtf8)
        ));
        socket
            .write_frame(true, Rsv::NONE, Opcode::Continuation, b"\xAC")
            .unwrap();
    }
}

#[test]
fn rfc6455_5_7_examples() {
    let hello = [text("Hello")];
    assert_given(Role::Client, b"\x81\x05Hello", &hello, End::Open);
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_given(Role::Server, masked, &hello, End::Open);
    assert_given(Role::Client, b"\x01\x03Hel\x80\x02lo", &hello, End::Open);
    let ping = [Event::Ping(b"Hello".to_vec())];
    assert_given(Role::Client, b"\x89\x05Hello", &ping, End::Open);
    let answer = [Event::Pong(b"Hello".to_vec())];
    let masked = b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    assert_given(Role::Server, masked, &answer, End::Open);
    for (header, len) in [
        (&b"\x82\x7E\x01\x00"[..], 256),
        (b"\x82\x7F\0\0\0\0\0\x01\0\0", 65536),
    ] {
        let payload = vec![0x5A; len];
        let script = Script::new(Role::Client, [header, &payload].concat());
        front_end::check(&script);
        let event = Event::Message(Opcode::Binary, payload);
        for front_end in front_end::all() {
            assert_eq!(front_end.run(&script).events, std::slice::from_ref(&event));
        }
    }
}

#[test]
fn rfc6455_5_8_extension_bits_only_where_negotiated() {
    for role in BOTH {
        // RFC 7692 6: RSV1 on the first frame of a message, and on no other.
        let first = to(role, RSV1 | TEXT, b"\xFF not UTF-8 yet");
        let last = to(role, FIN | CONTINUATION, b"\xFE");
        let good = [first.clone(), last.clone()];
        let continued = [first.clone(), to(role, RSV1 | FIN | CONTINUATION, b"")];
        let control = [to(role, RSV1 | FIN | PING, b"")];
        let other = [to(role, RSV2 | FIN | TEXT, b"")];
        for (frames, violation) in [
            (&good[..], None),
            (&continued, Some(Rsv::RSV1)),
            (&control, Some(Rsv::RSV1)),
            (&other, Some(Rsv::RSV2)),
        ] {
            let mut script = Script::new(role, wire(frames));
            script.terms.rsv = RSV1;
            front_end::check(&script);
            let end = violation.map_or(End::Open, |rsv| {
                End::Violation(Violation::ReservedBits(rsv))
            });
            for front_end in front_end::all() {
                assert_eq!(front_end.run(&script).end, end, "{}", front_end.name());
            }
        }
        assert_eq!(
            Violation::ReservedBits(Rsv::RSV1).close_code(),
            CloseCode::PROTOCOL_ERROR
        );
    }
}
