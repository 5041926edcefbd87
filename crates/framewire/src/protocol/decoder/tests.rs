use super::*;

/// A client's frames: a text in two fragments with a Ping in between, an empty one, and a longer one.
fn frames() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend([0x01, 0x83, 1, 2, 4, 8, b'H' ^ 1, b'e' ^ 2, b'l' ^ 4]);
    bytes.extend([0x89, 0x81, 1, 2, 4, 8, b'?' ^ 1]);
    bytes.extend([0x80, 0x82, 1, 2, 4, 8, b'l' ^ 1, b'o' ^ 2]);
    bytes.extend([0x82, 0x80, 1, 2, 4, 8]);
    bytes.extend([0x82, 0xFE, 0, 126, 0, 0, 0, 0]);
    bytes.extend([7; 126]);
    bytes
}

/// A message or a control frame, put together.
type Whole = (Opcode, Vec<u8>);

/// Decodes pieces of input one after the other.
fn decode_all(decoder: &mut Decoder, pieces: &[&[u8]]) -> Result<Vec<Whole>, Violation> {
    let (mut wholes, mut message) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut at = 0;
        // An empty payload is a piece that may come without input: one call more than there are bytes.
        for _ in 0..=piece.len() {
            let (used, found) = decoder.decode(&mut piece[at..])?;
            at += used;
            match found {
                None => break,
                Some(found) if found.opcode.is_control() => {
                    wholes.push((found.opcode, found.payload.to_vec()));
                }
                Some(found) => {
                    assert_eq!(found.first, message.is_empty());
                    message.extend_from_slice(found.payload);
                    if found.last {
                        wholes.push((found.opcode, core::mem::take(&mut message)));
                    }
                }
            }
        }
        assert_eq!(at, piece.len(), "input is left");
    }
    Ok(wholes)
}

fn server() -> Decoder {
    Decoder::new(Role::Server, Limits::default())
}

#[test]
fn a_cut_anywhere_changes_nothing() {
    let expected = [
        (Opcode::Ping, b"?".to_vec()),
        (Opcode::Text, b"Hello".to_vec()),
        (Opcode::Binary, Vec::new()),
        (Opcode::Binary, vec![7; 126]),
    ];
    let bytes = frames();
    for cut in 0..=bytes.len() {
        let (before, after) = bytes.split_at(cut);
        let decoded = decode_all(&mut server(), &[before, after]);
        assert_eq!(decoded.as_deref(), Ok(&expected[..]), "cut at {cut}");
    }
    let single: Vec<_> = bytes.chunks(1).collect();
    let decoded = decode_all(&mut server(), &single);
    assert_eq!(decoded.as_deref(), Ok(&expected[..]));
}

#[test]
fn a_message_that_lies_whole_in_the_input_gives_the_same_the_short_way() {
    let masked = [0x82, 0xFE, 0, 126, 0, 0, 0, 0];
    let plain = [0x81, 126, 0, 126];
    let bytes = [b'a'; 126];
    let cases: [(Role, Vec<u8>, bool); 9] = [
        (
            Role::Server,
            vec![0x81, 0x82, 1, 2, 4, 8, b'h' ^ 1, b'i' ^ 2],
            true,
        ),
        (Role::Server, vec![0x82, 0x81, 1, 2, 4, 8, 0xFF], true),
        (Role::Server, [&masked[..], &bytes].concat(), true),
        (Role::Client, [&plain[..], &bytes, &[0x82]].concat(), true),
        (Role::Client, [&plain[..], &bytes[1..]].concat(), false),
        // A length that needs fewer bytes, no text, a mask that is missing, and one too many.
        (Role::Client, vec![0x82, 126, 0, 1, 7], false),
        (Role::Server, vec![0x81, 0x81, 1, 2, 4, 8, 0xFF], false),
        (Role::Server, vec![0x82, 0x01, 7, 7, 7, 7, 7], false),
        (Role::Client, vec![0x82, 0x81, 1, 2, 4, 8, 7], false),
    ];
    for (role, input, is_short) in cases {
        let mut decoder = Decoder::new(role, Limits::default());
        let (mut short, mut long) = (input.clone(), input.clone());
        let found = decoder.decode_whole(&mut short);
        assert_eq!(found.is_some(), is_short, "{input:x?}");
        let Some((opcode, place)) = found else {
            assert_eq!(short, input, "the input is as it was");
            continue;
        };
        let (used, piece) = decoder.decode(&mut long).unwrap();
        let piece = piece.expect("the message has come");
        assert_eq!((used, piece.opcode), (place.end, opcode));
        assert!(piece.first && piece.last);
        assert_eq!(piece.payload, &short[place]);
    }
}

#[test]
fn a_client_takes_no_masked_frame() {
    let mut decoder = Decoder::new(Role::Client, Limits::default());
    let masked = decoder.decode(&mut [0x82, 0x80, 0, 0, 0, 0]).map(drop);
    assert_eq!(masked, Err(Violation::Masked));
}

#[test]
fn a_control_frame_begins_and_ends_once() {
    let mut decoder = server();
    let mut input = [0x89, 0x82, 0, 0, 0, 0, 1, 2];
    let (before, after) = input.split_at_mut(7);
    let (_, piece) = decoder.decode(before).unwrap();
    let piece = piece.expect("a byte has come");
    assert_eq!((piece.first, piece.last), (true, false));
    let (_, piece) = decoder.decode(after).unwrap();
    let piece = piece.expect("a byte has come");
    assert_eq!((piece.first, piece.last), (false, true));
}

#[test]
fn a_close_frame_is_checked_as_it_comes() {
    let close = |payload: &[u8]| {
        let mut decoder = server();
        let header = [0x88, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        let input = [&header[..], payload].concat();
        let single: Vec<_> = input.chunks(1).collect();
        let whole = decode_all(&mut decoder, &[&input]).map(drop);
        let mut decoder_of_bytes = server();
        assert_eq!(decode_all(&mut decoder_of_bytes, &single).map(drop), whole);
        assert!(decoder.is_done() && decoder_of_bytes.is_done());
        whole
    };
    assert_eq!(close(&[]), Ok(()));
    assert_eq!(close(b"\x03\xE8bye"), Ok(()));
    assert_eq!(close(&[3]), Err(Violation::CloseCodeTruncated));
    let no_status = Violation::CloseCodeInvalid(CloseCode::NO_STATUS);
    assert_eq!(close(b"\x03\xED"), Err(no_status));
    assert_eq!(close(b"\x03\xE8\xFF"), Err(Violation::InvalidReason));
    // A character that is cut off.
    assert_eq!(close(b"\x03\xE8\xC3"), Err(Violation::InvalidReason));
}

#[test]
fn reserved_bits_are_taken_where_they_were_allowed() {
    let frame = [0xF2, 0x80, 0, 0, 0, 0];
    let all = Rsv::from_first_byte(0x70);
    let refused = server().decode(&mut frame.clone()).map(drop);
    assert_eq!(refused, Err(Violation::ReservedBits(all)));
    let mut decoder = server();
    decoder.allow_rsv(Rsv::RSV2 | Rsv::RSV3);
    decoder.also_allow_rsv(Rsv::RSV1);
    let mut input = frame;
    let (_, piece) = decoder.decode(&mut input).unwrap();
    assert_eq!(piece.expect("a message has come").rsv, all);
    assert_eq!(decoder.message_rsv(), all);
}

#[test]
fn the_limit_on_a_compressed_message_is_on_its_frames() {
    let limits = Limits::default()
        .message(1)
        .compressed(core::num::NonZeroU64::new(5));
    let limited = || {
        let mut decoder = Decoder::new(Role::Server, limits);
        decoder.also_allow_rsv(Rsv::RSV1);
        decoder
    };
    let fits = [
        &[0x42, 0x83, 0, 0, 0, 0, 1, 1, 1][..],
        &[0x80, 0x82, 0, 0, 0, 0, 1, 1],
    ]
    .concat();
    let messages = decode_all(&mut limited(), &[&fits]);
    assert_eq!(messages, Ok(vec![(Opcode::Binary, vec![1; 5])]));
    let over = [
        &[0x42, 0x83, 0, 0, 0, 0, 1, 1, 1][..],
        &[0x80, 0x83, 0, 0, 0, 0, 1, 1, 1],
    ]
    .concat();
    let too_big = Violation::CompressedTooBig { limit: 5 };
    assert_eq!(decode_all(&mut limited(), &[&over]), Err(too_big));
    // Another message is under the limit for what is not compressed.
    let plain = [0x82, 0x82, 0, 0, 0, 0, 1, 1];
    let too_big = Violation::MessageTooBig { limit: 1 };
    assert_eq!(decode_all(&mut limited(), &[&plain]), Err(too_big));
}

#[test]
fn a_frame_under_way_has_a_header_and_bytes_that_are_missing() {
    let mut decoder = server();
    assert!(decoder.frame().is_none());
    assert_eq!(decoder.remaining(), 0);
    let mut input = [0x82, 0x83, 0, 0, 0, 0, 1];
    assert_eq!(decoder.decode_header(&input), Ok(6));
    // A header is decoded once.
    assert_eq!(decoder.decode_header(&input[6..]), Ok(0));
    assert_eq!(decoder.frame().map(Header::payload_len), Some(3));
    assert_eq!(decoder.remaining(), 3);
    assert_eq!(decoder.decode_payload(&mut []), Ok((0, None)));
    let (used, piece) = decoder.decode_payload(&mut input[6..]).unwrap();
    let piece = piece.expect("a byte has come");
    assert_eq!((used, piece.first, piece.last), (1, true, false));
    assert_eq!(decoder.remaining(), 2);
    assert_eq!(decoder.message(), Some(Opcode::Binary));
    decoder.decode_payload(&mut [2, 3]).unwrap();
    assert_eq!(decoder.remaining(), 0);
    assert!(decoder.frame().is_none());
    assert_eq!(decoder.message(), None);
}

#[test]
fn the_whole_message_behind_a_part_of_a_header_is_none() {
    let mut decoder = server();
    assert_eq!(decoder.decode(&mut [0x82]), Ok((1, None)));
    // By itself, an empty text: but its first byte is a length.
    let mut rest = [0x81, 0x80, 0, 0, 0, 7 ^ 0x80];
    assert_eq!(decoder.decode_whole(&mut rest), None);
    let (used, piece) = decoder.decode(&mut rest).unwrap();
    assert_eq!(used, 6);
    assert_eq!(piece.expect("a byte has come").payload, [7]);
}

#[test]
fn limits_are_for_what_is_longer() {
    type Set = fn(Limits, u64) -> Limits;
    let too_big = [
        (
            Limits::message as Set,
            Violation::MessageTooBig { limit: 5 },
        ),
        (Limits::frame, Violation::FrameTooBig { limit: 5 }),
    ];
    for (set, violation) in too_big {
        let limits = set(Limits::default(), 5);
        let five = [&[0x82, 0x85, 0, 0, 0, 0][..], &[7; 5]].concat();
        let mut decoder = Decoder::new(Role::Server, limits);
        assert!(decoder.decode_whole(&mut five.clone()).is_some());
        let fits = decode_all(&mut decoder, &[&five]);
        assert_eq!(fits, Ok(vec![(Opcode::Binary, vec![7; 5])]));
        let six = [&[0x82, 0x86, 0, 0, 0, 0][..], &[7; 6]].concat();
        assert_eq!(decoder.decode_whole(&mut six.clone()), None);
        assert_eq!(decode_all(&mut decoder, &[&six]), Err(violation));
    }
}

#[test]
fn what_follows_a_violation_is_used_up() {
    let mut decoder = server();
    let unmasked = decoder.decode(&mut [0x82, 0x00]).map(drop);
    assert_eq!(unmasked, Err(Violation::Unmasked));
    assert!(decoder.is_done());
    assert_eq!(decoder.decode_header(&[0x82, 0x80]), Ok(2));
    assert_eq!(decoder.decode_payload(&mut [1, 2, 3]), Ok((3, None)));
    assert_eq!(decoder.decode_whole(&mut [0x82, 0x80, 0, 0, 0, 0]), None);
}

#[cfg(feature = "std")]
#[test]
fn a_header_alone_between_messages_is_untouched() {
    let mut decoder = server();
    assert!(!decoder.is_untouched());
    assert_eq!(decoder.decode_header(&[0x02, 0x82, 0]), Ok(3));
    assert_eq!(decoder.partial_header(), [0x02, 0x82, 0]);
    assert!(!decoder.is_untouched());
    assert_eq!(decoder.decode_header(&[0, 0, 0]), Ok(3));
    assert!(decoder.partial_header().is_empty());
    assert!(decoder.is_untouched());
    decoder.decode_payload(&mut [1]).unwrap();
    assert!(!decoder.is_untouched());
    decoder.decode_payload(&mut [2]).unwrap();
    // Inside a message.
    for (header, payload) in [
        ([0x89, 0x81, 0, 0, 0, 0], [7]),
        ([0x80, 0x81, 0, 0, 0, 0], [3]),
    ] {
        assert_eq!(decoder.decode_header(&header), Ok(6));
        assert!(!decoder.is_untouched());
        decoder.decode_payload(&mut payload.clone()).unwrap();
    }
    assert_eq!(decoder.decode_header(&[0x89, 0x81, 0, 0, 0, 0]), Ok(6));
    assert!(decoder.is_untouched());
}

#[cfg(feature = "std")]
#[test]
fn a_limit_that_was_changed_is_on_the_message_under_way() {
    let cases = [
        (0x02, Violation::MessageTooBig { limit: 2 }),
        (0x42, Violation::CompressedTooBig { limit: 2 }),
    ];
    for (first, violation) in cases {
        let mut decoder = server();
        decoder.also_allow_rsv(Rsv::RSV1);
        decoder
            .decode(&mut [first, 0x83, 0, 0, 0, 0, 1, 2, 3])
            .unwrap();
        let mut set = |most: u64| {
            let limits = decoder.limits_mut();
            limits.message = most;
            limits.compressed = core::num::NonZeroU64::new(most);
            decoder.check_message_limit()
        };
        assert_eq!(set(3), Ok(()));
        assert_eq!(set(4), Ok(()));
        assert_eq!(set(2), Err(violation));
        assert!(decoder.is_done());

        let mut decoder = server();
        decoder.also_allow_rsv(Rsv::RSV1);
        let whole = [first | 0x80, 0x83, 0, 0, 0, 0, 1, 2, 3];
        decoder.decode(&mut whole.clone()).unwrap();
        let one = core::num::NonZeroU64::new(1);
        *decoder.limits_mut() = Limits::default().message(1).compressed(one);
        // It has ended.
        assert_eq!(decoder.check_message_limit(), Ok(()));
        assert!(!decoder.is_done());
    }
}
