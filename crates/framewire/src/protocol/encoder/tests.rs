use super::*;

const KEY: [u8; 4] = [1, 2, 3, 4];

/// Returns the header of a frame with one byte of payload.
fn header(fin: bool, opcode: Opcode, mask: Option<[u8; 4]>) -> Result<Header, SendError> {
    Ok(Header::new(fin, Rsv::NONE, opcode, mask, 1)?)
}

fn frame(
    encoder: &mut Encoder,
    fin: bool,
    opcode: Opcode,
    payload: &[u8],
) -> Result<(), SendError> {
    encoder.frame(fin, Rsv::NONE, opcode, payload).map(drop)
}

#[test]
fn a_client_masks_each_frame_and_a_server_none() {
    let mut client = Encoder::client(|| Some(KEY));
    assert!(client.masks());
    assert_eq!(client.role(), Role::Client);
    for (fin, opcode) in [
        (true, Opcode::Text),
        (false, Opcode::Binary),
        (true, Opcode::Ping),
    ] {
        let masked = client.frame(fin, Rsv::NONE, opcode, b"a");
        assert_eq!(masked, header(fin, opcode, Some(KEY)));
    }
    let mut server = Encoder::server();
    assert!(!server.masks());
    assert_eq!(server.role(), Role::Server);
    let plain = server.frame(true, Rsv::NONE, Opcode::Text, b"a");
    assert_eq!(plain, header(true, Opcode::Text, None));
    let mut without_keys = Encoder::client(|| None);
    assert_eq!(
        frame(&mut without_keys, true, Opcode::Ping, b""),
        Err(SendError::NoEntropy)
    );
    assert_eq!(
        frame(&mut without_keys, true, Opcode::Text, b""),
        Err(SendError::NoEntropy)
    );
}

#[test]
fn fragments_follow_each_other() {
    let mut encoder = Encoder::server();
    let continuation = Opcode::Continuation;
    assert_eq!(
        frame(&mut encoder, true, continuation, b""),
        Err(SendError::NoMessageOpen)
    );
    assert_eq!(frame(&mut encoder, false, Opcode::Text, b"\xC3"), Ok(()));
    assert_eq!(encoder.message(), Some(Opcode::Text));
    let open = Err(SendError::MessageOpen(Opcode::Text));
    assert_eq!(frame(&mut encoder, true, Opcode::Binary, b""), open);
    assert_eq!(frame(&mut encoder, true, Opcode::Ping, b""), Ok(()));
    // The character is cut off, and then spoilt.
    assert_eq!(
        frame(&mut encoder, true, continuation, b""),
        Err(SendError::InvalidUtf8)
    );
    assert_eq!(
        frame(&mut encoder, false, continuation, b"a"),
        Err(SendError::InvalidUtf8)
    );
    assert_eq!(frame(&mut encoder, false, continuation, b"\xA9"), Ok(()));
    assert_eq!(encoder.message(), Some(Opcode::Text));
    assert_eq!(frame(&mut encoder, true, continuation, b"a"), Ok(()));
    assert_eq!(encoder.message(), None);
}

#[test]
fn a_text_is_utf8_unless_an_extension_made_something_of_it() {
    let mut encoder = Encoder::server();
    encoder.allow_rsv(Rsv::RSV1 | Rsv::RSV2);
    encoder.also_allow_rsv(Rsv::RSV1 | Rsv::RSV3);
    let all = Rsv::from_first_byte(0x70);
    assert_eq!(
        frame(&mut encoder, true, Opcode::Text, b"\xFF"),
        Err(SendError::InvalidUtf8)
    );
    assert_eq!(frame(&mut encoder, true, Opcode::Binary, b"\xFF"), Ok(()));
    assert!(encoder.frame(true, all, Opcode::Text, b"\xFF").is_ok());
    let control = encoder.frame(true, Rsv::RSV1, Opcode::Ping, b"").map(drop);
    assert_eq!(control, Err(SendError::ReservedBits(Rsv::RSV1)));
    let refused = Encoder::server()
        .frame(true, all, Opcode::Text, b"")
        .map(drop);
    assert_eq!(refused, Err(SendError::ReservedBits(all)));
    assert_eq!(
        encoder.check_message(Rsv::RSV1, &Outgoing::text("a")),
        Ok(())
    );
    let invalid = encoder.check_message(Rsv::RSV1, &Outgoing::new(Opcode::Text, b"\xFF"));
    assert_eq!(invalid, Err(SendError::InvalidUtf8));
}

#[test]
fn a_control_frame_is_whole_and_short() {
    let mut encoder = Encoder::server();
    let fragmented = SendError::FragmentedControl(Opcode::Ping);
    assert_eq!(
        frame(&mut encoder, false, Opcode::Ping, b""),
        Err(fragmented)
    );
    assert_eq!(frame(&mut encoder, true, Opcode::Ping, &[7; 125]), Ok(()));
    let too_large = SendError::ControlTooLarge { len: 126 };
    assert_eq!(
        frame(&mut encoder, true, Opcode::Ping, &[7; 126]),
        Err(too_large)
    );
    assert_eq!(
        SendError::from(Violation::FragmentedControl(Opcode::Ping)),
        fragmented
    );
    assert_eq!(fragmented.to_string(), "a ping frame cannot be fragmented");
}

#[test]
fn nothing_follows_a_close_frame() {
    let mut encoder = Encoder::server();
    let close = Opcode::Close;
    assert_eq!(
        frame(&mut encoder, true, close, b"\x03"),
        Err(SendError::CloseCodeTruncated)
    );
    let no_status = SendError::CloseCodeUnsendable(CloseCode::NO_STATUS);
    assert_eq!(
        frame(&mut encoder, true, close, b"\x03\xED"),
        Err(no_status)
    );
    assert_eq!(
        frame(&mut encoder, true, close, b"\x03\xE8\xFF"),
        Err(SendError::InvalidUtf8)
    );
    assert!(!encoder.is_closed());
    assert_eq!(frame(&mut encoder, true, close, b"\x03\xE8bye"), Ok(()));
    assert!(encoder.is_closed());
    for opcode in [Opcode::Text, Opcode::Ping, close] {
        assert_eq!(
            frame(&mut encoder, true, opcode, b""),
            Err(SendError::Closed)
        );
    }
    assert!(encoder.plain_header(&Outgoing::binary(b"")).is_none());
}

#[test]
fn a_message_that_needs_no_check_has_the_same_header_the_short_way() {
    let text = Outgoing::text("text");
    let unchecked = Outgoing::new(Opcode::Text, b"text");
    let mut encoder = Encoder::server();
    for message in [text, Outgoing::binary(b"\xFF")] {
        let plain = encoder.plain_header(&message);
        assert_eq!(plain, encoder.header(true, &message).ok());
    }
    assert_eq!(encoder.plain_header(&unchecked), None);
    assert_eq!(
        encoder.plain_header(&Outgoing::new(Opcode::Ping, b"")),
        None
    );
    assert_eq!(encoder.plain_header(&text.rsv(Rsv::RSV1)), None);
    assert_eq!(Encoder::client(|| Some(KEY)).plain_header(&text), None);
    frame(&mut encoder, false, Opcode::Binary, b"").unwrap();
    assert_eq!(encoder.plain_header(&text), None);
}

#[cfg(feature = "std")]
#[test]
fn a_message_in_pieces_is_no_frame_of_the_callers() {
    let mut encoder = Encoder::server();
    assert_eq!(
        encoder.fragment(true, b"").map(drop),
        Err(SendError::NoMessageOpen)
    );
    assert_eq!(encoder.open_message(Opcode::Text, Rsv::NONE), Ok(()));
    assert_eq!(encoder.held_message(), Some(Opcode::Text));
    let open = SendError::MessageOpen(Opcode::Text);
    assert_eq!(
        frame(&mut encoder, true, Opcode::Continuation, b""),
        Err(open)
    );
    assert_eq!(encoder.record_framed_message(Opcode::Binary), Err(open));
    let first = encoder.fragment(false, b"a");
    assert_eq!(first, header(false, Opcode::Text, None));
    assert_eq!(encoder.held_message(), Some(Opcode::Text));
    assert_eq!(
        frame(&mut encoder, true, Opcode::Continuation, b""),
        Err(open)
    );
    let second = encoder.fragment(true, b"b");
    assert_eq!(second, header(true, Opcode::Continuation, None));
    assert_eq!((encoder.held_message(), encoder.message()), (None, None));
    assert_eq!(encoder.record_framed_message(Opcode::Binary), Ok(()));
    // A frame of the caller's is not one in pieces.
    frame(&mut encoder, false, Opcode::Binary, b"").unwrap();
    assert_eq!(encoder.held_message(), None);
    assert_eq!(
        encoder.fragment(true, b"").map(drop),
        Err(SendError::NoMessageOpen)
    );
    assert_eq!(encoder.message(), Some(Opcode::Binary));
}
