//! The engines of compression and zlib in C, each against the other: what ours compresses, in a window of any size,
//! zlib reads; what zlib compresses, with any level, window and flushes, ours reads; of any bytes at all both make the
//! same.
//!
//! The input: a byte each for the engine and what is tried, for level, window and memory level, three for the lengths
//! of pieces, one for the output's length, and then pieces: a byte for the flush after it, its kind and how often it is
//! repeated, a byte for its length, and its bytes.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use framewire::deflate::{Engine, Flush, Miniz, ZlibRs};

use crate::{Input, cut};

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let what = input.byte();
    let engine: &dyn Engine = if what & 1 == 0 { &ZlibRs } else { &Miniz };
    let settings = Settings {
        level: input.byte() % 10,
        window_bits: 9 + input.byte() % 7,
        memory_level: 1 + input.byte() % 9,
    };
    let lengths = input.lengths();
    let output = usize::from(input.byte()) + MIN_OUTPUT;
    match what >> 1 & 3 {
        0 => ours_to_zlib(engine, settings, output, input),
        1 => zlib_to_ours(engine, settings, lengths, output, input),
        _ => any_bytes(engine, lengths, output, input.rest()),
    }
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    level: u8,
    window_bits: u8,
    memory_level: u8,
}

/// The pieces of plain bytes, and how each is flushed: bytes of the input, repeated, bytes without any pattern, or
/// again what was at the beginning, which is as far back as can be.
fn pieces(mut input: Input<'_>) -> Vec<(u8, Vec<u8>)> {
    let noise = support::pattern(MOST_PLAIN);
    let (mut pieces, mut plain) = (vec![], vec![]);
    while !input.is_empty() && plain.len() < MOST_PLAIN {
        let how = input.byte();
        let times = 1 + usize::from(how >> 4);
        let piece = match how >> 2 & 3 {
            0 | 1 => input.bytes_of_length().repeat(times),
            2 => {
                let len = usize::from(input.byte()) * times;
                noise[plain.len()..][..len.min(noise.len() - plain.len())].to_vec()
            }
            _ => {
                let len = usize::from(input.byte()) * times;
                plain[..len.min(plain.len())].to_vec()
            }
        };
        plain.extend(&piece);
        pieces.push((how & 3, piece));
    }
    pieces
}

fn ours_to_zlib(engine: &dyn Engine, settings: Settings, output: usize, input: Input<'_>) {
    let Settings {
        level,
        window_bits,
        memory_level,
    } = settings;
    let mut compressor = engine.compressor(level, window_bits, memory_level);
    let (mut plain, mut compressed) = (vec![], vec![]);
    let mut output = vec![0; output];
    for (how, piece) in pieces(input) {
        let flush = if how & 1 == 0 {
            Flush::None
        } else {
            Flush::Sync
        };
        plain.extend(&piece);
        compress(
            &mut *compressor,
            &piece,
            flush,
            &mut output,
            &mut compressed,
        );
        if flush == Flush::Sync {
            // Everything can be read by now.
            assert_eq!(zlib_reads(window_bits, &compressed), plain);
        }
    }
    compress(
        &mut *compressor,
        b"",
        Flush::Sync,
        &mut output,
        &mut compressed,
    );
    assert_eq!(zlib_reads(window_bits, &compressed), plain);
}

fn compress(
    compressor: &mut dyn framewire::deflate::Compressor,
    mut piece: &[u8],
    flush: Flush,
    output: &mut [u8],
    compressed: &mut Vec<u8>,
) {
    loop {
        let done = compressor.compress(piece, output, flush);
        let done = done.expect("the engine works");
        piece = &piece[done.consumed..];
        compressed.extend(&output[..done.produced]);
        if piece.is_empty() && done.produced < output.len() {
            return;
        }
        assert!(done.consumed + done.produced > 0, "it does not go on");
    }
}

/// What zlib with a window of that size makes of a flushed stream.
fn zlib_reads(window_bits: u8, compressed: &[u8]) -> Vec<u8> {
    let mut zlib = Decompress::new_with_window_bits(false, window_bits);
    let mut plain = Vec::with_capacity(64);
    loop {
        let rest = &compressed[zlib.total_in() as usize..];
        let before = zlib.total_out();
        let read = zlib.decompress_vec(rest, &mut plain, FlushDecompress::Sync);
        // There is no progress where all was read: that is no error.
        assert!(
            matches!(read, Ok(Status::Ok | Status::BufError)),
            "{read:?}"
        );
        let is_stuck = zlib.total_out() == before;
        if zlib.total_in() as usize == compressed.len() && is_stuck {
            return plain;
        }
        assert!(plain.len() < MOST, "more than was compressed");
        plain.reserve(plain.len().max(64));
    }
}

fn zlib_to_ours(
    engine: &dyn Engine,
    settings: Settings,
    lengths: [usize; 3],
    output: usize,
    input: Input<'_>,
) {
    let level = Compression::new(settings.level.into());
    let mut zlib = Compress::new_with_window_bits(level, false, settings.window_bits);
    let (mut plain, mut compressed) = (vec![], vec![]);
    for (how, piece) in pieces(input) {
        let flush = match how {
            0 => FlushCompress::None,
            1 => FlushCompress::Partial,
            2 => FlushCompress::Sync,
            _ => FlushCompress::Full,
        };
        plain.extend(&piece);
        zlib_writes(&mut zlib, &piece, flush, &mut compressed);
    }
    let last = if settings.memory_level & 1 == 0 {
        FlushCompress::Finish
    } else {
        FlushCompress::Sync
    };
    zlib_writes(&mut zlib, b"", last, &mut compressed);
    let read = ours_reads(
        engine,
        settings.window_bits,
        &cut(&compressed, lengths),
        output,
    );
    assert!(
        !read.has_failed && read.plain == plain,
        "{:?}",
        read.plain.len()
    );
    assert_eq!(read.has_ended, last == FlushCompress::Finish);
}

fn zlib_writes(zlib: &mut Compress, piece: &[u8], flush: FlushCompress, compressed: &mut Vec<u8>) {
    let begin = zlib.total_in();
    loop {
        compressed.reserve(piece.len() + 256);
        let rest = &piece[(zlib.total_in() - begin) as usize..];
        let wrote = zlib.compress_vec(rest, compressed, flush);
        let wrote = wrote.expect("the engine works");
        let is_all = zlib.total_in() - begin == piece.len() as u64;
        let has_room = compressed.len() < compressed.capacity();
        if wrote == Status::StreamEnd || is_all && has_room && flush != FlushCompress::Finish {
            return;
        }
    }
}

/// What comes of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    plain: Vec<u8>,
    has_ended: bool,
    has_failed: bool,
}

fn ours_reads(engine: &dyn Engine, window_bits: u8, pieces: &[Vec<u8>], output: usize) -> Read {
    let mut decompressor = engine.decompressor(window_bits);
    let mut output = vec![0; output];
    let mut read = Read::default();
    for piece in pieces {
        let mut rest = &piece[..];
        loop {
            let Ok(done) = decompressor.decompress(rest, &mut output) else {
                read.has_failed = true;
                return read;
            };
            rest = &rest[done.consumed..];
            read.plain.extend(&output[..done.produced]);
            if done.ended {
                read.has_ended = true;
                return read;
            }
            if read.plain.len() > MOST {
                return read;
            }
            if done.produced < output.len() {
                assert!(rest.is_empty(), "it takes no more");
                break;
            }
        }
    }
    read
}

/// Of any bytes both engines make the same, and fail both or neither. One may see sooner than the other that a code is
/// broken, and be ahead of its output then.
fn any_bytes(engine: &dyn Engine, lengths: [usize; 3], output: usize, bytes: &[u8]) {
    let ours = ours_reads(engine, 15, &cut(bytes, lengths), output);
    if ours.plain.len() > MOST {
        return;
    }
    let zlib = zlib_reads_any(bytes);
    let len = zlib.plain.len().min(ours.plain.len());
    assert_eq!(zlib.plain[..len], ours.plain[..len]);
    if ours.has_failed == zlib.has_failed {
        assert!(ours.has_failed || ours == zlib);
        return;
    }
    let bytes = [bytes, &[0; 2 * LONGEST_CODE]].concat();
    let ours = ours_reads(engine, 15, &cut(&bytes, lengths), output);
    assert!(ours.has_failed && zlib_reads_any(&bytes).has_failed);
}

fn zlib_reads_any(bytes: &[u8]) -> Read {
    let mut zlib = Decompress::new(false);
    let mut plain = Vec::with_capacity(MOST + 1024);
    let status = zlib.decompress_vec(bytes, &mut plain, FlushDecompress::Sync);
    Read {
        plain,
        has_ended: matches!(status, Ok(Status::StreamEnd)),
        has_failed: status.is_err(),
    }
}

/// An engine is promised room for so many bytes.
const MIN_OUTPUT: usize = 16;
/// More bytes than the code lengths of a block with dynamic codes take (RFC 1951 3.2.7).
const LONGEST_CODE: usize = 512;
/// As many bytes as the largest window has, and some.
const MOST_PLAIN: usize = 40 << 10;
/// More than any input comes to that is worth its time.
const MOST: usize = 256 << 10;
