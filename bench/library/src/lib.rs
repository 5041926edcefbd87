//! What the benchmarks share: timing for comparisons, without a verdict, and a client's message.
#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use framewire::protocol::{Encoder, SendError, Sender, ToOutgoing};

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
