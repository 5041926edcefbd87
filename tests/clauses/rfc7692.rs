//! RFC 7692 sections 5 to 8, but for the negotiation: one test per MUST, named for its clause.

use std::io::{Read, Write};

use framewire::deflate::{Deflate, DeflateConfig, Negotiated, Parameters};
use framewire::frame::{CloseCode, Rsv, Violation};
use framewire::protocol::{Limits, Role};
use framewire::{Config, ErrorKind, Opcode};
use support::compression::{Compression, HELLO, HELLO_AGAIN, TAIL};
use support::connection::{Connection, Kind, Messaging};
use support::deflate::{Receiving, negotiated, parameters, sender, sender_of, sent};
use support::event::{End, Event};
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, PONG, RSV1, TEXT, frame, to, wire,
};
use support::front_end::{Script, assert_ends_with, check};
use support::oracle::{data, frames_in};
use support::peer::ScriptedPeer;

/// "Hello" in the RFC's bytes: alone, after itself, stored, as a last block, in two blocks.
const HELLO_STORED: [u8; 11] = [
    0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
];
const HELLO_FINAL: [u8; 8] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
const HELLO_IN_TWO: [u8; 13] = [
    0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
];
const EMPTY: [u8; 1] = [0x00];

fn text(payload: &[u8]) -> Vec<u8> {
    frame(Role::Server, FIN | RSV1 | TEXT, payload)
}

const BOTH: [Compression; 2] = [Compression::NoTakeover, Compression::Takeover];

/// A client that is sent this, on a connection with this compression.
fn script(compression: Compression, bytes: &[u8]) -> Script {
    Script {
        compression,
        ..Script::new(Role::Client, bytes)
    }
}

/// Holds every front end, with takeover and without, to this: these bytes are these texts.
fn receives(bytes: &[u8], expected: &[&[u8]]) {
    let texts = expected
        .iter()
        .map(|text| to(Role::Client, FIN | TEXT, text));
    receives_frames(bytes, &texts.collect::<Vec<_>>());
}

/// The same: they are what these frames are without compression.
fn receives_frames(bytes: &[u8], plain: &[Frame]) {
    for compression in BOTH {
        receives_with(compression, bytes, plain);
    }
}

fn receives_with(compression: Compression, bytes: &[u8], plain: &[Frame]) {
    let script = Script {
        plain: Some(wire(plain)),
        ..script(compression, bytes)
    };
    check(&script);
    check(&script.byte_by_byte());
}

/// Holds every front end, with takeover and without, to this: these bytes are this violation, and no more is given
/// than this.
fn fails(bytes: &[u8], partial: &[u8], violation: Violation) {
    for compression in BOTH {
        fails_with(compression, bytes, partial, violation);
    }
}

fn fails_with(compression: Compression, bytes: &[u8], partial: &[u8], violation: Violation) {
    let code = violation.close_code().get();
    assert_ends_with(&script(compression, bytes), &[], partial, violation, code);
}

fn written(peer: &ScriptedPeer) -> Vec<(u8, Vec<u8>)> {
    frames_in(&peer.written())
}

/// A server of every kind with a stream of its own, which keeps its contexts. The last one is the one at which a
/// test failed.
fn servers(
    input: &[u8],
    config: Config,
) -> impl Iterator<Item = (ScriptedPeer, Box<dyn Connection>)> {
    Kind::FRONT_ENDS.into_iter().map(move |kind| {
        println!("{kind:?}");
        let peer = ScriptedPeer::new(input);
        let opened = kind.open(&peer, Role::Server, config, Some(&negotiated(true)));
        (peer, opened.unwrap())
    })
}

/// The same of every kind.
fn all_servers(
    input: &[u8],
    config: Config,
) -> impl Iterator<Item = (ScriptedPeer, Box<dyn Messaging>)> {
    Kind::ALL.into_iter().map(move |kind| {
        println!("{kind:?}");
        let peer = ScriptedPeer::new(input);
        let opened = kind.messaging(&peer, Role::Server, config, Some(&negotiated(true)));
        (peer, opened.unwrap())
    })
}

#[test]
fn rfc7692_6_1_rsv1_stands_on_the_first_frame_only() {
    let config = Config::default().chunk_size(64);
    let noise = support::pattern(500);
    for (peer, mut server) in servers(&[], config) {
        server
            .stream_message(Opcode::Binary, 64, &mut &noise[..])
            .unwrap();
        let first_bytes: Vec<_> = written(&peer).iter().map(|(byte, _)| *byte).collect();
        let (first, rest) = first_bytes.split_first().unwrap();
        let (last, between) = rest.split_last().unwrap();
        assert_eq!(*first, RSV1 | BINARY);
        assert!(between.iter().all(|byte| *byte == CONTINUATION));
        assert_eq!(*last, FIN | CONTINUATION);
    }
}

#[test]
fn rfc7692_6_1_rsv1_is_not_set_on_what_is_not_compressed() {
    let sent = [
        (FIN | TEXT, b"Hello".to_vec()),
        (FIN | RSV1 | TEXT, HELLO.to_vec()),
    ];
    for (peer, mut server) in servers(&[], Config::default()) {
        server.set_compression(false);
        server.write("Hello").unwrap();
        server.set_compression(true);
        server.write("Hello").unwrap();
        assert_eq!(written(&peer), sent);
    }
}

#[test]
fn rfc7692_6_1_control_frames_are_not_compressed() {
    let sent = [
        (FIN | PING, b"Hello".to_vec()),
        (FIN | PONG, b"Hello".to_vec()),
        (FIN | CLOSE, b"\x03\xe8Hello".to_vec()),
    ];
    for (peer, mut server) in all_servers(&[], Config::default()) {
        server.ping(b"Hello").unwrap();
        server.pong(b"Hello").unwrap();
        server.close(CloseCode::NORMAL, "Hello").unwrap();
        assert_eq!(written(&peer), sent);
    }
}

#[test]
fn rfc7692_6_1_control_frames_go_between_compressed_fragments() {
    let input = [
        frame(Role::Server, RSV1 | TEXT, &HELLO[..3]),
        frame(Role::Server, FIN | PING, b"Hello"),
        frame(Role::Server, FIN | CONTINUATION, &HELLO[3..]),
    ];
    let plain = [
        to(Role::Client, FIN | PING, b"Hello"),
        to(Role::Client, FIN | TEXT, b"Hello"),
    ];
    receives_frames(&input.concat(), &plain);
}

#[test]
fn rfc7692_6_1_rsv1_on_a_control_frame_fails() {
    for opcode in [FIN | PING, FIN | PONG, FIN | CLOSE] {
        let bytes = frame(Role::Server, RSV1 | opcode, &[]);
        let reserved = Violation::ReservedBits(Rsv::RSV1);
        fails(&bytes, b"", reserved);
        let first = frame(Role::Server, RSV1 | TEXT, &HELLO[..3]);
        fails(&[first, bytes].concat(), b"Hello", reserved);
    }
}

#[test]
fn rfc7692_6_1_rsv1_on_a_continuation_fails() {
    for first in [RSV1 | TEXT, TEXT] {
        let input = [
            frame(Role::Server, first, &[]),
            frame(Role::Server, FIN | RSV1 | CONTINUATION, &HELLO),
        ];
        fails(&input.concat(), b"", Violation::ReservedBits(Rsv::RSV1));
    }
}

#[test]
fn rfc7692_6_1_other_reserved_bits_are_nobodys() {
    for rsv in [0x10, 0x20, 0x30, 0x50, 0x60, 0x70] {
        let bytes = frame(Role::Server, FIN | rsv | TEXT, &HELLO);
        let reserved = Rsv::from_first_byte(rsv);
        fails(&bytes, b"", Violation::ReservedBits(reserved));
    }
}

#[test]
fn rfc7692_5_rsv1_without_agreement_fails() {
    let reserved = Violation::ReservedBits(Rsv::RSV1);
    fails_with(Compression::None, &text(&HELLO), b"", reserved);
}

#[test]
fn rfc7692_6_2_uncompressed_messages_go_between_compressed_ones() {
    let input = [
        text(&HELLO),
        frame(Role::Server, FIN | TEXT, b"plain"),
        text(&HELLO),
    ];
    receives(&input.concat(), &[b"Hello", b"plain", b"Hello"]);
}

#[test]
fn rfc7692_6_2_the_payloads_of_all_fragments_are_one_stream() {
    for at in 0..=HELLO.len() {
        let (first, rest) = HELLO.split_at(at);
        let input = [
            frame(Role::Server, RSV1 | TEXT, first),
            frame(Role::Server, CONTINUATION, &[]),
            frame(Role::Server, FIN | CONTINUATION, rest),
            text(&HELLO),
        ];
        receives(&input.concat(), &[b"Hello", b"Hello"]);
    }
    let bytes: Vec<_> = HELLO.iter().collect();
    let mut input = frame(Role::Server, RSV1 | TEXT, &[]);
    for byte in bytes {
        input.extend(frame(Role::Server, CONTINUATION, &[*byte]));
    }
    input.extend(frame(Role::Server, FIN | CONTINUATION, &[]));
    receives(&input, &[b"Hello"]);
}

/// RFC 6455 8.1 of what comes out: the first byte that is wrong is enough.
#[test]
fn rfc7692_6_2_text_is_checked_once_it_is_decompressed() {
    let mut compressor = sender(&negotiated(false));
    let texts: [(&[u8], &[u8]); 3] = [(b"", b"\xff"), (b"Hello\xed", b"\xa0\x80"), (b"\xc3", b"")];
    for (good, bad) in texts {
        let mut message = sent(&mut compressor, &[good, bad].concat());
        message[0] = FIN | RSV1 | TEXT;
        fails(&message, good, Violation::InvalidUtf8);
    }
    // A stored block is put out as it comes.
    let first = frame(
        Role::Server,
        RSV1 | TEXT,
        &[0x00, 0x05, 0x00, 0xfa, 0xff, b'H', 0xff],
    );
    fails(&first, b"H", Violation::InvalidUtf8);
    let mut cut = frame(Role::Server, RSV1 | TEXT, &HELLO_STORED);
    cut[7] = 0xff;
    // Nothing after the bad byte is needed: not even the rest of its frame.
    fails(&cut[..8], b"", Violation::InvalidUtf8);
}

#[test]
fn rfc7692_6_2_characters_may_be_cut_by_fragments() {
    let mut compressor = sender(&negotiated(false));
    let message = "\u{1f600}\u{e9}";
    let compressed = sent(&mut compressor, message.as_bytes());
    let payload = &frames_in(&compressed)[0].1;
    for at in 0..payload.len() {
        let input = [
            frame(Role::Server, RSV1 | TEXT, &payload[..at]),
            frame(Role::Server, FIN | CONTINUATION, &payload[at..]),
        ];
        receives(&input.concat(), &[message.as_bytes()]);
    }
}

#[test]
fn rfc7692_7_2_1_the_tail_is_cut_off() {
    for (peer, mut server) in servers(&[], Config::default()) {
        for message in [&b"Hello"[..], b"", &[7; 10_000], &support::pattern(5000)] {
            server.write(message).unwrap();
            server
                .stream_message(Opcode::Binary, 4096, &mut &message[..])
                .unwrap();
        }
        let mut message = Vec::new();
        for (first_byte, payload) in written(&peer) {
            message.extend(payload);
            if first_byte & FIN != 0 {
                assert!(!message.ends_with(&TAIL));
                assert_eq!(message.last().unwrap() & 1, 0, "no block has begun");
                message.clear();
            }
        }
    }
}

#[test]
fn rfc7692_7_2_1_a_flush_in_between_is_not_the_end() {
    for (peer, mut server) in servers(&[], Config::default()) {
        let mut writer = server.message_writer(Opcode::Text).unwrap();
        writer.write_all(b"Hel").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"lo").unwrap();
        writer.finish().unwrap();
        receives(&peer.written(), &[b"Hello"]);
        assert!(written(&peer).len() > 1);
    }
}

#[test]
fn rfc7692_7_2_2_the_tail_is_appended() {
    // Without it the last block is not whole, and what comes out of it would be missing.
    receives(&text(&HELLO_STORED), &[b"Hello"]);
}

#[test]
fn rfc7692_7_2_2_what_is_no_deflate_fails() {
    for payload in [
        // The reserved block type.
        &[0x06][..],
        &[0xff; 4],
        // A stored block's length and its complement.
        &[0x00, 0x05, 0x00, 0x00, 0x00],
        // A distance before the beginning.
        &HELLO_AGAIN,
    ] {
        fails(&text(payload), b"H", Violation::InvalidDeflate);
    }
}

#[test]
fn rfc7692_7_2_3_1_a_message_in_one_block() {
    receives(&text(&HELLO), &[b"Hello"]);
    let mut compressor = sender(&negotiated(true));
    assert_eq!(data(&sent(&mut compressor, b"Hello")), HELLO);
}

#[test]
fn rfc7692_7_2_3_1_a_message_in_two_fragments() {
    let input = [
        vec![0x41, 0x03, 0xf2, 0x48, 0xcd],
        vec![0x80, 0x04, 0xc9, 0xc9, 0x07, 0x00],
    ];
    receives(&input.concat(), &[b"Hello"]);
}

#[test]
fn rfc7692_7_2_3_2_the_window_is_shared() {
    let input = [text(&HELLO), text(&HELLO_AGAIN)].concat();
    let hello = to(Role::Client, FIN | TEXT, b"Hello");
    receives_with(Compression::Takeover, &input, &[hello.clone(), hello]);
    // RFC 7692 7.1.1: and is not where the peer said that it keeps none.
    let hello = Event::Message(Opcode::Text, b"Hello".to_vec());
    let script = script(Compression::NoTakeover, &input);
    let violation = Violation::InvalidDeflate;
    assert_ends_with(&script, &[hello], b"H", violation, 1007);
}

#[test]
fn rfc7692_7_2_3_2_a_sender_that_keeps_its_context_refers_to_it() {
    let mut compressor = sender(&negotiated(true));
    let first = data(&sent(&mut compressor, b"Hello"));
    let again = data(&sent(&mut compressor, b"Hello"));
    assert_eq!(first, HELLO);
    assert!(again.len() < first.len());
    let hello = to(Role::Client, FIN | TEXT, b"Hello");
    let sent = [text(&first), text(&again)].concat();
    receives_with(Compression::Takeover, &sent, &[hello.clone(), hello]);
}

#[test]
fn rfc7692_7_1_1_without_takeover_each_message_stands_alone() {
    let mut compressor = sender(&negotiated(false));
    for _ in 0..3 {
        assert_eq!(data(&sent(&mut compressor, b"Hello")), HELLO);
    }
}

/// RFC 7692 7.1.2: no reference goes further back than the window.
#[test]
fn rfc7692_7_1_2_a_sender_keeps_to_the_window() {
    let noise = support::pattern(600);
    let message = [&noise[..], &noise].concat();
    for (window_bits, refers) in [(9, false), (10, true), (15, true)] {
        let deflate = Deflate::new(DeflateConfig::default()).unwrap();
        let negotiated = deflate.negotiated(parameters(true, window_bits));
        let mut compressor = sender(&negotiated);
        let len = data(&sent(&mut compressor, &message)).len();
        assert_eq!(len < 700, refers, "{window_bits}: {len}");
    }
}

/// Agreed on for what one end sends: the other is bound by nothing.
fn bound(role: Role, takeover: bool, window_bits: u8) -> Negotiated {
    let parameters = match role {
        Role::Server => Parameters::default()
            .server_no_context_takeover(!takeover)
            .server_max_window_bits(window_bits),
        Role::Client => Parameters::default()
            .client_no_context_takeover(!takeover)
            .client_max_window_bits(window_bits),
    };
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    deflate.negotiated(parameters)
}

#[test]
fn rfc7692_7_2_1_each_end_keeps_to_its_own_parameters() {
    let noise = support::pattern(600);
    let twice = [&noise[..], &noise].concat();
    for role in [Role::Server, Role::Client] {
        for of in [Role::Server, Role::Client] {
            println!("{role:?}, agreed on for {of:?}");
            let mut compressor = sender_of(role, &bound(of, false, 15));
            assert_eq!(data(&sent(&mut compressor, b"Hello")), HELLO);
            let again = data(&sent(&mut compressor, b"Hello"));
            assert_eq!(again == HELLO, role == of);

            let mut compressor = sender_of(role, &bound(of, true, 9));
            let refers = data(&sent(&mut compressor, &twice)).len() < 700;
            assert_eq!(refers, role != of);
        }
    }
}

/// An end that is bound itself has all that the other refers to: the message before, and the whole window.
#[test]
fn rfc7692_7_2_2_each_end_has_what_the_other_refers_to() {
    let noise = support::pattern(31_000);
    for role in [Role::Server, Role::Client] {
        let negotiated = bound(role, false, 9);
        let mut compressor = sender_of(support::peer(role), &negotiated);
        let mut receiving = Receiving::new(role, &negotiated, Limits::default());
        let first = sent(&mut compressor, &noise);
        assert_eq!(receiving.receive(&first).unwrap(), [&noise[..]]);
        let again = sent(&mut compressor, &noise[..1000]);
        assert!(
            again.len() < 100,
            "{} bytes: refers to the first",
            again.len()
        );
        assert_eq!(receiving.receive(&again).unwrap(), [&noise[..1000]]);
    }
}

#[test]
fn rfc7692_7_2_3_3_a_stored_block() {
    receives(&text(&HELLO_STORED), &[b"Hello"]);
}

#[test]
fn rfc7692_7_2_3_4_a_block_with_bfinal() {
    receives(&text(&HELLO_FINAL), &[b"Hello"]);
    receives(
        &[text(&HELLO_FINAL), text(&HELLO), text(&HELLO_FINAL)].concat(),
        &[b"Hello", b"Hello", b"Hello"],
    );
    // The empty block behind it may be missing, or hold more.
    receives(&text(&HELLO_FINAL[..7]), &[b"Hello"]);
    receives(
        &text(&[&HELLO_FINAL[..7], &HELLO].concat()),
        &[b"HelloHello"],
    );
}

#[test]
fn rfc7692_7_2_3_5_two_blocks_in_one_message() {
    receives(&text(&HELLO_IN_TWO), &[b"Hello"]);
}

#[test]
fn rfc7692_7_2_3_6_an_empty_message() {
    receives(&text(&EMPTY), &[b""]);
    receives(
        &[text(&HELLO), text(&EMPTY), text(&HELLO)].concat(),
        &[b"Hello", b"", b"Hello"],
    );
    for (peer, mut server) in servers(&[], Config::default()) {
        server.write(b"").unwrap();
        server
            .stream_message(Opcode::Binary, 64, &mut &b""[..])
            .unwrap();
        server.write(b"Hello").unwrap();
        server.write(b"").unwrap();
        let payloads: Vec<_> = written(&peer).into_iter().map(|(_, p)| p).collect();
        assert_eq!(payloads, [&EMPTY[..], &EMPTY, &HELLO, &EMPTY]);
    }
}

/// RFC 7692 8: what comes out is bounded, and not what comes in.
#[test]
fn rfc7692_8_the_limit_is_on_what_comes_out() {
    let limits = Limits::default().message(1000);
    for compression in BOTH {
        for len in [0, 999, 1000, 1001] {
            for message in [vec![7; len], support::pattern(len)] {
                let message = to(Role::Client, FIN | BINARY, message);
                check(&Script::said(compression, Role::Client, &[message]).limited(limits));
            }
        }
    }
    let too_long = to(Role::Client, FIN | BINARY, [7; 1001]);
    let script = Script::said(Compression::Takeover, Role::Client, &[too_long]).limited(limits);
    let too_big = End::Violation(Violation::MessageTooBig { limit: 1000 });
    assert_eq!(script.judge(script.terms).end, too_big);
}

#[test]
fn rfc7692_8_a_connection_answers_1009() {
    let bytes = frame(Role::Client, FIN | RSV1 | BINARY, &HELLO);
    let config = Config::default().limits(Limits::default().message(4));
    for (peer, mut server) in all_servers(&bytes, config) {
        let error = server.next_message().unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::Violation(Violation::MessageTooBig { limit: 4 })
        ));
        let (first_byte, payload) = written(&peer).remove(0);
        assert_eq!(first_byte, FIN | CLOSE);
        assert_eq!(payload[..2], 1009_u16.to_be_bytes());
    }
    // Streamed, it is not held, and so not bound.
    for (_, mut server) in servers(&bytes, config) {
        let mut message = Vec::new();
        let mut reader = server.message_reader().unwrap().unwrap();
        reader.read_to_end(&mut message).unwrap();
        assert_eq!(message, b"Hello");
    }
}

#[test]
fn rfc7692_8_a_limit_that_is_lowered_inside_a_message_holds() {
    let mut client = Receiving::client(true);
    let first = frame(Role::Server, RSV1 | TEXT, &HELLO_IN_TWO);
    assert_eq!(client.receive(&first).unwrap(), [b""; 0]);
    client.receiver.decoder_mut().limits_mut().message = 2;
    let rest = frame(Role::Server, FIN | CONTINUATION, &[]);
    let received = client.receive(&rest);
    assert_eq!(received, Err(Violation::MessageTooBig { limit: 2 }));
}
