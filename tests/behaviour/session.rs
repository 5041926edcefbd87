//! What a session does where its calls meet: a Close and a reply that waits, and messages that one
//! call began and another is given the rest of.

use std::fmt::Debug;
use std::slice;

use framewire::frame::Rsv;
use framewire::protocol::{Event, Limits, MessageBuffer, PieceEvent, Role, Session};
use framewire::{CloseCode, Opcode};
use support::compression::{Compression, Speaker};
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, PING, TEXT, close_payload, to, wire,
};
use support::{each, oracle};

/// A server's session with what was agreed on about compression.
fn server(compression: Compression) -> Session {
    let mut session = Session::server(Limits::default());
    if let Some(agreed) = compression.negotiated() {
        session.set_extension(&agreed);
    }
    session
}

/// Each of these with each of those.
fn each_pair<T: Clone + Debug>(
    agreed: &[Compression],
    all: &[T],
) -> impl Iterator<Item = (Compression, T)> {
    each(agreed.iter().flat_map(|agreed| {
        let all = all.iter().cloned();
        all.map(move |one| (*agreed, one))
    }))
}

/// What can be agreed on where the peer compresses nothing. Of a compressed message each piece has to be
/// decoded, by whatever call it came: none can be skipped.
const IN_PIECES: [Compression; 2] = [Compression::None, Compression::Unused];

/// One that has been given a Ping, and the Pong that waits for it.
fn pinged(compression: Compression) -> Session {
    let mut session = server(compression);
    let mut ping = to(Role::Server, FIN | PING, b"?").bytes();
    let mut message = MessageBuffer::new();
    let (_, event) = session.receive(&mut ping, &mut message).unwrap();
    assert_eq!(event, Some(Event::Ping(b"?")));
    assert!(session.has_reply());
    session
}

#[test]
fn a_close_takes_the_place_of_a_pong_that_waits() {
    type Close = fn(&mut Session, &mut Vec<u8>);
    let close: Close = |session, output| session.close(CloseCode::NORMAL, "", output).unwrap();
    let raw: Close = |session, output| {
        let payload = close_payload(1000, "");
        let sent = session.send_frame(true, Rsv::NONE, Opcode::Close, &payload, output);
        sent.unwrap();
    };
    let by_the_encoder: Close = |session, output| {
        let payload = close_payload(1000, "");
        let encoder = session.sender_mut().encoder_mut();
        let header = encoder.frame(true, Rsv::NONE, Opcode::Close, &payload);
        let mut bytes = [0; 14];
        let len = header.unwrap().encode(&mut bytes);
        output.extend_from_slice(&bytes[..len]);
        output.extend_from_slice(&payload);
    };
    let closes = [
        ("close", close),
        ("send_frame", raw),
        ("the encoder", by_the_encoder),
    ];
    for (compression, (_, close)) in each_pair(&Compression::ALL, &closes) {
        let mut session = pinged(compression);
        let mut output = vec![];
        close(&mut session, &mut output);
        assert_eq!(session.write_reply(&mut output), Ok(false));
        assert!(!session.has_reply());
        assert_eq!(output, b"\x88\x02\x03\xE8");
    }
}

#[test]
fn a_close_of_ones_own_takes_the_place_of_one_that_waits() {
    let violation = to(Role::Server, FIN | 0x3, b"").bytes();
    let close = to(Role::Server, FIN | CLOSE, close_payload(1001, "")).bytes();
    let inputs = [violation, close];
    for (compression, mut input) in each_pair(&Compression::ALL, &inputs) {
        let mut session = server(compression);
        let _ = session.receive(&mut input, &mut MessageBuffer::new());
        let mut output = vec![];
        session
            .close(CloseCode::PROTOCOL_ERROR, "", &mut output)
            .unwrap();
        assert_eq!(session.write_reply(&mut output), Ok(false));
        assert_eq!(output, b"\x88\x02\x03\xEA");
        assert!(session.is_closed());
    }
}

/// Which call is given a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Receive,
    ReceivePiece,
}
use Call::{Receive, ReceivePiece};

/// Gives each frame to a call of its own, and gives back what came of data, by the call.
fn mixed(compression: Compression, frames: &[(Call, Frame)]) -> Vec<(Call, Vec<u8>)> {
    let mut session = server(compression);
    let mut speaker = Speaker::new(compression);
    let mut message = MessageBuffer::new();
    let mut given = vec![];
    for (call, frame) in frames {
        let mut input = wire(&speaker.say(slice::from_ref(frame)));
        let (used, data) = match call {
            Receive => match session.receive(&mut input, &mut message).unwrap() {
                (used, Some(Event::Message(message))) => (used, Some(message.payload().to_vec())),
                (used, _) => (used, None),
            },
            ReceivePiece => match session.receive_piece(&mut input, &mut message).unwrap() {
                (used, Some(PieceEvent::Data(piece))) => (used, Some(piece.payload.to_vec())),
                (used, _) => (used, None),
            },
        };
        assert_eq!(used, input.len());
        given.extend(data.map(|data| (*call, data)));
    }
    given
}

#[test]
fn a_message_belongs_to_the_call_that_began_it() {
    let first = || to(Role::Server, TEXT, b"abc");
    let more = || to(Role::Server, CONTINUATION, b"d");
    let last = || to(Role::Server, FIN | CONTINUATION, b"e");
    let next = || to(Role::Server, FIN | TEXT, b"next");
    let both = [(Receive, ReceivePiece), (ReceivePiece, Receive)];
    for (compression, (began, other)) in each_pair(&IN_PIECES, &both) {
        // What one call gives by itself.
        let alone = match began {
            Receive => vec![],
            ReceivePiece => vec![(began, b"abc".to_vec())],
        };
        let ends = mixed(
            compression,
            &[
                (began, first()),
                (other, last()),
                (other, next()),
                (began, next()),
            ],
        );
        let nexts = [(other, b"next".to_vec()), (began, b"next".to_vec())];
        assert_eq!(ends, [&alone[..], &nexts].concat());

        // A part that was skipped is missing: what comes after it is no message's end.
        let missing = mixed(
            compression,
            &[(began, first()), (other, more()), (began, last())],
        );
        assert_eq!(missing, alone, "begun by {began:?}");
    }
}

#[test]
fn what_was_skipped_of_a_message_is_in_none_that_comes_after_it() {
    let frames = [
        (Receive, to(Role::Server, TEXT, b"old")),
        (ReceivePiece, to(Role::Server, FIN | CONTINUATION, b"!")),
        (Receive, to(Role::Server, TEXT, b"n")),
        (Receive, to(Role::Server, FIN | CONTINUATION, b"ew")),
    ];
    for compression in Compression::ALL {
        let given = mixed(compression, &frames);
        assert_eq!(given, [(Receive, b"new".to_vec())], "{compression:?}");
    }
}

#[test]
fn messages_in_pieces_are_answered_as_whole_ones_are() {
    let pings_and_close = [
        to(Role::Server, FIN | PING, b"1"),
        to(Role::Server, BINARY, b"data"),
        to(Role::Server, FIN | PING, b"2"),
        to(Role::Server, FIN | CLOSE, close_payload(3000, "done")),
    ];
    let violation = [to(Role::Server, FIN | 0x3, b"")];
    let bad_text = [to(Role::Server, FIN | TEXT, b"\xFF")];
    let (pong, close) = (Opcode::Pong, Opcode::Close);
    for (frames, code, answers) in each([
        (&pings_and_close[..], 3000, &[pong, pong, close][..]),
        (&violation, 1002, &[close]),
        (&bad_text, 1007, &[close]),
    ]) {
        for (compression, step) in each_pair(&IN_PIECES, &[1, 7, 1000]) {
            let output = receive_pieces(compression, frames, step);
            let frames = oracle::frames(&output);
            let opcodes: Vec<_> = frames.iter().map(|frame| frame.opcode).collect();
            assert_eq!(opcodes, answers);
            let (close, pongs) = frames.split_last().unwrap();
            assert_eq!(close.payload[..2], close_payload(code, ""));
            for (pong, ping) in pongs.iter().zip([b"1", b"2"]) {
                assert_eq!(pong.payload, ping);
            }
        }
    }
}

/// What a session answers that is given pieces of this many bytes, until it is closed.
fn receive_pieces(compression: Compression, frames: &[Frame], step: usize) -> Vec<u8> {
    let mut session = server(compression);
    let mut input = compression.said(frames);
    let mut message = MessageBuffer::new();
    let mut output = vec![];
    for mut chunk in input.chunks_mut(step) {
        while !chunk.is_empty() {
            let used = match session.receive_piece(chunk, &mut message) {
                Ok((used, _)) => used,
                Err(_) => chunk.len(),
            };
            session.write_reply(&mut output).unwrap();
            chunk = &mut chunk[used..];
        }
    }
    assert!(session.is_closed());
    output
}

#[test]
fn what_is_held_of_a_message_that_another_call_went_on_with_is_forgotten() {
    let mut session = Session::server(Limits::default());
    let mut message = MessageBuffer::new();
    let mut begun = to(Role::Server, BINARY, b"abc").bytes();
    session.receive(&mut begun, &mut message).unwrap();
    let mut ended = to(Role::Server, FIN | CONTINUATION, b"").bytes();
    session.receive_piece(&mut ended, &mut message).unwrap();
    let mut whole = to(Role::Server, FIN | TEXT, b"x").bytes();
    session.receive(&mut whole, &mut message).unwrap();
    assert!(message.is_empty());
    message.release();
    assert_eq!(message.capacity(), 0);
}
