//! What a context holds: the figures in the documentation of `deflate`.
#![cfg(feature = "deflate")]

use allocation_counter::measure;
use framewire::deflate::{Engine as _, ZlibRs};

fn kib(make: impl Fn()) -> u64 {
    measure(make).bytes_max.div_ceil(1 << 10)
}

/// KiB of a decompressor, whatever its window.
const DECOMPRESSOR: u64 = 47;

/// Window bits, and KiB of a compressor at the memory levels 8, 5 and 1.
const COMPRESSORS: [(u8, [u64; 3]); 3] = [
    (15, [372, 274, 261]),
    (12, [260, 162, 149]),
    (9, [246, 148, 135]),
];

#[test]
fn a_context_holds_no_more_than_the_documentation_says() {
    for (window_bits, compressors) in COMPRESSORS {
        let held = kib(|| drop(ZlibRs.decompressor(window_bits)));
        assert!(held <= DECOMPRESSOR, "{window_bits} bits: {held} KiB");
        for (memory_level, compressor) in [8, 5, 1].into_iter().zip(compressors) {
            let held = kib(|| drop(ZlibRs.compressor(1, window_bits, memory_level)));
            assert!(
                held <= compressor,
                "{window_bits} bits, memory level {memory_level}: {held} KiB"
            );
        }
    }
}

#[cfg(feature = "miniz_oxide")]
#[test]
fn a_context_of_miniz_holds_no_more_than_the_documentation_says() {
    use framewire::deflate::Miniz;
    for window_bits in [15, 12, 9] {
        let held = kib(|| drop(Miniz.decompressor(window_bits)));
        assert!(held <= 43, "{window_bits} bits: {held} KiB");
        let held = kib(|| drop(Miniz.compressor(1, window_bits, 8)));
        assert!(held <= 312, "{window_bits} bits: {held} KiB");
    }
}
