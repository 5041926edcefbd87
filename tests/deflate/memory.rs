//! What a context holds: the figures in the documentation of `deflate`.

use allocation_counter::measure;
use framewire::deflate::{Engine as _, ZlibRs};
use framewire::protocol::{Limits, Role};
use support::deflate::{Receiving, negotiated, sender, sent};
use support::each;

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
    for (window_bits, compressors) in each(COMPRESSORS) {
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

/// Bytes of heap that a connection at rest holds for compression, after a message each way.
fn held_at_rest(takeover: bool) -> i64 {
    let negotiated = negotiated(takeover);
    let compressed = sent(&mut sender(&negotiated), &[b'a'; 300]);
    let connection = || {
        let mut sender = sender(&negotiated);
        let mut receiving = Receiving::new(Role::Client, &negotiated, Limits::default());
        receiving.receive(&compressed).unwrap();
        sent(&mut sender, &[b'a'; 300]);
        receiving.buffer.release();
        (sender, receiving)
    };
    // What the pool has it keeps, whether there are connections or not.
    drop(connection());
    let mut kept = None;
    measure(|| kept = Some(connection())).bytes_current
}

#[test]
fn a_connection_at_rest_holds_contexts_only_with_takeover() {
    let contexts = i64::try_from((COMPRESSORS[0].1[0] + DECOMPRESSOR) << 10).unwrap();
    let kept = held_at_rest(true);
    assert!((contexts / 2..=contexts + 512).contains(&kept), "{kept}");
    let kept = held_at_rest(false);
    assert!((0..=512).contains(&kept), "{kept}");
    println!("{} bytes with takeover, {kept} without", held_at_rest(true));
}

#[test]
fn a_context_of_miniz_holds_no_more_than_the_documentation_says() {
    use framewire::deflate::Miniz;
    for window_bits in each([15, 12, 9]) {
        let held = kib(|| drop(Miniz.decompressor(window_bits)));
        assert!(held <= 43, "{window_bits} bits: {held} KiB");
        let held = kib(|| drop(Miniz.compressor(1, window_bits, 8)));
        assert!(held <= 312, "{window_bits} bits: {held} KiB");
    }
}
