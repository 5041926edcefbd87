//! What a context of the default engine holds: the table in the documentation of `deflate`.
#![cfg(feature = "deflate")]

use allocation_counter::measure;
use framewire::deflate::{Engine as _, ZlibRs};

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
    let kib = |make: &dyn Fn()| measure(make).bytes_max.div_ceil(1 << 10);
    for (window_bits, compressors) in COMPRESSORS {
        let held = kib(&|| drop(ZlibRs.decompressor(window_bits)));
        assert!(held <= DECOMPRESSOR, "{window_bits} bits: {held} KiB");
        for (memory_level, compressor) in [8, 5, 1].into_iter().zip(compressors) {
            let held = kib(&|| drop(ZlibRs.compressor(1, window_bits, memory_level)));
            assert!(
                held <= compressor,
                "{window_bits} bits, memory level {memory_level}: {held} KiB"
            );
        }
    }
}
