//! The client under test: it echoes what the suite sends, case by case.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use framewire::deflate::{Deflate, DeflateConfig};
use framewire::handshake::Connector;
use framewire::{Config, WebSocket};

use crate::server::MAX_MESSAGE;

/// Asks the suite how many cases there are, runs them all and has the reports written.
pub(crate) fn run_all_cases(suite: SocketAddr, agent: &str, deadline: Instant) -> Result<()> {
    let mut count = Vec::new();
    connect(suite, "/getCaseCount")?.read_message(&mut count)?;
    let count: u32 = std::str::from_utf8(&count)?
        .parse()
        .context("number of cases")?;
    for case in 1..=count {
        ensure!(
            Instant::now() < deadline,
            "the suite was at case {case} of {count} when its time was over"
        );
        let target = format!("/runCase?case={case}&agent={agent}");
        echo_until_closed(suite, &target).with_context(|| format!("case {case} of {count}"))?;
    }
    println!("client: {count} cases");
    echo_until_closed(suite, &format!("/updateReports?agent={agent}"))
}

fn echo_until_closed(suite: SocketAddr, target: &str) -> Result<()> {
    let mut websocket = connect(suite, target)?;
    loop {
        let echoed = websocket
            .next_message_and_writer()
            .and_then(|(message, writer)| writer.feed_message(message.opcode(), message.payload()));
        if echoed.is_err() {
            break;
        }
    }
    // Whether the connection ended as it should is for the suite to say.
    let _ = websocket.shutdown(END);
    Ok(())
}

fn connect(suite: SocketAddr, target: &str) -> Result<WebSocket<TcpStream>> {
    let stream = TcpStream::connect(suite)?;
    stream.set_nodelay(true)?;
    let mut config = Config::default();
    config.limits.message = MAX_MESSAGE as u64;
    let uri = format!("ws://{suite}{target}");
    let connector = Connector::new().deflate(Deflate::new(DeflateConfig::default())?);
    let websocket = framewire::client(stream, &uri, &connector, config)?;
    websocket.stream().set_read_timeout(Some(SILENCE))?;
    websocket.stream().set_write_timeout(Some(SILENCE))?;
    Ok(websocket)
}

/// The suite's longest pauses are a few seconds.
const SILENCE: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(5);
