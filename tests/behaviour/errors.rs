//! Every error that the library can give: how it comes about, its words, its close code, and whose
//! fault it is.

use std::io::{self, Write};

use framewire::blocking::PreparedMessage;
use framewire::frame::{Rsv, Violation, os_key};
use framewire::handshake::Acceptor;
use framewire::protocol::{Encoder, Limits, Role, SendError, Session};
use framewire::{CloseCode, Config, Error, ErrorKind, Fault, Opcode};
use support::connection::{Connection, Endpoint, all_endpoints, endpoints};
use support::frames::{
    BINARY, CLOSE, FIN, Frame, Length, PING, RSV1, RSV3, TEXT, close_payload, to, wire,
};
use support::operations::{Hands, Operation};
use support::peer::{Ending, ScriptedPeer, Taking};

type Job = Box<dyn Fn(&mut dyn Connection) -> Result<(), Error>>;

/// Servers of every kind, without compression and with it.
fn servers() -> impl Iterator<Item = Endpoint> {
    endpoints().filter(|end| end.role == Role::Server)
}

/// Servers of every kind, those without a stream of their own too.
fn all_servers() -> impl Iterator<Item = Endpoint> {
    all_endpoints().filter(|end| end.role == Role::Server)
}

/// A server to which nobody speaks.
fn quiet(end: Endpoint) -> (ScriptedPeer, Box<dyn Connection>) {
    let peer = ScriptedPeer::default();
    let socket = end.with(&peer);
    (peer, socket)
}

#[track_caller]
fn assert_error(error: &Error, text: &str, code: Option<u16>, fault: Fault) {
    assert_eq!(error.to_string(), text);
    assert_eq!(error.close_code().map(CloseCode::get), code, "{text}");
    assert_eq!(error.fault(), fault, "{text}");
    assert!(
        !text.starts_with(char::is_uppercase) && !text.ends_with('.'),
        "{text}"
    );
}

/// Frames to a server, the violation that the last of them is, its words and its code.
type Row = (Vec<Frame>, Violation, &'static str, u16);

fn peer(first: u8, payload: &[u8]) -> Frame {
    to(Role::Server, first, payload)
}

fn long(first: u8, len: u64) -> Frame {
    peer(first, b"").with_length(Length::Declared(len))
}

fn violations_of_a_header() -> Vec<Row> {
    vec![
        (
            vec![peer(FIN | RSV1 | RSV3 | TEXT, b"")],
            Violation::ReservedBits(Rsv::RSV1 | Rsv::RSV3),
            "reserved bits RSV1+RSV3 not allowed here",
            1002,
        ),
        (
            vec![peer(FIN | 0xB, b"")],
            Violation::ReservedOpcode(0xB),
            "reserved opcode 0xb",
            1002,
        ),
        (
            vec![peer(PING, b"")],
            Violation::FragmentedControl(Opcode::Ping),
            "fragmented ping frame",
            1002,
        ),
        (
            vec![peer(FIN | CLOSE, &[0; 126])],
            Violation::ControlTooLarge(Opcode::Close),
            "close frame of more than 125 bytes",
            1002,
        ),
        (
            vec![peer(FIN | TEXT, b"").with_length(Length::Bits(16))],
            Violation::NonMinimalLength,
            "payload length not in its shortest form",
            1002,
        ),
        (
            vec![long(FIN | TEXT, 1 << 63)],
            Violation::LengthTopBit,
            "payload length with its top bit set",
            1002,
        ),
        (
            vec![peer(FIN | TEXT, b"").with_mask(None)],
            Violation::Unmasked,
            "unmasked frame from a client",
            1002,
        ),
    ]
}

fn violations_of_a_frame_in_its_place() -> Vec<Row> {
    vec![
        (
            vec![peer(FIN, b"")],
            Violation::UnexpectedContinuation,
            "continuation frame without a message under way",
            1002,
        ),
        (
            vec![peer(TEXT, b""), peer(FIN | BINARY, b"")],
            Violation::ExpectedContinuation(Opcode::Binary),
            "binary frame inside a fragmented message",
            1002,
        ),
        (
            vec![peer(FIN | CLOSE, b"\x03")],
            Violation::CloseCodeTruncated,
            "close frame with one byte of payload",
            1002,
        ),
        (
            vec![peer(FIN | CLOSE, &close_payload(1005, ""))],
            Violation::CloseCodeInvalid(CloseCode::NO_STATUS),
            "close frame with the code 1005",
            1002,
        ),
        (
            vec![peer(FIN | TEXT, b"\xFF")],
            Violation::InvalidUtf8,
            "text message that is not UTF-8",
            1007,
        ),
        (
            vec![peer(FIN | CLOSE, &close_payload(1000, b"\xFF"))],
            Violation::InvalidReason,
            "close reason that is not UTF-8",
            1007,
        ),
        (
            vec![peer(BINARY, &[0; 80]), long(FIN, 21)],
            Violation::MessageTooBig { limit: 100 },
            "message exceeds the limit of 100 bytes",
            1009,
        ),
        (
            vec![long(FIN | BINARY, 91)],
            Violation::FrameTooBig { limit: 90 },
            "frame exceeds the limit of 90 bytes",
            1009,
        ),
    ]
}

#[test]
fn every_violation_has_its_words_its_code_and_the_peer_to_blame() {
    let table = [
        violations_of_a_header(),
        violations_of_a_frame_in_its_place(),
    ]
    .concat();
    let config = Config::default().limits(Limits::UNLIMITED.message(100).frame(90));
    for end in all_endpoints() {
        if end.role == Role::Server {
            for (frames, violation, text, code) in &table {
                let peer = ScriptedPeer::saying([wire(frames)]);
                let mut socket = end.messaging(&peer, config).unwrap();
                assert_violation(&socket.next_message().unwrap_err(), *violation, text, *code);
            }
            continue;
        }
        let masked = to(Role::Server, FIN | TEXT, b"").bytes();
        let peer = ScriptedPeer::saying([masked]);
        let mut socket = end.messaging(&peer, Config::default()).unwrap();
        let text = "masked frame from a server";
        assert_violation(
            &socket.next_message().unwrap_err(),
            Violation::Masked,
            text,
            1002,
        );
    }
}

#[track_caller]
fn assert_violation(error: &Error, violation: Violation, text: &str, code: u16) {
    assert!(
        matches!(error.kind(), ErrorKind::Violation(found) if *found == violation),
        "{error:?}"
    );
    assert_error(error, text, Some(code), Fault::Peer);
    assert_eq!(violation.close_code().get(), code);
}

#[test]
fn every_frame_that_may_not_be_sent_is_refused_with_its_words_and_nothing_is_written() {
    let frame = |fin, rsv, opcode, payload: &'static [u8]| {
        move |socket: &mut dyn Connection| socket.write_frame(fin, rsv, opcode, payload)
    };
    let table: Vec<(Job, SendError, &str)> = vec![
        (
            Box::new(frame(true, Rsv::NONE, Opcode::Continuation, b"")),
            SendError::NoMessageOpen,
            "no message is open to continue",
        ),
        (
            Box::new(|socket| socket.write((Opcode::Ping, b""))),
            SendError::NotAMessage(Opcode::Ping),
            "a message cannot begin as ping",
        ),
        (
            Box::new(|_| PreparedMessage::new((Opcode::Continuation, b"")).map(drop)),
            SendError::NotAMessage(Opcode::Continuation),
            "a message cannot begin as continuation",
        ),
        (
            Box::new(frame(true, Rsv::RSV2, Opcode::Text, b"")),
            SendError::ReservedBits(Rsv::RSV2),
            "reserved bits RSV2 not allowed here",
        ),
        (
            Box::new(frame(false, Rsv::NONE, Opcode::Pong, b"")),
            SendError::FragmentedControl(Opcode::Pong),
            "a pong frame cannot be fragmented",
        ),
        (
            Box::new(|socket| socket.ping(&[0; 126])),
            SendError::ControlTooLarge { len: 126 },
            "control payload of 126 bytes exceeds the limit of 125",
        ),
        (
            Box::new(|socket| socket.close(CloseCode::NORMAL, &"x".repeat(124))),
            SendError::ReasonTooLarge { len: 124 },
            "close reason of 124 bytes exceeds the limit of 123",
        ),
        (
            Box::new(frame(true, Rsv::NONE, Opcode::Close, b"\x03")),
            SendError::CloseCodeTruncated,
            "close payload of one byte: a code is two",
        ),
        (
            Box::new(|socket| socket.close(CloseCode::ABNORMAL, "")),
            SendError::CloseCodeUnsendable(CloseCode::ABNORMAL),
            "close code 1006 is never sent",
        ),
        (
            Box::new(|socket| socket.write((Opcode::Text, b"\xFF"))),
            SendError::InvalidUtf8,
            "text that is not UTF-8",
        ),
        (
            Box::new(frame(true, Rsv::NONE, Opcode::Close, b"\x03\xE8\xFF")),
            SendError::InvalidUtf8,
            "text that is not UTF-8",
        ),
    ];
    for (job, expected, text) in table {
        for end in servers() {
            let (peer, mut socket) = quiet(end);
            assert_send_error(&job(socket.as_mut()).unwrap_err(), expected, text);
            assert_eq!(peer.written(), b"", "{text}");
            socket.write("still").unwrap();
            assert_eq!(end.heard(&peer.written()), b"\x81\x05still");
        }
    }
}

#[test]
fn a_message_inside_a_message_is_refused_by_every_method() {
    for end in servers() {
        let (peer, mut socket) = quiet(end);
        socket
            .write_frame(false, Rsv::NONE, Opcode::Binary, b"")
            .unwrap();
        peer.forget_written();
        let mut hands = Hands::new(b"text", 1);
        for operation in Operation::sending_messages(end.kind) {
            let error = operation.call(&mut *socket, &mut hands).unwrap_err();
            let expected = SendError::MessageOpen(Opcode::Binary);
            assert_send_error(
                &error,
                expected,
                "a binary message is open: finish it first",
            );
        }
        assert_eq!(peer.written(), b"");
    }
}

#[test]
fn what_only_the_parts_beneath_can_say() {
    let mut session = Session::server(Limits::default());
    let mut output = vec![];
    session.close(CloseCode::NORMAL, "", &mut output).unwrap();
    let error = session.send("", &mut output).unwrap_err();
    assert_eq!(error, SendError::Closed);
    assert_eq!(
        error.to_string(),
        "a close frame was sent: nothing may follow it"
    );

    let mut dry = Encoder::client(|| None);
    let error = dry.frame(true, Rsv::NONE, Opcode::Text, b"").unwrap_err();
    assert_eq!(error, SendError::NoEntropy);
    assert_eq!(error.to_string(), "no entropy for a masking key");

    // No slice is that long: only a header says so.
    let error = SendError::from(Violation::LengthTopBit);
    assert_eq!(error, SendError::TooLong);
    let text = "frame exceeds the limit of 9223372036854775807 bytes";
    assert_eq!(error.to_string(), text);
}

#[test]
fn without_entropy_a_reply_stays_pending() {
    let mut session = Session::client(Limits::default(), || None);
    let mut input = to(Role::Client, FIN | PING, b"?").bytes();
    let mut message = framewire::protocol::MessageBuffer::new();
    session.receive(&mut input, &mut message).unwrap();
    let mut output = vec![];
    assert_eq!(session.write_reply(&mut output), Err(SendError::NoEntropy));
    assert!(session.has_reply());
    assert!(output.is_empty());
    assert!(os_key().is_some());
}

#[track_caller]
fn assert_send_error(error: &Error, expected: SendError, text: &str) {
    assert!(
        matches!(error.kind(), ErrorKind::Send(found) if *found == expected),
        "{error:?}"
    );
    assert_error(error, text, None, Fault::Caller);
}

#[test]
fn a_lost_connection() {
    let whole = [to(Role::Server, FIN | TEXT, b"Hello")];
    for (end, len) in
        all_servers().flat_map(|end| (0..end.said(&whole).len()).map(move |len| (end, len)))
    {
        let cut_off = end.said(&whole);
        let peer = ScriptedPeer::saying([&cut_off[..len]]).ending(Ending::Eof);
        let mut socket = end.messaging(&peer, Config::default()).unwrap();
        let error = socket.next_message().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ConnectionLost),
            "{error:?}"
        );
        let text = "connection ended without a close frame";
        assert_error(&error, text, Some(1006), Fault::Transport);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn a_stream_that_would_block_leaves_the_connection_standing() {
    for end in servers() {
        let (peer, mut socket) = quiet(end);
        let error = socket.next_message().unwrap_err();
        assert!(error.is_would_block());
        let text = "stream was not ready in time: operation would block";
        assert_error(&error, text, None, Fault::Transport);
        assert!(error.cause().is_some());
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
        peer.say(end.said(&[to(Role::Server, FIN | TEXT, b"now")]));
        assert_eq!(socket.next_message().unwrap().unwrap().text(), Some("now"));
    }
}

#[test]
fn a_stream_that_takes_nothing_has_failed() {
    for end in servers() {
        let peer = ScriptedPeer::default().taking(Taking::AtMost(0));
        let mut socket = end.with(&peer);
        for _ in 0..2 {
            let error = socket.write("").unwrap_err();
            let text = "stream failed: write zero";
            assert_error(&error, text, Some(1006), Fault::Transport);
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WriteZero);
        }
    }
}

#[test]
fn a_reader_that_fails_is_the_callers() {
    for end in servers() {
        let (_, mut socket) = quiet(end);
        let denied = Ending::Failure(io::ErrorKind::PermissionDenied);
        let mut source = ScriptedPeer::default().ending(denied);
        let error = socket.stream_message(Opcode::Binary, 16, &mut source);
        let error = error.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Source(_)), "{error:?}");
        let text = "reader of the message failed: permission denied";
        assert_error(&error, text, None, Fault::Caller);
        assert!(error.cause().is_some());
        assert_eq!(
            io::Error::from(error).kind(),
            io::ErrorKind::PermissionDenied
        );
    }
}

#[test]
fn a_frame_buffer_that_is_too_small_consumes_nothing_and_says_how_much_is_needed() {
    let frame = to(Role::Server, FIN | TEXT, b"Hello").bytes();
    for end in servers() {
        let mut socket = end.with(&ScriptedPeer::saying([&frame[..]]));
        for len in [0, 1, 4] {
            let mut buffer = vec![0; len];
            let error = socket.read_frame(&mut buffer).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::FrameBufferTooSmall { needed: 5 }),
                "{error:?}"
            );
            let text = "frame of 5 bytes does not fit into the buffer";
            assert_error(&error, text, None, Fault::Caller);
        }
        let mut buffer = [0; 5];
        assert_eq!(
            socket.read_frame(&mut buffer).unwrap().unwrap().payload(),
            b"Hello"
        );
    }
}

#[test]
fn a_chunk_size_of_zero_or_over_the_connections() {
    let limit = Config::default().chunk_size;
    for (requested, text) in [
        (0, "chunk size of 0 bytes".to_owned()),
        (
            limit + 1,
            "chunk size of 4097 bytes exceeds the connection's 4096".to_owned(),
        ),
    ] {
        for end in servers() {
            let (_, mut socket) = quiet(end);
            let error = socket.stream_message(Opcode::Text, requested, &mut io::empty());
            let error = error.unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::ChunkSize { requested: r, limit: l }
                if *r == requested && *l == limit),
                "{error:?}"
            );
            assert_error(&error, &text, None, Fault::Caller);
            let exact = socket.stream_message(Opcode::Text, limit, &mut io::empty());
            assert_eq!(exact.unwrap(), 0);
        }
    }
}

#[test]
fn a_message_that_another_call_is_assembling() {
    for end in servers() {
        let mut speaker = end.peer();
        let peer = ScriptedPeer::saying([wire(&speaker.say(&[to(Role::Server, TEXT, b"Hel")]))]);
        let mut socket = end.with(&peer);
        assert!(socket.next_message().unwrap_err().is_would_block());
        let error = socket.message_reader().map(drop).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::MessageInProgress),
            "{error:?}"
        );
        let text = "a message is being assembled: finish it with the call that began it";
        assert_error(&error, text, None, Fault::Caller);
        assert!(matches!(
            socket.read_header().unwrap_err().kind(),
            ErrorKind::MessageInProgress
        ));
        peer.say(wire(&speaker.say(&[to(Role::Server, FIN, b"lo")])));
        assert_eq!(
            socket.next_message().unwrap().unwrap().text(),
            Some("Hello")
        );
    }
}

#[test]
fn a_configuration_with_a_size_of_zero() {
    let sound = Config::default;
    for (config, text) in [
        (sound().chunk_size(0), "chunk size of 0 bytes"),
        (sound().read_buffer(0), "read buffer of 0 bytes"),
        (sound().write_buffer(0), "write buffer of 0 bytes"),
    ] {
        for end in servers() {
            let error = end.open(&ScriptedPeer::default(), config);
            let error = error.map(drop).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Config(what) if *what == text));
            assert_error(&error, text, None, Fault::Caller);
        }
    }
}

#[test]
fn a_handshake_that_fails() {
    let peer = ScriptedPeer::saying(["GET / HTTP/1.1\r\nHost: a\r\n\r\n"]);
    let error = framewire::accept_with(peer, &Acceptor::new(), Config::default())
        .map(drop)
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Handshake(_)), "{error:?}");
    assert_eq!(error.to_string(), "request has no upgrade header");
    assert_eq!((error.close_code(), error.fault()), (None, Fault::Peer));
}

#[test]
fn a_writer_in_pieces_gives_the_connections_errors() {
    for end in servers() {
        let (_, mut socket) = quiet(end);
        let mut writer = socket.message_writer(Opcode::Text).unwrap();
        writer.write_all(b"\xE2\x82").unwrap();
        let error = writer.finish().unwrap_err();
        assert_send_error(&error, SendError::InvalidUtf8, "text that is not UTF-8");
    }
}
