//! What nothing comes out of, for ever.

use std::io::Read;
use std::num::NonZeroU64;

use allocation_counter::measure;
use framewire::frame::Violation;
use framewire::protocol::Role;
use framewire::{Config, Error, ErrorKind};
use support::deflate::negotiated;
use support::frames::{BINARY, CONTINUATION, RSV1, frame};

use super::{MIB, close_code, in_one_frame, server, server_by, violation};

#[test]
fn empty_blocks_cost_nothing() {
    let nothing = [0x00, 0x00, 0x00, 0xff, 0xff].repeat(400_000);
    let bytes = in_one_frame(&[&nothing[..], &[0x00]].concat());
    let mut server = server(&negotiated(true), &bytes);
    let info = measure(|| assert_eq!(server.next_message().unwrap().payload(), b""));
    assert!(info.bytes_max < 128 << 10, "{info:?}");
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
    let mut server = server_by(&negotiated(true), &endless_nothing(100), Config::default());
    assert_eq!(
        violation(&mut server),
        Violation::CompressedTooBig { limit }
    );
    assert_eq!(close_code(server.stream()), 1009);
    let read = server.stream().calls().reads;
    assert!(
        read <= 140,
        "it stopped reading after {read} reads of 16 KiB"
    );
}

#[test]
fn a_limit_on_compressed_bytes_holds_for_streamed_messages_where_it_is_set() {
    let mut config = Config::default();
    config.limits.compressed = NonZeroU64::new(100_000);
    let mut server = server_by(&negotiated(true), &endless_nothing(100), config);
    let mut reader = server.message_reader().unwrap();
    let error = reader.read(&mut [0; 100]).unwrap_err();
    let limit = Violation::CompressedTooBig { limit: 100_000 };
    let error = error.downcast::<Error>().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Violation(violation) if *violation == limit));

    // Where it is not, something has to come out now and then.
    let limit = Violation::CompressedToNothing { most: 64 << 10 };
    let mut bytes = frame(Role::Client, RSV1 | BINARY, b"\0\x05\0\xFA\xFFhello");
    bytes.extend(frame(Role::Client, CONTINUATION, &nothing()).repeat(100));
    let mut server = server_by(&negotiated(true), &bytes, Config::default());
    let mut reader = server.message_reader().unwrap();
    reader.read_exact(&mut [0; 5]).unwrap();
    let error = reader.read(&mut [0; 100]).unwrap_err();
    let error = error.downcast::<Error>().unwrap();
    assert!(matches!(error.kind(), ErrorKind::Violation(violation) if *violation == limit));
    assert_eq!(close_code(server.stream()), 1009);
    let read = server.stream().calls().reads;
    assert!(read <= 6, "it stopped after {read} reads of 16 KiB");
}
