//! What nothing comes out of, for ever.

use std::io::Read;
use std::num::NonZeroU64;

use allocation_counter::measure;
use framewire::frame::Violation;
use framewire::protocol::Role;
use framewire::{Config, ErrorKind, Limits};
use support::connection::Kind;
use support::deflate::negotiated;
use support::frames::{BINARY, CONTINUATION, RSV1, frame};
use support::{each, into_error};

use super::{MIB, close_code, counted, in_one_frame, server, streaming_server, violation};

#[test]
fn empty_blocks_cost_nothing() {
    let nothing = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(400_000);
    let bytes = in_one_frame(&[&nothing[..], &[0x00]].concat());
    for kind in counted() {
        let (_, mut server) = server(kind, &negotiated(true), &bytes);
        let info = measure(|| assert_eq!(server.next_message().unwrap().unwrap().payload(), b""));
        assert!(info.bytes_max < 128 << 10, "{info:?}");
    }
}

/// Empty blocks.
fn nothing() -> Vec<u8> {
    [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(13_000)
}

/// A compressed message that never ends, of blocks of which nothing comes out.
fn endless_nothing(frames: usize) -> Vec<u8> {
    let blocks = nothing();
    let mut bytes = frame(Role::Client, RSV1 | BINARY, &blocks);
    bytes.extend(frame(Role::Client, CONTINUATION, &blocks).repeat(frames));
    bytes
}

/// By default twice the limit on the message, and 64 KiB: with the default of 1 MiB that is 33 frames
/// of 65,000 bytes, and the header of the next one is refused.
#[test]
fn a_message_of_which_nothing_comes_out_is_bounded() {
    let limit = 2 * MIB as u64 + (64 << 10);
    let bytes = endless_nothing(100);
    for kind in each(Kind::ALL) {
        let (peer, mut server) = server(kind, &negotiated(true), &bytes);
        let violation = violation(&mut *server);
        assert_eq!(violation, Violation::CompressedTooBig { limit });
        assert_eq!(close_code(&peer), 1009);
        let read = peer.calls().reads;
        assert!(
            read <= 140,
            "it stopped reading after {read} reads of 16 KiB"
        );
    }
}

#[test]
fn a_limit_on_compressed_bytes_holds_for_streamed_messages_where_it_is_set() {
    let config = Config::default().limits(Limits::default().compressed(NonZeroU64::new(100_000)));
    let bytes = endless_nothing(100);
    for kind in each(Kind::FRONT_ENDS) {
        let (_, mut server) = streaming_server(kind, &negotiated(true), &bytes, config);
        let mut reader = server.message_reader().unwrap().unwrap();
        let error = reader.read(&mut [0; 100]).unwrap_err();
        let limit = Violation::CompressedTooBig { limit: 100_000 };
        assert!(matches!(into_error(error).kind(), ErrorKind::Violation(found) if *found == limit));
    }
}

/// Where none is set, something has to come out now and then.
#[test]
fn a_streamed_message_of_which_nothing_comes_out_any_more_is_bounded() {
    let limit = Violation::CompressedToNothing { most: 64 << 10 };
    let mut bytes = frame(Role::Client, RSV1 | BINARY, b"\0\x05\0\xFA\xFFhello");
    bytes.extend(frame(Role::Client, CONTINUATION, &nothing()).repeat(100));
    for kind in each(Kind::FRONT_ENDS) {
        let (peer, mut server) =
            streaming_server(kind, &negotiated(true), &bytes, Config::default());
        let mut reader = server.message_reader().unwrap().unwrap();
        reader.read_exact(&mut [0; 5]).unwrap();
        let error = reader.read(&mut [0; 100]).unwrap_err();
        assert!(matches!(into_error(error).kind(), ErrorKind::Violation(found) if *found == limit));
        assert_eq!(close_code(&peer), 1009);
        let read = peer.calls().reads;
        assert!(read <= 6, "it stopped after {read} reads of 16 KiB");
    }
}
