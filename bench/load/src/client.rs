//! The other end: a program that is a client, which echoes and masks, and this is the server.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::echo::{Load, Work};
use crate::process::Cost;
use crate::script::Recipe;
use crate::stream::{Plain, Stream as _};
use crate::{Deflate, opening, stream};

/// Start a client that echoes, and measure what it costs
///
/// The command gets the address and the number of connections as its last two arguments. It opens these connections
/// and echoes every message on each until this end closes them. `--depth` messages are in flight on each.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Options {
    #[command(flatten)]
    #[serde(flatten)]
    work: Work,

    /// The client and its arguments
    #[arg(last = true, required = true)]
    #[serde(skip)]
    command: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    bench: &'static str,
    #[serde(flatten)]
    options: &'a Options,
    #[serde(flatten)]
    cost: Cost,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = Command::new(&options.command[0])
        .args(&options.command[1..])
        .arg(listener.local_addr()?.to_string())
        .arg(options.work.connections.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", options.command[0]))?;
    let mut client = Client(client);
    let cost = measure(options, &listener, &mut client)?;
    let report = Report {
        bench: "client",
        options,
        cost,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn measure(options: &Options, listener: &TcpListener, client: &mut Client) -> Result<Cost> {
    let work = &options.work;
    let recipe = Recipe {
        bytes: work.bytes,
        depth: work.depth,
        payload: work.payload,
        deflate: Deflate::None,
        masked: false,
    };
    listener.set_nonblocking(true)?;
    let pid = client.0.id();
    let mut load = Load::new(work, recipe, || {
        let mut stream = accept(listener, client)?;
        opening::accept(&mut stream)?;
        Ok(stream)
    })?;
    load.closed_loop(pid)
}

fn accept(listener: &TcpListener, client: &mut Client) -> Result<Plain> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Ok((socket, _)) = listener.accept() {
            socket.set_nonblocking(false)?;
            stream::set_up(&socket)?;
            return Plain::new(socket, &());
        }
        if let Some(status) = client.0.try_wait()? {
            bail!("the client ended: {status}");
        }
        thread::sleep(Duration::from_millis(1));
    }
    bail!("the client did not connect")
}

/// A process that ends with its owner.
#[derive(Debug)]
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
