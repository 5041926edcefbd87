//! What the traits of an engine ask for, held against every engine there is.

use crate::engine_kinds::{Judge, Kind};
use crate::ways::{messages, receivers, senders, ways};
use allocation_counter::measure;
use framewire::deflate::{
    Compressor, Decompressor, DeflateConfig, EngineError, Flush, Parameters, Progress,
};
use framewire::protocol::Role;
use proptest::prelude::*;
use support::compression::{HELLO, HELLO_AGAIN, TAIL};
use support::peer::ScriptedPeer;
use support::{Replay, json, pattern, peer};

/// "Hello" in a last block, as RFC 7692 7.2.3.4 has it.
const HELLO_FINAL: [u8; 7] = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

/// Messages that compress well, hardly and not at all, in blocks of every kind.
fn samples() -> Vec<Vec<u8>> {
    vec![
        b"Hello".to_vec(),
        vec![0; 1],
        vec![7; 100_000],
        json(100_000),
        pattern(70_000),
        [json(20_000), pattern(20_000), TAIL.repeat(5_000)].concat(),
    ]
}

fn compressor(kind: Kind, level: u8, window_bits: u8) -> Box<dyn Compressor> {
    kind.engine().compressor(level, window_bits, 8)
}

/// Everything of a message, put out into outputs of that size.
fn flushed(compressor: &mut dyn Compressor, mut message: &[u8], size: usize) -> Vec<u8> {
    let mut output = vec![0; size];
    let mut compressed = Vec::new();
    loop {
        let progress = compressor.compress(message, &mut output, Flush::Sync);
        let progress = progress.unwrap();
        assert!(!progress.ended);
        message = &message[progress.consumed..];
        compressed.extend_from_slice(&output[..progress.produced]);
        if progress.produced < size {
            assert_eq!(message, b"", "all is taken");
            return compressed;
        }
    }
}

/// What came of a stream: all that was put out, how much was taken, and whether it ended.
struct Inflated {
    output: Vec<u8>,
    taken: usize,
    ended: bool,
}

/// Decompresses pieces of one size into outputs of another.
fn inflate(
    decompressor: &mut dyn Decompressor,
    stream: &[u8],
    piece: usize,
    size: usize,
) -> Result<Inflated, EngineError> {
    let mut room = vec![0; size];
    let mut output = Vec::new();
    let mut taken = 0;
    for piece in stream.chunks(piece) {
        let mut rest = piece;
        loop {
            let Progress {
                consumed,
                produced,
                ended,
            } = decompressor.decompress(rest, &mut room)?;
            rest = &rest[consumed..];
            taken += consumed;
            output.extend_from_slice(&room[..produced]);
            if ended {
                return Ok(Inflated {
                    output,
                    taken,
                    ended,
                });
            }
            if produced < size {
                assert_eq!(rest, b"", "all is taken");
                break;
            }
        }
    }
    Ok(Inflated {
        output,
        taken,
        ended: false,
    })
}

/// The rule, by hand: what RFC 7692 7.2.3 shows is what every engine puts out, and reads.
#[test]
fn hello_is_compressed_and_read_as_the_rfc_shows_it() {
    for &kind in Kind::ALL {
        let mut compressor = compressor(kind, 6, 15);
        let mut decompressor = kind.engine().decompressor(15);
        for expected in [&HELLO[..], &HELLO_AGAIN] {
            let compressed = [expected, &TAIL].concat();
            assert_eq!(
                flushed(&mut *compressor, b"Hello", 64),
                compressed,
                "{kind:?}"
            );
            let inflated = inflate(&mut *decompressor, &compressed, 64, 64).unwrap();
            assert_eq!(inflated.output, b"Hello", "{kind:?}");
        }
    }
}

#[test]
fn a_flush_puts_out_all_and_ends_in_an_empty_block() {
    for &kind in Kind::ALL {
        for (level, window_bits) in (0..=9).zip([9, 10, 11, 12, 13, 14, 15].into_iter().cycle()) {
            let mut compressor = compressor(kind, level, window_bits);
            let mut judge = Judge::new(window_bits);
            for (n, message) in samples().into_iter().enumerate() {
                let _replay = Replay(|| format!("{kind:?}, {level}, {window_bits}, sample {n}"));
                let compressed = flushed(&mut *compressor, &message, 200_000);
                assert!(compressed.ends_with(&TAIL));
                assert!(judge.read(&compressed) == message);
            }
        }
    }
}

#[test]
fn no_reference_goes_back_further_than_the_window() {
    for &kind in Kind::ALL {
        for window_bits in 9..=15 {
            let around = [0, 100, 300, 301, 340].map(|more| (1 << window_bits) - 300 + more);
            let mut judge = Judge::new(window_bits);
            for level in 0..=9 {
                let mut compressor = compressor(kind, level, window_bits);
                judge.forget();
                for distance in around {
                    let _replay =
                        Replay(|| format!("{kind:?}, {window_bits}, {level}, {distance}"));
                    let message = pattern(distance).repeat(2);
                    let compressed = flushed(&mut *compressor, &message, 200_000);
                    assert!(judge.read(&compressed) == message);
                }
            }
        }
    }
}

#[test]
fn small_outputs_change_nothing() {
    for &kind in Kind::ALL {
        for size in [16, 17, 31, 100, 4096] {
            for (level, window_bits) in [(0, 15), (1, 15), (6, 15), (1, 9)] {
                let mut compressor = compressor(kind, level, window_bits);
                let mut judge = Judge::new(window_bits);
                for (n, message) in samples().into_iter().enumerate() {
                    let _replay =
                        Replay(|| format!("{kind:?}, {size}, {level}, {window_bits}, sample {n}"));
                    let compressed = flushed(&mut *compressor, &message, size);
                    assert!(compressed.ends_with(&TAIL));
                    assert!(judge.read(&compressed) == message);
                }
            }
        }
    }
}

#[test]
fn what_is_not_flushed_comes_later() {
    for &kind in Kind::ALL {
        for size in [16, 1000, 200_000] {
            for level in [0, 1, 6] {
                let _replay = Replay(|| format!("{kind:?}, {size}, {level}"));
                let mut compressor = compressor(kind, level, 15);
                let mut output = vec![0; size];
                let mut compressed = Vec::new();
                let message = samples().concat();
                for piece in message.chunks(777) {
                    let mut rest = piece;
                    loop {
                        let progress = compressor.compress(rest, &mut output, Flush::None);
                        let progress = progress.unwrap();
                        rest = &rest[progress.consumed..];
                        compressed.extend_from_slice(&output[..progress.produced]);
                        if progress.produced < size {
                            assert_eq!(rest, b"", "all is taken");
                            break;
                        }
                    }
                }
                compressed.extend(flushed(&mut *compressor, &[], size));
                assert!(compressed.ends_with(&TAIL));
                assert!(Judge::new(15).read(&compressed) == message);
            }
        }
    }
}

#[test]
fn nothing_in_is_nothing_out() {
    for &kind in Kind::ALL {
        let mut compressor = compressor(kind, 1, 15);
        let mut output = [0; 64];
        let nothing = Progress {
            consumed: 0,
            produced: 0,
            ended: false,
        };
        for _ in 0..2 {
            let progress = compressor.compress(&[], &mut output, Flush::None);
            assert_eq!(progress, Ok(nothing), "{kind:?}");
        }
        let first = flushed(&mut *compressor, b"Hello", 64);
        assert_eq!(first, [&HELLO[..], &TAIL].concat(), "{kind:?}");
        // What was flushed once is not flushed again.
        let progress = compressor.compress(&[], &mut output, Flush::Sync);
        assert_eq!(progress, Ok(nothing), "{kind:?}");
        let mut decompressor = kind.engine().decompressor(15);
        let progress = decompressor.decompress(&[], &mut output);
        assert_eq!(progress, Ok(nothing), "{kind:?}");
        let progress = decompressor.decompress(&first, &mut []);
        assert_eq!(progress.unwrap().produced, 0, "{kind:?}");
    }
}

#[test]
fn a_compressor_that_is_reset_starts_anew() {
    for &kind in Kind::ALL {
        for (level, window_bits) in [(0, 15), (1, 15), (6, 12), (9, 15)] {
            let mut compressor = compressor(kind, level, window_bits);
            for (n, message) in samples().into_iter().enumerate() {
                let _replay = Replay(|| format!("{kind:?}, {level}, {window_bits}, sample {n}"));
                let once = flushed(&mut *compressor, &message, 200_000);
                compressor.reset();
                let again = flushed(&mut *compressor, &message, 200_000);
                assert!(once == again);
                // In the middle of a message, and of what did not fit.
                let taken = compressor.compress(&message, &mut [0; 16], Flush::Sync);
                taken.unwrap();
                compressor.reset();
                let again = flushed(&mut *compressor, &message, 200_000);
                assert!(once == again);
                compressor.reset();
            }
        }
    }
}

#[test]
fn a_decompressor_that_is_reset_starts_anew() {
    for &kind in Kind::ALL {
        let mut decompressor = kind.engine().decompressor(15);
        let hello = [&HELLO[..], &TAIL].concat();
        let long = flushed(&mut *compressor(kind, 6, 15), &json(100_000), 16);
        let (half, _) = long.split_at(long.len() / 2);
        for before in [&hello[..], &HELLO[..3], half, &[0xff; 4], &HELLO_FINAL] {
            // Whatever it was given, whole, in part or broken, …
            let _ = inflate(&mut *decompressor, before, 7, 1000);
            decompressor.reset();
            let inflated = inflate(&mut *decompressor, &hello, 100, 100).unwrap();
            assert_eq!(inflated.output, b"Hello", "{kind:?}");
            let again = inflate(&mut *decompressor, &HELLO_AGAIN, 100, 100).unwrap();
            assert_eq!(again.output, b"Hello", "{kind:?}");
            // … nothing of it can be referred to.
            decompressor.reset();
            let again = inflate(&mut *decompressor, &HELLO_AGAIN, 100, 100);
            assert!(again.is_err(), "{kind:?}");
            decompressor.reset();
        }
    }
}

#[test]
fn a_decompressor_takes_all_until_its_output_is_full() {
    let message = samples().concat();
    for &kind in Kind::ALL {
        for window_bits in [9, 15] {
            let compressed = flushed(&mut *compressor(kind, 6, window_bits), &message, 1000);
            for &reader in Kind::ALL {
                for (piece, size) in [(1, 1000), (17, 1), (1000, 16), (100_000, 500_000)] {
                    let mut decompressor = reader.engine().decompressor(window_bits);
                    let inflated = inflate(&mut *decompressor, &compressed, piece, size);
                    let inflated = inflated.unwrap();
                    let what = format!("{kind:?} to {reader:?}, {window_bits}, {piece}, {size}");
                    assert!(inflated.output == message, "{what}");
                    assert_eq!(inflated.taken, compressed.len());
                    assert!(!inflated.ended);
                }
            }
        }
    }
}

/// What was flushed can be read without a byte of what comes next.
#[test]
fn a_decompressor_keeps_nothing_back() {
    for &kind in Kind::ALL {
        let mut compressor = compressor(kind, 6, 15);
        let mut decompressor = kind.engine().decompressor(15);
        for n in 0..3000 {
            // Of a length that puts matches across the end of any ring.
            let message = json(1000 + n % 97);
            let compressed = flushed(&mut *compressor, &message, 4096);
            let without_tail = &compressed[..compressed.len() - TAIL.len()];
            let inflated = inflate(&mut *decompressor, without_tail, 4096, 4096).unwrap();
            assert!(inflated.output == message, "{kind:?}, {n}");
            let rest = inflate(&mut *decompressor, &TAIL, 4, 4096).unwrap();
            assert_eq!(rest.output, b"", "{kind:?}, {n}");
        }
    }
}

#[test]
fn a_last_block_ends_the_stream() {
    let behind = [&HELLO_FINAL[..], b"behind"].concat();
    for &kind in Kind::ALL {
        for (piece, size) in [(100, 100), (1, 100), (100, 5), (100, 1), (1, 1)] {
            let mut decompressor = kind.engine().decompressor(15);
            for _ in 0..2 {
                let inflated = inflate(&mut *decompressor, &behind, piece, size).unwrap();
                assert!(inflated.ended, "{kind:?}, {piece} {size}");
                assert_eq!(inflated.output, b"Hello", "{kind:?}");
                assert_eq!(inflated.taken, HELLO_FINAL.len(), "{kind:?}");
                decompressor.reset();
            }
        }
    }
}

#[test]
fn what_is_no_deflate_is_refused() {
    for &kind in Kind::ALL {
        for stream in [
            // The reserved type of a block.
            &[0x06][..],
            &[0xff; 4],
            // A stored block's length and its complement.
            &[0x00, 0x05, 0x00, 0x00, 0x00],
            // Distances to before the beginning, by one byte and by many.
            &HELLO_AGAIN,
            &[b"\x00\x03\x00\xfc\xffHel", &HELLO_AGAIN[..]].concat(),
            // Codes with more symbols than there are, and with none at all.
            &[0xfc, 0xff, 0xff, 0xff, 0xff],
            &[&[0x04][..], &[0x00; 40]].concat(),
        ] {
            let mut decompressor = kind.engine().decompressor(15);
            let mut room = [0; 100];
            let mut refused = false;
            for byte in stream {
                refused |= decompressor.decompress(&[*byte], &mut room).is_err();
            }
            assert!(refused, "{kind:?}: {stream:02x?}");
            let later = decompressor.decompress(&HELLO, &mut room);
            assert_eq!(later, Err(EngineError), "{kind:?}: {stream:02x?}");
        }
    }
}

#[test]
fn nothing_is_allocated_for_a_message() {
    let messages = samples();
    for &kind in Kind::ALL {
        for (level, window_bits) in [(0, 15), (1, 15), (6, 15), (1, 9)] {
            let mut compressor = compressor(kind, level, window_bits);
            let mut decompressor = kind.engine().decompressor(15);
            let mut compressed = vec![0; 200_000];
            let mut output = vec![0; 200_000];
            let mut exchange = || {
                for message in &messages {
                    let progress = compressor.compress(message, &mut compressed, Flush::Sync);
                    let compressed = &compressed[..progress.unwrap().produced];
                    let progress = decompressor.decompress(compressed, &mut output);
                    assert!(output[..progress.unwrap().produced] == message[..]);
                }
                compressor.reset();
                decompressor.reset();
            };
            exchange();
            let info = measure(exchange);
            assert_eq!(info.count_total, 0, "{kind:?}, {level}: {info:?}");
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    proptest::sample::select(Kind::ALL)
}

fn agreements() -> impl Strategy<Value = Parameters> {
    (any::<bool>(), any::<bool>(), 9_u8..=15, 9_u8..=15).prop_map(
        |(server_no_context_takeover, client_no_context_takeover, server, client)| {
            Parameters::default()
                .server_no_context_takeover(server_no_context_takeover)
                .client_no_context_takeover(client_no_context_takeover)
                .server_max_window_bits(server)
                .client_max_window_bits(client)
        },
    )
}

fn configs() -> impl Strategy<Value = DeflateConfig> {
    (0_u8..=9, 1_u8..=9, prop_oneof![Just(0), Just(40)]).prop_map(
        |(level, memory_level, threshold)| {
            DeflateConfig::default()
                .level(level)
                .memory_level(memory_level)
                .threshold(threshold)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_way_to_send_is_read_in_any_way(
        plan in proptest::collection::vec((ways(), ways(), messages()), 1..8),
        (sends, receives) in (senders(), receivers()),
        (sender, receiver) in (kinds(), kinds()),
        parameters in agreements(),
        config in configs(),
        step in 1_usize..2000,
        chunk_size in 64_usize..600,
        from in prop_oneof![Just(Role::Client), Just(Role::Server)],
    ) {
        let negotiated = sender.deflate(config).negotiated(parameters);
        let wire = ScriptedPeer::default();
        let mut sender = sends.end(from, &wire, chunk_size, &negotiated);
        for (way, _, message) in &plan {
            sends.send(&mut *sender, *way, message);
        }
        sender.flush().unwrap();
        let wire = ScriptedPeer::new(wire.written()).in_pieces_of(step);
        let negotiated = receiver.deflate(DeflateConfig::default()).negotiated(parameters);
        let mut receiver = receives.end(peer(from), &wire, chunk_size, &negotiated);
        for (_, way, message) in &plan {
            receives.receive(&mut *receiver, *way, message);
        }
    }

    /// Whatever the bytes: an error, or progress; and the same output for the same input, however
    /// it is cut.
    #[test]
    fn any_bytes_are_refused_or_read(
        start in prop_oneof![Just(Vec::new()), Just([&HELLO[..], &TAIL].concat())],
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        (piece, size) in (1_usize..300, 1_usize..300),
    ) {
        let stream = [start, bytes].concat();
        for &kind in Kind::ALL {
            let mut whole = kind.engine().decompressor(15);
            let mut cut = kind.engine().decompressor(15);
            let whole = inflate(&mut *whole, &stream, stream.len().max(1), 1 << 20);
            let cut = inflate(&mut *cut, &stream, piece, size);
            prop_assert_eq!(whole.is_ok(), cut.is_ok(), "{:?}", kind);
            if let (Ok(whole), Ok(cut)) = (whole, cut) {
                prop_assert_eq!(whole.output, cut.output, "{:?}", kind);
                prop_assert_eq!(whole.ended, cut.ended, "{:?}", kind);
                prop_assert_eq!(whole.taken, cut.taken, "{:?}", kind);
            }
        }
    }
}
