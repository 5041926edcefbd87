//! A long run of `framewire serve` under mixed load.

mod behaviour;
mod crowd;
mod deadline;
mod handshakes;
mod hostile;
mod judge;
mod load;
mod measure;
mod polite;
mod random;
mod raw;
mod server;
mod target;
mod violations;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;

use self::load::Load;
use self::server::UnderLoad;
use crate::certificate::Certificate;
use crate::project::Project;
use crate::server::{ENGINES, Program};

/// Run `framewire serve` under mixed load, and check that it holds no more at the end than at the start
///
/// Builds the program and starts two servers of each engine, one of them with TLS. All of them are under load at
/// once, for the whole time, from 16 clients each. A client chooses by chance what it does with a connection: it
/// sends messages of any size, compressed or not, reads slowly, breaks the protocol, leaves in the middle of a frame
/// or a handshake, and so on. Every echo is compared, and every violation must be answered with its code. The first
/// error ends the run, and is printed with the seed, the client and what it did.
///
/// The time has quiet points, at which all clients leave. There a server must come back to the descriptors and
/// threads that it had at the start. Its memory (`Anonymous` in `/proc/PID/smaps_rollup`) may be 1 MiB or 5 % more at
/// the last of them than at the first after the warm-up, which is a quarter of them. On average it may be half as
/// much more over the later half of those after the warm-up than over the earlier half, where a steady growth shows.
/// A run of less than 8 minutes has two points after the warm-up, so that the second may be 0.5 MiB or 2.5 % more
/// than the first.
///
/// A server without a client has some 1 MiB, so that 1 MiB in an hour is less than 100 bytes for each connection. The
/// allocator is told to keep little of what is freed, so that this is what the program holds and the holes between
/// it: up to 0.7 MiB in an hour, with a thread for each TLS connection. Linux only.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How long the load lasts, without the quiet points
    #[arg(long = "minutes", value_name = "N", default_value = "60", value_parser = parse_minutes)]
    time: Duration,

    /// The engine to run, as `framewire serve --engine` names it [default: all at once]
    #[arg(long, value_name = "NAME", value_parser = ENGINES)]
    engine: Option<String>,

    /// How many connections the clients of all servers open in a second, at most [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// The start of all that clients choose by chance
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Options {
    /// Sets the short form. Each of its rounds has the time for a peer that takes nothing.
    pub(crate) fn short() -> Self {
        Self {
            time: SHORT,
            engine: None,
            rate: None,
            seed: 1,
        }
    }
}

fn parse_minutes(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(minutes) if (0.4..=100_000.0).contains(&minutes) => {
            Ok(Duration::from_secs_f64(60.0 * minutes))
        }
        _ => Err("not a number of minutes, of at least 0.4".to_owned()),
    }
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let program = Program::build(project)?;
    let certificate = Certificate::make(project, "soak", &["127.0.0.1"])?;
    let engines = match &options.engine {
        Some(engine) => vec![&engine[..]],
        None => ENGINES.to_vec(),
    };
    let mut servers = Vec::new();
    for engine in &engines {
        for certificate in [None, Some(&certificate)] {
            servers.push(UnderLoad::start(&program, engine, certificate)?);
        }
    }
    let mut load = Load::new(options.seed, options.rate, servers.len())?;
    let rounds = rounds(options.time);
    for round in 1..=rounds {
        load.round(round, options.time / rounds, &mut servers)?;
        let memory: Vec<String> = servers.iter().map(UnderLoad::memory).collect();
        let (traffic, memory) = (load.traffic(), memory.join(", "));
        println!("quiet point {round} of {rounds}: {traffic}; {memory}");
    }
    let traffic = load.traffic();
    // In a short run there is no time for each.
    ensure!(
        traffic.is_of_all_kinds() || options.time < ROUND,
        "there were only {traffic}"
    );
    let ended: Result<Vec<String>> = servers.into_iter().map(UnderLoad::end).collect();
    println!(
        "soak: {} min on each engine at once, {}, every echo right, descriptors and threads as at the start, \
         memory at the end (and since the warm-up): {}",
        options.time.as_secs_f64() / 60.0,
        traffic,
        ended?.join(", ")
    );
    Ok(())
}

/// Returns how many quiet points so much time has.
fn rounds(time: Duration) -> u32 {
    (time.as_secs() / ROUND.as_secs())
        .try_into()
        .unwrap_or(u32::MAX)
        .max(FEWEST_ROUNDS)
}

/// The longest that clients are there without a quiet point.
const ROUND: Duration = Duration::from_secs(120);
const FEWEST_ROUNDS: u32 = 3;
const SHORT: Duration = Duration::from_secs(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_run_has_more_quiet_points() {
        assert_eq!(rounds(SHORT), 3);
        assert_eq!(rounds(Duration::from_secs(8 * 60 - 1)), 3);
        assert_eq!(rounds(Duration::from_secs(8 * 60)), 4);
        assert_eq!(rounds(Duration::from_secs(3600)), 30);
    }
}
