//! What the benchmarks share: timing for comparisons, without a verdict.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// Runs the jobs in turn, `rounds` times over, and returns the median time of each.
///
/// In turn, so that a machine whose speed drifts treats all of them alike.
pub fn medians<const N: usize>(rounds: usize, mut jobs: [&mut dyn FnMut(); N]) -> [Duration; N] {
    let mut times = [const { Vec::new() }; N];
    for _ in 0..=rounds {
        for (job, times) in jobs.iter_mut().zip(&mut times) {
            let start = Instant::now();
            job();
            times.push(start.elapsed());
        }
    }
    times.map(|mut times| {
        times.remove(0); // warm-up
        times.sort_unstable();
        times[times.len() / 2]
    })
}
