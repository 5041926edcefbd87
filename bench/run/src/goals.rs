//! What we want to reach, in one table.

use crate::results::Measure::{self, Cpu, EchoTime, IdleBytes, Instructions, LibraryTime, User};

/// A limit for some subjects of ours in some cells.
pub(crate) struct Goal {
    pub(crate) work: &'static str,
    pub(crate) measure: Measure,
    pub(crate) cells: &'static [&'static str],
    pub(crate) subjects: &'static [&'static str],
    pub(crate) limit: Limit,
}

/// What a subject may take at most.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    Absolute(f64),
    /// That many times what the best peer written in Rust takes.
    BestPeer(f64),
    /// That many times what the floor takes, and a constant.
    Floor(f64, f64),
    /// That many times what another subject takes.
    Subject(&'static str, f64),
}

/// The servers of ours on loopback; `poll` is that of `framewire serve`.
pub(crate) const ENGINES: [&str; 5] = [POLL, TOKIO, BLOCKING, SERVE_TOKIO, SERVE_BLOCKING];
/// The echoes of ours in memory.
pub(crate) const FRONT_ENDS: [&str; 2] = [BLOCKING, TOKIO];
pub(crate) const POLL: &str = "framewire-poll";
pub(crate) const TOKIO: &str = "framewire-tokio";
pub(crate) const BLOCKING: &str = "framewire-blocking";
/// `framewire serve` with its engine tokio, beside the bare loop of the library's documentation.
pub(crate) const SERVE_TOKIO: &str = "framewire-serve-tokio";
pub(crate) const SERVE_BLOCKING: &str = "framewire-serve-blocking";

/// In memory: bytes × frames that come with each read.
pub(crate) const IN_MEMORY: [(usize, usize); 6] = [
    (20, 1),
    (20, 64),
    (125, 16),
    (1 << 10, 1),
    (16 << 10, 1),
    (1 << 20, 1),
];
/// On loopback: connections × bytes × messages in flight on each.
pub(crate) const ON_LOOPBACK: [(usize, usize, usize); 6] = [
    (10, 20, 64),
    (100, 125, 16),
    (500, 1 << 10, 1),
    (100, 512, 1),
    (10, 16 << 10, 1),
    (10, 1 << 20, 1),
];

pub(crate) const GOALS: &[Goal] = &[
    in_memory(
        Instructions,
        &["20 × 1"],
        &FRONT_ENDS,
        Limit::Absolute(700.0),
    ),
    in_memory(
        Instructions,
        &["20 × 64"],
        &FRONT_ENDS,
        Limit::Absolute(450.0),
    ),
    in_memory(
        Instructions,
        &["125 × 16"],
        &FRONT_ENDS,
        Limit::Absolute(550.0),
    ),
    in_memory(
        Instructions,
        &["1 Ki × 1"],
        &FRONT_ENDS,
        Limit::Absolute(1_000.0),
    ),
    in_memory(
        Instructions,
        &["16 Ki × 1"],
        &FRONT_ENDS,
        Limit::Absolute(15_000.0),
    ),
    in_memory(Instructions, EVERY_SIZE, &FRONT_ENDS, Limit::BestPeer(1.0)),
    in_memory(
        Instructions,
        EVERY_SIZE,
        &[TOKIO],
        Limit::Subject(BLOCKING, 1.25),
    ),
    in_memory(EchoTime, EVERY_SIZE, &FRONT_ENDS, Limit::BestPeer(1.0)),
    // 90 ns where the best peer takes 101, and 50 where it takes 85.
    in_memory(
        EchoTime,
        &["20 × 1"],
        &FRONT_ENDS,
        Limit::BestPeer(90.0 / 101.0),
    ),
    in_memory(
        EchoTime,
        &["20 × 64"],
        &FRONT_ENDS,
        Limit::BestPeer(50.0 / 85.0),
    ),
    large(
        &["10 × 16 Ki × 1", "10 × 1 Mi × 1"],
        &ENGINES,
        Limit::BestPeer(1.0),
    ),
    large(&["10 × 16 Ki × 1"], &[POLL], Limit::Floor(0.9, 0.0)),
    large(&["10 × 1 Mi × 1"], &[POLL], Limit::Floor(0.95, 0.0)),
    Goal {
        work: "pipelined small messages",
        measure: User,
        cells: PIPELINED,
        subjects: &[POLL],
        limit: Limit::Floor(1.3, 40.0),
    },
    Goal {
        work: "pipelined small messages",
        measure: Cpu,
        cells: PIPELINED,
        subjects: &[TOKIO],
        limit: Limit::BestPeer(2.0 / 3.0),
    },
    Goal {
        work: "one message in flight",
        measure: Cpu,
        cells: ONE_IN_FLIGHT,
        subjects: &[POLL, TOKIO],
        limit: Limit::Floor(1.05, 0.0),
    },
    Goal {
        work: "one message in flight",
        measure: Cpu,
        cells: ONE_IN_FLIGHT,
        subjects: &[POLL, TOKIO],
        limit: Limit::BestPeer(1.0),
    },
    Goal {
        work: "handshakes",
        measure: Cpu,
        cells: &["handshakes", "handshakes, TLS"],
        subjects: &ENGINES,
        limit: Limit::BestPeer(1.0),
    },
    Goal {
        work: "connections at rest",
        measure: IdleBytes,
        cells: AT_REST,
        subjects: &[POLL],
        limit: Limit::Absolute(120.0),
    },
    Goal {
        work: "connections at rest",
        measure: IdleBytes,
        cells: AT_REST,
        subjects: &[SERVE_TOKIO],
        limit: Limit::Absolute(1_200.0),
    },
    library(
        "stream_message, server",
        STREAMED_BY_SERVER,
        Limit::Subject("write", 1.0 / 0.95),
    ),
    library(
        "stream_message, client",
        STREAMED_BY_CLIENT,
        Limit::Subject("write", 1.0 / 0.8),
    ),
    Goal {
        subjects: &["framewire-coalesced"],
        ..library(
            "stream_message, coalesced",
            STREAMED_BY_4_KIB,
            Limit::Subject("write", 0.5),
        )
    },
    library("deflate", DEFLATED, Limit::Floor(1.0 / 0.95, 0.0)),
];

const fn in_memory(
    measure: Measure,
    cells: &'static [&'static str],
    subjects: &'static [&'static str],
    limit: Limit,
) -> Goal {
    let work = "echo in memory";
    Goal {
        work,
        measure,
        cells,
        subjects,
        limit,
    }
}

const fn large(
    cells: &'static [&'static str],
    subjects: &'static [&'static str],
    limit: Limit,
) -> Goal {
    let work = "large messages";
    Goal {
        work,
        measure: Cpu,
        cells,
        subjects,
        limit,
    }
}

/// A share of the speed of a bare loop is a limit of the time.
const fn library(work: &'static str, cells: &'static [&'static str], limit: Limit) -> Goal {
    Goal {
        work,
        measure: LibraryTime,
        cells,
        subjects: &["framewire"],
        limit,
    }
}

const EVERY_SIZE: &[&str] = &[
    "20 × 1",
    "20 × 64",
    "125 × 16",
    "1 Ki × 1",
    "16 Ki × 1",
    "1 Mi × 1",
];
const PIPELINED: &[&str] = &["10 × 20 × 64", "100 × 125 × 16"];
const ONE_IN_FLIGHT: &[&str] = &["500 × 1 Ki × 1", "100 × 512 × 1"];
const AT_REST: &[&str] = &["5000 at rest", "20000 at rest"];

const STREAMED_BY_SERVER: &[&str] = &[
    "stream, bytes 1 Mi, chunk 4 Ki, role server",
    "stream, bytes 1 Mi, chunk 32 Ki, role server",
    "stream, bytes 1 Mi, chunk 64 Ki, role server",
    "stream, bytes 1 Gi, chunk 4 Ki, role server",
    "stream, bytes 1 Gi, chunk 32 Ki, role server",
    "stream, bytes 1 Gi, chunk 64 Ki, role server",
];
const STREAMED_BY_4_KIB: &[&str] = &[
    "stream, bytes 1 Mi, chunk 4 Ki, role server",
    "stream, bytes 1 Gi, chunk 4 Ki, role server",
];
const STREAMED_BY_CLIENT: &[&str] = &[
    "stream, bytes 1 Mi, chunk 4 Ki, role client",
    "stream, bytes 1 Mi, chunk 32 Ki, role client",
    "stream, bytes 1 Mi, chunk 64 Ki, role client",
    "stream, bytes 1 Gi, chunk 4 Ki, role client",
    "stream, bytes 1 Gi, chunk 32 Ki, role client",
    "stream, bytes 1 Gi, chunk 64 Ki, role client",
];
const DEFLATED: &[&str] = &[
    "deflate, case stream the same JSON object",
    "deflate, case stream JSON objects that differ",
    "deflate, case message context takeover",
    "deflate, case message no context takeover",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::{in_memory_cell, loopback_cell};

    #[test]
    fn every_cell_that_is_echoed_has_a_goal() {
        let has_goal = |measure, cell: &str| {
            let mut goals = GOALS.iter().filter(|goal| goal.measure == measure);
            goals.any(|goal| goal.cells.contains(&cell))
        };
        for (bytes, frames) in IN_MEMORY {
            let cell = in_memory_cell(bytes, frames);
            assert!(
                has_goal(Instructions, &cell) && has_goal(EchoTime, &cell),
                "{cell}"
            );
        }
        for (connections, bytes, depth) in ON_LOOPBACK {
            let cell = loopback_cell(connections, bytes, depth);
            assert!(has_goal(Cpu, &cell), "{cell}");
        }
    }
}
