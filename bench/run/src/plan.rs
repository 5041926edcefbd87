//! What is run, how often and for how long.

use std::time::{Duration, Instant};

use clap::ValueEnum;

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Time of echoes in memory
    Memory,
    /// Instructions of echoes in memory
    Counts,
    /// `stream_message` against bare loops
    Streaming,
    /// Compression against bare zlib-rs
    Zlib,
    /// Masking and UTF-8 against memcpy
    Masking,
    /// The six cells of echoes on loopback
    Loopback,
    /// System calls of the servers
    SystemCalls,
    /// Opening handshakes
    Handshakes,
    /// One message to all connections
    Broadcast,
    /// Memory of connections at rest
    Idle,
    /// Chinese text on loopback
    Text,
    /// Clients, which mask
    Clients,
    /// Echoes with compression on loopback
    Deflate,
    /// Echoes with TLS on loopback
    Tls,
    /// Latency at a fixed rate
    Latency,
}

impl Part {
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Returns whether a quick run leaves it out.
    pub(crate) fn takes_long(self) -> bool {
        matches!(
            self,
            Self::Broadcast
                | Self::Text
                | Self::Clients
                | Self::Deflate
                | Self::Tls
                | Self::Latency
        )
    }
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) quick: bool,
}

impl Plan {
    /// How long each load is measured, as an argument.
    pub(crate) fn seconds(self) -> &'static str {
        if self.quick { "0.4" } else { "1" }
    }

    /// How often the servers take turns, and in what time: a further round that would take longer is left out.
    pub(crate) fn rounds(self, part: Part) -> Rounds {
        let (most, seconds) = match (part, self.quick) {
            (Part::Loopback, true) => (3, 290),
            (Part::Loopback, false) => (5, 1500),
            (Part::SystemCalls | Part::Idle, _) => (1, 300),
            (_, true) => (3, 30),
            (_, false) => (5, 400),
        };
        Rounds {
            most,
            budget: Duration::from_secs(seconds),
        }
    }

    /// How often the echoes in memory take turns.
    pub(crate) fn rounds_in_memory(self) -> &'static str {
        if self.quick { "31" } else { "101" }
    }
}

/// A number of rounds that fits in a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    most: u32,
    budget: Duration,
}

impl Rounds {
    /// Calls `round` for each of them. There is one at least.
    pub(crate) fn run(self, mut round: impl FnMut()) {
        let started = Instant::now();
        for done in 1..=self.most {
            round();
            let elapsed = started.elapsed();
            if elapsed + elapsed / done > self.budget {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(budget: Duration) -> u32 {
        let mut count = 0;
        Rounds { most: 3, budget }.run(|| count += 1);
        count
    }

    #[test]
    fn rounds_end_with_their_number_or_their_time() {
        assert_eq!(count(Duration::MAX), 3);
        assert_eq!(count(Duration::ZERO), 1);
    }
}
