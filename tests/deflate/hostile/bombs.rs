//! Little that becomes much: the limit stops it, and what has no limit costs no memory.

use std::io::{self, ErrorKind, Read as _};
use std::num::NonZeroU64;

use allocation_counter::measure;
use framewire::Config;
use framewire::deflate::{Engine as _, Flush, ZlibRs};
use framewire::frame::Violation;
use framewire::protocol::{Agreement as _, Limits, Role};
use support::compression::Compression;
use support::connection::{Kind, endpoints_with};
use support::deflate::{Receiving, negotiated};
use support::frames::{BINARY, FIN, Length, RSV1, to};
use support::peer::ScriptedPeer;
use support::{each, json, pattern};

use super::{
    MIB, bomb, close_code, counted, counted_streaming, in_fragments, in_one_frame, server,
    streaming_server, violation,
};

const GIB: usize = 1 << 30;

/// Everything up to a gigabyte stops at the limit of 1 MiB, after about as much memory.
#[test]
fn a_bomb_stops_at_the_limit() {
    for len in [1 << 10, MIB, MIB + 1, 2 * MIB, 64 * MIB, 1024 * MIB] {
        let bomb = bomb(len);
        assert!(bomb.len() < len / 50);
        for bytes in [in_one_frame(&bomb), in_fragments(&bomb, 700)] {
            for takeover in [false, true] {
                let agreed = negotiated(takeover);
                for kind in counted() {
                    let (peer, mut server) = server(kind, &agreed, &bytes);
                    let mut allowed = false;
                    let info =
                        measure(|| allowed = server.next_message().is_ok_and(|one| one.is_some()));
                    assert_eq!(allowed, len <= MIB, "{len}");
                    // Doubling holds the old memory while it makes the new.
                    assert!(info.bytes_max < 4 * MIB as u64, "{len}: {info:?}");
                    if !allowed {
                        assert_eq!(close_code(&peer), 1009, "{len}");
                    }
                }
            }
        }
    }
}

/// One that refers to what came before it, and comes again and again.
#[test]
fn a_bomb_with_takeover_stops_each_time() {
    let agreed = negotiated(true);
    let mut compressor = framewire::protocol::Sender::new(framewire::protocol::Encoder::client(
        framewire::frame::os_key,
    ));
    compressor.set_message_encoder(agreed.encoder(Role::Client));
    let mut bytes = Vec::new();
    for len in each([MIB, MIB, MIB + 1]) {
        let message = vec![0; len];
        compressor.message(message, &mut bytes).unwrap();
    }
    for kind in each(Kind::ALL) {
        let (peer, mut server) = server(kind, &agreed, &bytes);
        for _ in 0..2 {
            assert_eq!(server.next_message().unwrap().unwrap().payload().len(), MIB);
        }
        let too_big = Violation::MessageTooBig { limit: MIB as u64 };
        assert_eq!(violation(&mut *server), too_big);
        assert_eq!(close_code(&peer), 1009);
    }
}

#[test]
fn the_message_buffer_stays_near_the_limit() {
    let bytes = in_one_frame(&bomb(64 * MIB));
    for limit in each([0, 1, 100, 5000, 100_000]) {
        let limits = Limits::default()
            .message(limit)
            .compressed(NonZeroU64::new(u64::MAX));
        let mut server = Receiving::new(Role::Server, &negotiated(true), limits);
        let received = server.receive(&bytes);
        assert_eq!(received, Err(Violation::MessageTooBig { limit }));
        let capacity = server.buffer.capacity() as u64;
        assert!(capacity <= 2 * limit + (8 << 10), "{limit}: {capacity}");
    }
}

#[test]
fn a_bomb_is_streamed_in_constant_memory() {
    let len = 32 * MIB;
    let bomb = bomb(len);
    for bytes in [in_one_frame(&bomb), in_fragments(&bomb, 700)] {
        for takeover in [false, true] {
            let agreed = negotiated(takeover);
            for kind in counted_streaming() {
                let (_, mut server) = streaming_server(kind, &agreed, &bytes, Config::default());
                let info = measure(|| {
                    let mut reader = server.message_reader().unwrap().unwrap();
                    let read = io::copy(&mut reader, &mut io::sink());
                    assert_eq!(read.unwrap(), len as u64);
                });
                assert!(info.bytes_max < 128 << 10, "{info:?}");
            }
        }
    }
}

/// A client's binary message in one frame, all but its last byte: what begins it, with a first block of
/// 1 MiB, and a peer that says so many blocks that refer to it.
fn long_message(blocks: usize) -> (Vec<u8>, ScriptedPeer) {
    let mut compressor = ZlibRs.compressor(9, 15, 8);
    let text = json(MIB);
    let mut output = vec![0; MIB];
    let mut flushed = || {
        let progress = compressor.compress(&text, &mut output, Flush::Sync);
        output[..progress.unwrap().produced].to_vec()
    };
    let (first, block) = (flushed(), flushed());
    let len = first.len() + blocks * block.len() + 1;
    // A masking key of zeros changes nothing.
    let begun = to(Role::Server, FIN | RSV1 | BINARY, first).with_mask(Some([0; 4]));
    let begun = begun.with_length(Length::Declared(len as u64)).bytes();
    let peer = ScriptedPeer::saying([block]);
    peer.say_again(blocks - 1);
    (begun, peer)
}

/// One message in one frame, which inflates to a gigabyte.
#[test]
fn a_message_of_any_length_is_streamed_in_constant_memory() {
    let ends = endpoints_with(Compression::Takeover);
    for end in ends.filter(|end| end.role == Role::Server && end.kind.is_counted()) {
        // Once is enough for what has no end.
        let len = if end.kind == Kind::Blocking {
            GIB
        } else {
            64 * MIB
        };
        let (begun, peer) = long_message(len / MIB - 1);
        let mut server = end.open_after(&begun, &peer, Config::default()).unwrap();
        let mut buf = vec![0; 64 << 10];
        let expected = json(MIB);
        let mut read = 0;
        let info = measure(|| {
            let mut reader = server.message_reader().unwrap().unwrap();
            loop {
                let len = match reader.read(&mut buf) {
                    Ok(0) => break,
                    Ok(len) => len,
                    // The last block is an empty one, whose tail is cut off.
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        assert!(!peer.has_more());
                        peer.say([0x00]);
                        continue;
                    }
                };
                let start = read % MIB;
                let len_here = len.min(MIB - start);
                assert!(buf[..len_here] == expected[start..start + len_here]);
                read += len;
            }
        });
        assert_eq!(read, len);
        assert!(info.bytes_max < 128 << 10, "{info:?}");
    }
}

/// One that is not wanted is skipped in constant memory as well.
#[test]
fn a_bomb_is_skipped_in_constant_memory() {
    let after = in_one_frame(&bomb(3));
    let bytes = [in_one_frame(&bomb(16 * MIB)), after].concat();
    for kind in counted_streaming() {
        let (_, mut server) = streaming_server(kind, &negotiated(false), &bytes, Config::default());
        let info = measure(|| {
            server.message_reader().unwrap().unwrap();
            assert_eq!(server.next_message().unwrap().unwrap().payload(), [0; 3]);
        });
        assert!(info.bytes_max < 128 << 10, "{info:?}");
    }
}

#[test]
fn what_compression_makes_longer_is_within_the_limit() {
    let noise = pattern(MIB);
    for (level, kind) in each((0..=9).zip(Kind::ALL.into_iter().cycle())) {
        let mut compressor = ZlibRs.compressor(level, 15, 1);
        let mut payload = vec![];
        // Flushed every kilobyte, as a peer that streams may.
        for piece in noise.chunks(1 << 10) {
            let mut output = vec![0; 4 << 10];
            let progress = compressor
                .compress(piece, &mut output, Flush::Sync)
                .unwrap();
            payload.extend_from_slice(&output[..progress.produced]);
        }
        payload.truncate(payload.len() - 4);
        assert!(payload.len() > MIB);
        let bytes = in_one_frame(&payload);
        let (_, mut server) = server(kind, &negotiated(true), &bytes);
        assert!(server.next_message().unwrap().unwrap().payload() == noise);
    }
}
