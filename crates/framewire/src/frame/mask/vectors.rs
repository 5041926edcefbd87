//! Masking with the widest vectors that the processor at hand has.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, dispatch, u8x64, u32x16};

/// Masks with as many vectors as there are, and returns the rest.
pub(super) fn mask(payload: &mut [u8], key: u32) -> &mut [u8] {
    dispatch!(Level::new(), simd => {
        // Long rounds first: counting them costs as much as a vector.
        let rest = mask_rounds::<_, 8>(simd, payload, key);
        mask_rounds::<_, 1>(simd, rest, key)
    })
}

/// Masks with as many rounds of `N` vectors as there are, and returns the rest.
#[expect(
    clippy::inline_always,
    reason = "otherwise it is compiled for one processor alone"
)]
#[inline(always)]
fn mask_rounds<S: Simd, const N: usize>(simd: S, payload: &mut [u8], key: u32) -> &mut [u8] {
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
pub(super) const VECTOR: usize = 64;
