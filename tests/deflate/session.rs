//! permessage-deflate through sessions: beside other extensions, and in pieces.

use std::cell::Cell;

use allocation_counter::measure;
use framewire::frame::{Rsv, Violation, os_key};
use framewire::protocol::{
    Agreement as _, Encoder, Event, Limits, MessageBuffer, PieceEvent, Role, SendError, Sender,
    Session,
};
use support::compression::HELLO;
use support::deflate::{negotiated, sent};
use support::frames::{BINARY, CLOSE, FIN, RSV1, RSV2, TEXT, frame};
use support::oracle::frames_in;
use support::{each, pattern};

/// The payload and the bits of the one message that comes of these bytes.
fn received(session: &mut Session, mut bytes: Vec<u8>) -> (Vec<u8>, Rsv) {
    let mut assembly = MessageBuffer::new();
    match session.receive(&mut bytes, &mut assembly).unwrap().1 {
        Some(Event::Message(message)) => (message.payload().to_vec(), message.rsv()),
        event => panic!("{event:?}"),
    }
}

#[test]
fn bits_of_other_extensions_do_not_end_compression() {
    for rsv in each([Rsv::NONE, Rsv::RSV2]) {
        let mut session = Session::server(Limits::default());
        session.set_extension(&negotiated(true));
        session.allow_rsv(rsv);
        let mut output = Vec::new();
        session.send("Hello", &mut output).unwrap();
        assert_eq!(output, frame(Role::Server, FIN | RSV1 | TEXT, &HELLO));
        let bytes = frame(Role::Client, FIN | RSV1 | TEXT, &HELLO);
        let hello = (b"Hello".to_vec(), Rsv::NONE);
        assert_eq!(received(&mut session, bytes), hello);
    }
}

#[test]
fn bits_of_other_extensions_are_allowed_and_forbidden_beside_compression() {
    let mut session = Session::server(Limits::default());
    session.allow_rsv(Rsv::RSV2);
    session.set_extension(&negotiated(true));
    let mut both = frame(Role::Client, FIN | RSV1 | RSV2 | TEXT, &HELLO);
    let hello = (b"Hello".to_vec(), Rsv::RSV2);
    assert_eq!(received(&mut session, both.clone()), hello);
    session.allow_rsv(Rsv::NONE);
    let mut assembly = MessageBuffer::new();
    assert!(session.receive(&mut both, &mut assembly).is_err());
}

#[test]
fn a_message_that_found_no_masking_key_is_in_no_later_one() {
    thread_local! {
        static IS_DRY: Cell<bool> = const { Cell::new(true) };
    }
    let keys = || if IS_DRY.get() { None } else { os_key() };
    let mut client = Session::client(Limits::default(), keys);
    client.set_extension(&negotiated(true));
    let mut output = Vec::new();
    let text = "the same words twice";
    let refused = client.send(text, &mut output);
    assert_eq!(refused, Err(SendError::NoEntropy));
    assert!(output.is_empty());
    IS_DRY.set(false);
    client.send(text, &mut output).unwrap();
    let mut server = Session::server(Limits::default());
    server.set_extension(&negotiated(true));
    assert_eq!(received(&mut server, output).0, text.as_bytes());
}

#[test]
fn an_encoder_forbids_no_bit_of_its_sender() {
    let mut sender = Sender::new(Encoder::server());
    sender.set_message_encoder(negotiated(true).encoder(Role::Server));
    sender.encoder_mut().allow_rsv(Rsv::NONE);
    let expected = frame(Role::Server, FIN | RSV1 | BINARY, &HELLO);
    assert_eq!(sent(&mut sender, b"Hello"), expected);
}

/// Gives out the messages of these bytes in pieces, as an event loop does that reads 1000 bytes at
/// a time and has 4 KiB for what comes of them.
fn stream(
    session: &mut Session,
    bytes: &mut [u8],
    mut give: impl FnMut(&[u8]),
) -> Result<(), Violation> {
    let mut control = MessageBuffer::new();
    let mut output = [0; 4 << 10];
    for read in bytes.chunks_mut(1000) {
        let mut used = 0;
        while used < read.len() {
            let (taken, event) = session.receive_piece(&mut read[used..], &mut control)?;
            used += taken;
            let Some(PieceEvent::Data(piece)) = event else {
                continue;
            };
            if !session.receiver_mut().is_encoded(piece.rsv) {
                give(piece.payload);
                continue;
            }
            let mut rest = &*piece.payload;
            loop {
                let inflated = session.decode(rest, piece.opcode, piece.last, &mut output)?;
                give(&output[..inflated.produced]);
                rest = &rest[inflated.consumed..];
                if inflated.done {
                    break;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_message_that_another_call_began_is_skipped_and_the_one_that_refers_to_it_is_read() {
    let (first, second) = (pattern(300), [&pattern(300)[..], b"!"].concat());
    let mut client = Session::client(Limits::default(), os_key);
    client.set_extension(&negotiated(true));
    let mut wire = Vec::new();
    client.send(&first, &mut wire).unwrap();
    let end = wire.len();
    client.send(&second, &mut wire).unwrap();
    let header = end - frames_in(&wire)[0].1.len();
    for cut in each(header + 1..end) {
        let (mut begun, mut rest) = (wire.clone(), wire[cut..].to_vec());
        begun.truncate(cut);
        let server = || {
            let mut server = Session::server(Limits::default());
            server.set_extension(&negotiated(true));
            server
        };

        let mut pieces_first = server();
        stream(&mut pieces_first, &mut begun.clone(), |_| {}).unwrap();
        assert_eq!(received(&mut pieces_first, rest.clone()).0, second);

        let mut whole_first = server();
        let mut assembly = MessageBuffer::new();
        let nothing = whole_first.receive(&mut begun, &mut assembly);
        assert!(matches!(nothing, Ok((used, None)) if used == cut));
        let mut streamed = Vec::<u8>::new();
        stream(&mut whole_first, &mut rest, |bytes| streamed.extend(bytes)).unwrap();
        assert_eq!(streamed, second);
    }
}

#[test]
fn messages_of_any_size_are_streamed_in_constant_memory() {
    let negotiated = negotiated(true);
    let message = pattern(8 << 20);
    let mut client = Session::client(Limits::default(), os_key);
    let mut server = Session::server(Limits::UNLIMITED);
    server.set_extension(&negotiated);
    let mut wire = Vec::new();
    // One that is not compressed, and two that are.
    client.send(b"Hello", &mut wire).unwrap();
    client.set_extension(&negotiated);
    client.send(&message, &mut wire).unwrap();
    client.send(&message, &mut wire).unwrap();

    let expected = [b"Hello", &message[..], &message].concat();
    let mut streamed = 0;
    let info = measure(|| {
        let result = stream(&mut server, &mut wire, |bytes| {
            assert!(expected[streamed..].starts_with(bytes));
            streamed += bytes.len();
        });
        result.unwrap();
    });
    assert_eq!(streamed, expected.len());
    // The decompressor, and nothing else.
    assert!(info.bytes_max < 48 << 10, "{info:?}");
}

#[test]
fn a_violation_while_streaming_is_answered() {
    for (payload, violation) in each([
        (&[0xff; 4][..], Violation::InvalidDeflate),
        // A stored block with a byte that is no UTF-8.
        (
            &[0x00, 0x01, 0x00, 0xfe, 0xff, 0xff, 0x00],
            Violation::InvalidUtf8,
        ),
    ]) {
        let mut session = Session::server(Limits::default());
        session.set_extension(&negotiated(true));
        let mut bytes = frame(Role::Client, FIN | RSV1 | TEXT, payload);
        let streamed = stream(&mut session, &mut bytes, |_| panic!("something came of it"));
        assert_eq!(streamed, Err(violation));
        // What comes after it has no effect.
        let mut bytes = frame(Role::Client, FIN | RSV1 | TEXT, &HELLO);
        let streamed = stream(&mut session, &mut bytes, |_| panic!("something came of it"));
        assert_eq!(streamed, Ok(()));
        let mut output = Vec::new();
        assert_eq!(session.write_reply(&mut output), Ok(true));
        let (first_byte, reply) = frames_in(&output).remove(0);
        assert_eq!(first_byte, FIN | CLOSE);
        assert_eq!(reply[..2], 1007_u16.to_be_bytes());
        assert!(session.is_closed());
    }
}
