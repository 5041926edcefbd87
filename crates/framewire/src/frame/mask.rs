//! Masking: what a client does to every payload byte (RFC 6455 5.3).

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod vectors;

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

#[cfg(not(all(feature = "simd", target_arch = "x86_64")))]
use baseline::mask_blocks;

/// A source of masking keys that no peer can predict, a new one for each frame.
///
/// RFC 6455 5.3 asks for strong entropy. With the feature `std`, `os_key` is such a source; on bare metal it is the
/// application's random number generator. `None` says that there is no entropy now. The frame is then refused: no
/// frame is better than a guessable key. A generator with state stores that in a `static` or, where there are threads,
/// per thread.
pub type KeySource = fn() -> Option<[u8; 4]>;

/// Masks or unmasks `payload` in place; both are the same operation.
///
/// `offset` is the position of the first byte in the frame's payload: a payload may be masked in pieces of any size.
#[inline]
pub fn apply(payload: &mut [u8], key: [u8; 4], offset: u64) {
    let key = rotate(key, offset);
    let (rest, key) = if payload.len() < BLOCK {
        (payload, key)
    } else {
        mask_blocks(payload, key)
    };
    mask_words(rest, key);
}

/// Appends `payload` to `output`, masked.
#[cfg(feature = "alloc")]
pub(crate) fn append(payload: &[u8], key: [u8; 4], offset: u64, output: &mut Vec<u8>) {
    output.reserve(payload.len());
    for piece in payload.chunks(PIECE) {
        let start = output.len();
        output.extend_from_slice(piece);
        // A piece is a whole number of keys.
        apply(&mut output[start..], key, offset);
    }
}

/// What is copied and then masked: it is still in the first cache then. On some processors copies of more than this
/// are slow where one address is a little behind the other modulo 4 KiB.
#[cfg(feature = "alloc")]
const PIECE: usize = 2 << 10;

const WORD: usize = 8;
/// From this length on, a payload is masked with vectors.
const BLOCK: usize = 128;

/// Returns the key as it applies `offset` bytes into a payload, in the order of memory.
#[inline]
fn rotate(key: [u8; 4], offset: u64) -> u32 {
    let bits = (offset % 4) as u32 * u8::BITS;
    let key = u32::from_le_bytes(key).rotate_right(bits);
    u32::from_ne_bytes(key.to_le_bytes())
}

/// Masks a block or more. Returns what is left, and the key for it.
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
fn mask_blocks(payload: &mut [u8], key: u32) -> (&mut [u8], u32) {
    // A vector that lies in two cache lines takes two stores.
    let head = if payload.len() < LONG {
        0
    } else {
        payload.as_ptr().align_offset(vectors::VECTOR) % vectors::VECTOR
    };
    let (head, payload) = payload.split_at_mut(head);
    mask_words(head, key);
    let key = rotate(key.to_ne_bytes(), head.len() as u64);
    (vectors::mask(payload, key), key)
}

/// From this length on, what precedes a multiple of a vector's length in memory is masked by itself.
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
const LONG: usize = 4096;

/// Masking with the vectors that every processor of the target has.
#[cfg(any(test, not(all(feature = "simd", target_arch = "x86_64"))))]
mod baseline {
    use super::{BLOCK, mask_word};

    /// Masks a block or more. Returns what is left, and the key for it.
    pub(super) fn mask_blocks(payload: &mut [u8], key: u32) -> (&mut [u8], u32) {
        let (blocks, rest) = payload.as_chunks_mut::<BLOCK>();
        // The compiler turns this into vectors.
        for block in blocks {
            for word in block.as_chunks_mut().0 {
                mask_word(word, key);
            }
        }
        (rest, key)
    }
}

#[inline]
fn mask_words(payload: &mut [u8], key: u32) {
    let (words, rest) = payload.as_chunks_mut();
    for word in words {
        mask_word(word, key);
    }
    // Less than a word is left, for which a loop would cost more than its steps.
    let (half, rest) = rest.split_at_mut(rest.len() & 4);
    if let Some(half) = half.first_chunk_mut() {
        *half = (u32::from_ne_bytes(*half) ^ key).to_ne_bytes();
    }
    let [a, b, c, _] = key.to_ne_bytes();
    for (i, key) in [a, b, c].into_iter().enumerate() {
        if let Some(byte) = rest.get_mut(i) {
            *byte ^= key;
        }
    }
}

#[inline]
fn mask_word(word: &mut [u8; WORD], key: u32) {
    let key = u64::from(key);
    *word = (u64::from_ne_bytes(*word) ^ (key << 32 | key)).to_ne_bytes();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MAX_PAYLOAD;
    use proptest::prelude::*;

    /// RFC 6455 5.3, to the letter: octet i of the payload with octet i mod 4 of the key.
    fn oracle(payload: &[u8], key: [u8; 4], offset: u64) -> Vec<u8> {
        let octets = payload.iter().zip(offset..);
        octets
            .map(|(octet, i)| octet ^ key[(i % 4) as usize])
            .collect()
    }

    #[test]
    fn the_rfcs_masked_hello() {
        // RFC 6455 5.7: a single-frame masked text message.
        let mut payload = [0x7F, 0x9F, 0x4D, 0x51, 0x58];
        apply(&mut payload, [0x37, 0xFA, 0x21, 0x3D], 0);
        assert_eq!(&payload, b"Hello");
    }

    fn numbers(len: usize) -> Vec<u8> {
        (0..251).cycle().take(len).collect()
    }

    /// The lengths at which another loop begins, and their neighbours.
    fn lengths() -> impl Iterator<Item = usize> {
        let turns = [8, 64, 128, 512, 576, 4096, 4096 + 512, 4096 + 576];
        (0..8).chain(turns.into_iter().flat_map(|turn| turn - 1..=turn + 1))
    }

    #[test]
    fn every_place_in_memory_is_as_the_rfc_says() {
        let key = [1, 2, 4, 8];
        let original = numbers(64 + 4096 + 600);
        for start in 0..64 {
            for end in lengths().map(|len| start + len) {
                let mut masked = original.clone();
                apply(&mut masked[start..end], key, start as u64);
                let expected = oracle(&original[start..end], key, start as u64);
                assert_eq!(&masked[start..end], expected, "{start}..{end}");
                assert_eq!(&masked[..start], &original[..start]);
                assert_eq!(&masked[end..], &original[end..]);
            }
        }
    }

    #[test]
    fn the_vectors_of_every_processor_do_the_same() {
        for len in lengths().filter(|len| *len >= BLOCK) {
            let original = numbers(len);
            let mut masked = original.clone();
            let key = rotate([1, 2, 4, 8], 0);
            let (rest, key) = baseline::mask_blocks(&mut masked, key);
            mask_words(rest, key);
            assert_eq!(masked, oracle(&original, [1, 2, 4, 8], 0), "{len}");
        }
    }

    /// Most are short; some have more than a piece.
    fn payloads() -> impl Strategy<Value = Vec<u8>> {
        use proptest::collection::vec;
        prop_oneof![9 => vec(any::<u8>(), 0..300), 1 => vec(any::<u8>(), 2000..8000)]
    }

    proptest! {
        #[test]
        fn any_length_offset_and_cut_is_as_the_rfc_says(
            payload in payloads(),
            key: [u8; 4],
            offset in 0..MAX_PAYLOAD - 8000,
            cut: prop::sample::Index,
        ) {
            let expected = oracle(&payload, key, offset);
            let cut = cut.index(payload.len() + 1);

            let mut in_place = payload.clone();
            let (head, tail) = in_place.split_at_mut(cut);
            apply(head, key, offset);
            apply(tail, key, offset + cut as u64);
            prop_assert_eq!(&in_place, &expected);

            #[cfg(feature = "alloc")]
            {
                let mut appended = b"before".to_vec();
                append(&payload, key, offset, &mut appended);
                prop_assert_eq!(&appended[6..], &expected[..]);
            }
        }
    }
}
