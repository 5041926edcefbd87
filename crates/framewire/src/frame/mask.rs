//! Masking: what a client does to every payload byte (RFC 6455 5.3).

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
    let word = repeat(key);
    let mut chunks = payload.chunks_exact_mut(WORD);
    for chunk in &mut chunks {
        xor_word(chunk, word);
    }
    // Less than a word is left: the key once, then single bytes.
    for chunk in chunks.into_remainder().chunks_mut(key.len()) {
        if let Some(chunk) = chunk.first_chunk_mut() {
            let masked = u32::from_ne_bytes(*chunk) ^ u32::from_ne_bytes(key);
            *chunk = masked.to_ne_bytes();
        } else {
            for (byte, key) in chunk.iter_mut().zip(key) {
                *byte ^= key;
            }
        }
    }
}

const WORD: usize = 8;

/// Returns the key as it applies `offset` bytes into a payload.
#[inline]
fn rotate(key: [u8; 4], offset: u64) -> [u8; 4] {
    let bits = (offset % 4) as u32 * u8::BITS;
    u32::from_le_bytes(key).rotate_right(bits).to_le_bytes()
}

fn repeat([a, b, c, d]: [u8; 4]) -> [u8; WORD] {
    [a, b, c, d, a, b, c, d]
}

/// Masks a word. The compiler turns a run of these into the widest vectors that the target has.
#[inline]
fn xor_word(chunk: &mut [u8], word: [u8; WORD]) {
    if let Some(chunk) = chunk.first_chunk_mut::<WORD>() {
        let masked = u64::from_ne_bytes(*chunk) ^ u64::from_ne_bytes(word);
        *chunk = masked.to_ne_bytes();
    }
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

    proptest! {
        #[test]
        fn any_length_offset_and_cut_is_as_the_rfc_says(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
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
        }
    }
}
