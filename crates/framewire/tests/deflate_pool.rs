//! Contexts: what engines are asked for, and how connections share a pool of them.
#![cfg(feature = "deflate")]
#![allow(
    clippy::unwrap_used,
    reason = "what fails in a test's helper fails the test"
)]

mod deflate_support;
mod support;

use std::sync::{Arc, Mutex};

use deflate_support::{Receiving, parameters, sender, sent};
use framewire::deflate::{Compressor, Decompressor, Deflate, DeflateConfig, Engine, Flush, ZlibRs};
use framewire::protocol::{Limits, Role};
use support::wire::pattern;

/// zlib-rs, and the windows that it was asked for: of compressors, and of decompressors.
#[derive(Debug, Default, Clone)]
struct Asked(Arc<Mutex<(Vec<u8>, Vec<u8>)>>);

impl Engine for Asked {
    fn compressor(&self, level: u8, window_bits: u8, memory_level: u8) -> Box<dyn Compressor> {
        self.0.lock().unwrap().0.push(window_bits);
        ZlibRs.compressor(level, window_bits, memory_level)
    }

    fn decompressor(&self, window_bits: u8) -> Box<dyn Decompressor> {
        self.0.lock().unwrap().1.push(window_bits);
        ZlibRs.decompressor(window_bits)
    }
}

fn deflate(engine: impl Engine + 'static, pool_size: usize) -> Deflate {
    Deflate::with_engine(DeflateConfig::default(), engine, pool_size).unwrap()
}

#[test]
fn an_engine_is_asked_for_no_window_that_is_none() {
    for (window_bits, expected) in [(0, 9), (8, 9), (9, 9), (15, 15), (16, 15), (255, 15)] {
        for takeover in [true, false] {
            let asked = Asked::default();
            let deflate = deflate(asked.clone(), 4);
            let negotiated = deflate.negotiated(parameters(takeover, window_bits));
            let hello = sent(&mut sender(&negotiated), b"Hello");
            let mut client = Receiving::new(Role::Client, &negotiated, Limits::default());
            assert_eq!(client.receive(&hello).unwrap(), [b"Hello"]);
            // A pool's decompressors serve every connection.
            let of_decompressor = if takeover { expected } else { 15 };
            let asked = asked.0.lock().unwrap();
            assert_eq!(*asked, (vec![expected], vec![of_decompressor]));
        }
    }
}

/// Older zlib has a window of 9 bits where 8 were agreed on.
#[test]
fn what_fits_into_9_bits_is_read_where_8_were_agreed_on() {
    let message = pattern(400).repeat(2);
    let mut compressed = [0; 2000];
    // Of 9 bits zlib's compressor uses only a half.
    let progress = ZlibRs
        .compressor(6, 10, 8)
        .compress(&message, &mut compressed, Flush::Sync);
    let compressed = &compressed[..progress.unwrap().produced - 4];
    assert!(compressed.len() < 500, "it refers back by 400 bytes");
    let mut decompressor = ZlibRs.decompressor(8);
    let mut inflated = Vec::new();
    // References into the output of the same call are always taken.
    for piece in compressed.chunks(8) {
        let mut output = [0; 16];
        let mut rest = piece;
        loop {
            let progress = decompressor.decompress(rest, &mut output).unwrap();
            inflated.extend_from_slice(&output[..progress.produced]);
            rest = &rest[progress.consumed..];
            if progress.produced < output.len() {
                break;
            }
        }
    }
    assert!(inflated == message);
}
