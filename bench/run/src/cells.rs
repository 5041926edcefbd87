//! The loads of each part, and which servers meet them.

use std::time::Duration;

use crate::goals::{ON_LOOPBACK, POLL, SERVE_BLOCKING, SERVE_TOKIO, TOKIO};
use crate::loopback::{AT_REST, Cell};
use crate::plan::{Part, Plan};
use crate::results::Role;
use crate::server::{Server, Takeover, Variant};
use crate::words::loopback_cell;

/// Returns whether a part needs servers and the load generator.
pub(crate) fn are_on_loopback(part: Part) -> bool {
    !matches!(
        part,
        Part::Memory | Part::Counts | Part::Streaming | Part::Zlib | Part::Masking
    )
}

/// Returns the loads of a part.
pub(crate) fn of(part: Part, plan: Plan) -> Vec<Cell> {
    let seconds = ["--seconds", plan.seconds()];
    let all = ON_LOOPBACK.iter();
    match part {
        Part::Loopback => all.map(|&shape| echo(shape, "", &seconds)).collect(),
        Part::SystemCalls if plan.quick => [ON_LOOPBACK[0], ON_LOOPBACK[3]]
            .map(|shape| echo(shape, "", &seconds))
            .into(),
        Part::SystemCalls => all.map(|&shape| echo(shape, "", &seconds)).collect(),
        Part::Text => {
            let options = [&seconds[..], &["--payload", "cjk"]].concat();
            [ON_LOOPBACK[1], ON_LOOPBACK[4]]
                .map(|shape| echo(shape, ", CJK text", &options))
                .into()
        }
        Part::Tls => {
            let tls = Variant {
                tls: true,
                ..Variant::default()
            };
            let mut cells: Vec<Cell> = [ON_LOOPBACK[1], ON_LOOPBACK[3], ON_LOOPBACK[4]]
                .map(|shape| echo(shape, ", TLS", &seconds).with(tls))
                .into();
            cells.push(Cell::new("handshakes, TLS", "handshakes", &seconds).with(tls));
            cells
        }
        Part::Deflate => {
            let options = [&seconds[..], &["--payload", "ascii"]].concat();
            let takeovers = [
                (", deflate", Takeover::Yes),
                (", deflate without takeover", Takeover::No),
            ];
            takeovers
                .into_iter()
                .flat_map(|(suffix, takeover)| {
                    let variant = Variant {
                        deflate: Some(takeover),
                        ..Variant::default()
                    };
                    [ON_LOOPBACK[1], ON_LOOPBACK[4]]
                        .map(|shape| echo(shape, suffix, &options).with(variant))
                })
                .collect()
        }
        Part::Latency => {
            let options = ["--seconds", "3", "--rate", RATE];
            vec![echo(
                ON_LOOPBACK[3],
                &format!(", {RATE} messages/s"),
                &options,
            )]
        }
        Part::Clients => {
            let client = Variant {
                client: true,
                ..Variant::default()
            };
            [(10, 1 << 10, 1), (10, 1 << 20, 1)]
                .map(|shape| {
                    Cell {
                        load: "client",
                        ..echo(shape, ", as a client", &seconds)
                    }
                    .with(client)
                })
                .into()
        }
        Part::Handshakes => vec![Cell::new("handshakes", "handshakes", &seconds)],
        Part::Broadcast => {
            let options = [&seconds[..], &["--connections", "1000", "--bytes", "125"]].concat();
            let broadcast = Variant {
                broadcast: true,
                ..Variant::default()
            };
            vec![Cell::new("1000 × 125, broadcast", "broadcast", &options).with(broadcast)]
        }
        Part::Idle if plan.quick => vec![idle("5000")],
        Part::Idle => vec![idle("5000"), idle("20000")],
        Part::Memory | Part::Counts | Part::Streaming | Part::Zlib | Part::Masking => Vec::new(),
    }
}

/// Returns whether a server meets a load.
pub(crate) fn has(server: &Server, cell: &Cell, plan: Plan) -> bool {
    let at_rest = cell.load == "idle";
    // A quick run measures at rest, where it takes seconds, what is judged; and otherwise the library, not its program.
    let skipped = match server.name() {
        POLL | TOKIO => false,
        SERVE_TOKIO => !at_rest,
        SERVE_BLOCKING => true,
        _ => at_rest,
    };
    // A floor keeps nothing for a connection.
    let too_bare = at_rest && server.subject.role == Role::Floor;
    // What the floors do for it says nothing about it.
    let has_no_handshake = cell.load == "handshakes" && !server.does_handshakes();
    let is_left_out = too_bare || has_no_handshake || plan.quick && skipped;
    !is_left_out && server.has(cell.variant)
}

fn echo(
    (connections, bytes, depth): (usize, usize, usize),
    suffix: &str,
    options: &[&str],
) -> Cell {
    let name = format!("{}{suffix}", loopback_cell(connections, bytes, depth));
    let mut cell = Cell::new(name, "echo", options);
    for (option, number) in [
        ("--connections", connections),
        ("--bytes", bytes),
        ("--depth", depth),
    ] {
        cell.options.extend([option.to_owned(), number.to_string()]);
    }
    cell
}

fn idle(connections: &str) -> Cell {
    Cell::new(
        format!("{connections}{AT_REST}"),
        "idle",
        &["--connections", connections],
    )
}

/// How many messages a second the open loop sends: what every Rust peer does with a third of a core or so.
const RATE: &str = "20000";
/// How long a bench of the library may take, with its build.
pub(crate) const LIBRARY: Duration = Duration::from_mins(20);

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_part_on_loopback_has_a_load() {
        for plan in [Plan { quick: true }, Plan { quick: false }] {
            for part in Part::value_variants()
                .iter()
                .filter(|part| are_on_loopback(**part))
            {
                assert!(!of(*part, plan).is_empty(), "{part:?}");
            }
        }
    }

    #[test]
    fn every_load_has_a_name_of_its_own() {
        let plan = Plan { quick: false };
        let parts = Part::value_variants()
            .iter()
            .filter(|part| **part != Part::SystemCalls);
        let mut names: Vec<String> = parts
            .flat_map(|part| of(*part, plan))
            .map(|cell| cell.name)
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
