//! Masking: what a client does to every payload byte (RFC 6455 5.3).

#[cfg(feature = "alloc")]
use alloc::vec::Vec;

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

/// Masks a block or more with the widest vectors that the processor has. Returns what is left, and the key for it.
#[cfg(feature = "simd")]
fn mask_blocks(payload: &mut [u8], key: u32) -> (&mut [u8], u32) {
    use fearless_simd::{Level, dispatch};

    // A vector that lies in two cache lines takes two stores.
    let head = if payload.len() < LONG {
        0
    } else {
        payload.as_ptr().align_offset(VECTOR) % VECTOR
    };
    let (head, payload) = payload.split_at_mut(head);
    mask_words(head, key);
    let key = rotate(key.to_ne_bytes(), head.len() as u64);
    let rest = dispatch!(Level::new(), simd => {
        // Long rounds first: counting them costs as much as a vector.
        let rest = mask_vectors::<_, 8>(simd, payload, key);
        mask_vectors::<_, 1>(simd, rest, key)
    });
    (rest, key)
}

/// Masks with as many rounds of `N` vectors as there are, and returns the rest.
///
/// Always inlined, since otherwise it would be compiled for one processor alone.
#[cfg(feature = "simd")]
#[inline(always)]
fn mask_vectors<S: fearless_simd::Simd, const N: usize>(
    simd: S,
    payload: &mut [u8],
    key: u32,
) -> &mut [u8] {
    use fearless_simd::prelude::*;
    use fearless_simd::{u8x64, u32x16};

    let key = u32x16::splat(simd, key).to_bytes();
    let whole = payload.len() - payload.len() % (N * VECTOR);
    let (vectors, rest) = payload.split_at_mut(whole);
    for round in vectors.as_chunks_mut::<VECTOR>().0.as_chunks_mut::<N>().0 {
        for vector in round {
            (u8x64::from_slice(simd, vector) ^ key).store_slice(vector);
        }
    }
    rest
}

/// The bytes of a vector. Where a processor's vectors are shorter, it takes several of them.
#[cfg(feature = "simd")]
const VECTOR: usize = 64;
/// From this length on, what precedes a multiple of a vector's length in memory is masked by itself.
#[cfg(feature = "simd")]
const LONG: usize = 4 << 10;

/// Masks a block or more. Returns what is left, and the key for it. The compiler turns this into the vectors that every
/// processor of the target has.
#[cfg(not(feature = "simd"))]
fn mask_blocks(payload: &mut [u8], key: u32) -> (&mut [u8], u32) {
    let (blocks, rest) = payload.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for word in block.as_chunks_mut().0 {
            mask_word(word, key);
        }
    }
    (rest, key)
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
            offset: u64,
            cut: prop::sample::Index,
        ) {
            let expected = oracle(&payload, key, offset % 4);
            let cut = cut.index(payload.len() + 1);

            let mut in_place = payload.clone();
            let (head, tail) = in_place.split_at_mut(cut);
            apply(head, key, offset % 4);
            apply(tail, key, offset % 4 + cut as u64);
            prop_assert_eq!(&in_place, &expected);

            #[cfg(feature = "alloc")]
            {
                let mut appended = b"before".to_vec();
                append(&payload, key, offset % 4, &mut appended);
                prop_assert_eq!(&appended[6..], &expected[..]);
            }
        }
    }
}
