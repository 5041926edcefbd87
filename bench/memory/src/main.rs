//! Echoes over a stream in memory, of this library and of its Rust peers: time, and instructions for who counts them.
//!
//! The server's role, binary or text messages, a stream that is always ready and gives a number of frames with each
//! read: what is measured is the implementation, not a kernel. `bench/README.md` describes what is printed.

mod echo;
mod floor;
mod ours;
mod peers;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::echo::{Echo, Kind, Reads};
use crate::stream::{Io, NO_PANIC, Ready, Recorded};

#[derive(Parser)]
#[command(about = "Echoes over a stream in memory")]
struct Arguments {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Names the echoes.
    List,
    /// Echoes messages and times nothing, to count instructions.
    Count {
        name: String,
        #[command(flatten)]
        shape: Shape,
        messages: usize,
        #[arg(long)]
        text: bool,
    },
    /// Counts the calls of the stream.
    Calls {
        #[command(flatten)]
        shape: Shape,
        #[arg(long)]
        text: bool,
    },
    /// Times all echoes, or those named, in turn.
    Time {
        #[command(flatten)]
        shape: Shape,
        names: Vec<String>,
        #[arg(long)]
        text: bool,
        #[arg(long, default_value_t = 101)]
        rounds: usize,
    },
}

#[derive(Args)]
struct Shape {
    /// Frames in each read.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    frames: u32,
    /// Bytes in each message.
    bytes: usize,
}

impl Shape {
    fn reads(&self, text: bool) -> Reads {
        Reads {
            frames: self.frames as usize,
            bytes: self.bytes,
            text,
        }
    }
}

fn main() -> Result<()> {
    match Arguments::parse().job {
        Job::List => list(),
        Job::Count {
            name,
            shape,
            messages,
            text,
        } => {
            let reads = shape.reads(text);
            let mut echo = open(&find(&name)?, reads)?;
            echo(reads.whole(messages));
            Ok(())
        }
        Job::Calls { shape, text } => calls(shape.reads(text)),
        Job::Time {
            shape,
            names,
            text,
            rounds,
        } => time(shape.reads(text), &names, rounds),
    }
}

fn kinds<S: Io + Send>() -> Vec<Kind<S>> {
    let mut kinds = floor::all();
    kinds.extend(ours::all());
    kinds.extend(peers::all());
    kinds
}

fn find(name: &str) -> Result<Kind<Ready>> {
    let found = kinds().into_iter().find(|kind| kind.name == name);
    found.with_context(|| format!("no echo is named {name}"))
}

fn open(kind: &Kind<Ready>, reads: Reads) -> Result<Echo> {
    Ok((kind.open)(reads.stream()?, reads))
}

fn list() -> Result<()> {
    for kind in kinds::<Ready>() {
        let mut line = serde_json::to_value(&kind)?;
        line["version"] = version(kind.package).into();
        println!("{line}");
    }
    Ok(())
}

/// Returns the version of a package that this program is built with.
fn version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock
        .split_once(&format!("\nname = \"{package}\"\nversion = \""))?
        .1;
    Some(entry.split_once('"')?.0)
}

/// Reads, writes and flushes of each echo, per message.
fn calls(reads: Reads) -> Result<()> {
    let messages = reads.whole(1000);
    for kind in kinds::<Recorded>() {
        let (stream, record) = Recorded::new(reads.stream()?);
        (kind.open)(stream, reads)(messages);
        let record = record.lock().expect(NO_PANIC);
        let each = |calls: usize| calls as f64 / messages as f64;
        let line = json!({
            "bench": "calls",
            "name": kind.name,
            "frames": reads.frames,
            "bytes": reads.bytes,
            "text": reads.text,
            "reads": each(record.reads),
            "writes": each(record.writes),
            "flushes": each(record.flushes),
        });
        println!("{line}");
    }
    Ok(())
}

/// Times the echoes in turn, so that a machine whose speed drifts treats all of them alike.
fn time(reads: Reads, names: &[String], rounds: usize) -> Result<()> {
    ensure!(rounds > 0, "no rounds");
    let kinds: Vec<_> = match names {
        [] => kinds(),
        names => names.iter().map(|name| find(name)).collect::<Result<_>>()?,
    };
    let messages = reads.whole((ROUND / (reads.bytes + PER_MESSAGE)).max(1));
    let mut all_times = vec![Vec::with_capacity(rounds); kinds.len()];
    for round in 0..rounds {
        // A copy is slow where one address is a little behind the other modulo a page: all echoes have all distances.
        let shift = PAGE * round / rounds;
        for (kind, times) in kinds.iter().zip(&mut all_times) {
            let mut echo = (kind.open)(reads.stream()?.shifted(shift), reads);
            // Warms up: the memory of a message is there before the clock starts.
            echo(reads.whole(messages.div_ceil(4)));
            let start = Instant::now();
            echo(messages);
            times.push(start.elapsed().as_nanos() as f64 / messages as f64);
        }
    }
    for (kind, times) in kinds.iter().zip(&all_times) {
        let line = json!({
            "bench": "memory",
            "name": kind.name,
            "frames": reads.frames,
            "bytes": reads.bytes,
            "text": reads.text,
            "ns": times,
        });
        println!("{line}");
    }
    Ok(())
}

const PAGE: usize = 4 << 10;
/// What one round of one echo moves, in bytes: enough that reading the clock costs nothing.
const ROUND: usize = 16 << 20;
/// What a message costs whatever its length, in bytes that could be moved instead.
const PER_MESSAGE: usize = 1 << 10;
