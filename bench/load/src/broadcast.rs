//! One message that a server sends to all its connections.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::echo::{Load, Work, open};
use crate::process::{Cost, Window};
use crate::script::Recipe;
use crate::stream::{Plain, Stream, Tls};
use crate::{Deflate, Server, report, stream};

/// Have each message sent to all connections
///
/// The first connection sends `--depth` messages, and the next ones when all connections have received them. A
/// message of the report is a delivery to one connection.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(skip)]
    server: Server,

    #[command(flatten)]
    #[serde(flatten)]
    work: Work,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let cost = if options.server.tls {
        measure::<Tls>(options, &stream::tls()?)?
    } else {
        measure::<Plain>(options, &())?
    };
    report::print("broadcast", options.server.tls, options, cost)
}

fn measure<S: Stream>(options: &Options, config: &S::Config) -> Result<Cost> {
    let work = &options.work;
    let recipe = Recipe {
        bytes: work.bytes,
        depth: work.depth,
        payload: work.payload,
        deflate: Deflate::None,
        masked: true,
    };
    let connect = || open::<S>(options.server.address, Deflate::None, config);
    let mut load = Load::new(work, recipe, connect)?;
    let measured = Duration::from_secs_f64(work.measured);
    // The server may not know the last connection yet when it has answered its handshake.
    std::thread::sleep(SETTLE);
    let warm = Instant::now() + measured / 4;
    let (mut window, mut deliveries): (Option<Window>, u64) = (None, 0);
    loop {
        match &window {
            None if Instant::now() >= warm && deliveries > 0 => {
                deliveries = 0;
                window = Some(Window::begin(options.server.pid)?);
            }
            Some(window) if window.elapsed() >= measured => {
                return window.end(options.server.pid, deliveries);
            }
            _ => {}
        }
        deliveries += round(&mut load, work.depth)?;
    }
}

/// Sends some messages, and waits until all connections have them.
fn round<S: Stream>(load: &mut Load<S>, depth: usize) -> Result<u64> {
    let sender = &mut load.connections[0];
    sender.position.allow(&load.script, depth);
    sender.send(&load.script)?;
    let all = load.connections.len() * depth;
    let mut received = 0;
    while received < all {
        load.check_deadline()?;
        for number in load.poll.wait(STEP)? {
            let connection = &mut load.connections[number];
            received += connection.receive(&mut load.buffer, &load.expected)?;
            connection.send(&load.script)?;
        }
    }
    let first = load.connections[0].answers.messages();
    let even = |c: &crate::echo::Connection<S>| c.answers.messages() == first;
    ensure!(
        load.connections.iter().all(even),
        "some connections received more messages than others"
    );
    Ok(all as u64)
}

const STEP: Duration = Duration::from_millis(50);
const SETTLE: Duration = Duration::from_millis(100);
