//! What the benchmarks share: timing for comparisons, without a verdict, and a client's message.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use framewire::protocol::{Encoder, SendError, Sender, ToOutgoing};

/// Runs the jobs in turn, once to warm up and then `rounds` times, and returns all times of each.
///
/// In turn, so that a machine whose speed drifts treats all of them alike.
pub fn times<const N: usize>(rounds: usize, mut jobs: [&mut dyn FnMut(); N]) -> [Vec<Duration>; N] {
    let mut times = [const { Vec::new() }; N];
    for job in &mut jobs {
        job();
    }
    for _ in 0..rounds {
        for (job, times) in jobs.iter_mut().zip(&mut times) {
            let start = Instant::now();
            job();
            times.push(start.elapsed());
        }
    }
    times
}

/// Returns the median of some times, and zero of none.
#[must_use]
pub fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Runs the jobs as [`times`] does and returns the median time of each.
pub fn medians<const N: usize>(rounds: usize, jobs: [&mut dyn FnMut(); N]) -> [Duration; N] {
    times(rounds, jobs).map(|times| median(&times))
}

/// Returns the times in nanoseconds, each divided by how many of something it took.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "no time has 53 bits")]
pub fn nanoseconds(times: &[Duration], of: usize) -> Vec<f64> {
    let each = |time: &Duration| time.as_nanos() as f64 / of as f64;
    times.iter().map(each).collect()
}

/// Returns whether the program was started with a flag, such as `--json`.
#[must_use]
pub fn has_flag(flag: &str) -> bool {
    std::env::args().any(|arg| arg == flag)
}

/// Returns a message as a client sends it, masked with [`KEY`].
///
/// # Errors
/// Where the message is not legal.
pub fn masked(message: impl ToOutgoing) -> Result<Vec<u8>, SendError> {
    let mut bytes = Vec::new();
    Sender::new(Encoder::client(|| Some(KEY))).message(message, &mut bytes)?;
    Ok(bytes)
}

/// The masking key of the examples in RFC 6455 5.7.
pub const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
