//! A relay: passes messages of any size on to another server and back, in constant memory.
//!
//! `cargo run -p framewire --example relay -- 127.0.0.1:9002 127.0.0.1:9001`

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, thread};

use framewire::blocking::{ReadHalf, WriteHalf};
use framewire::handshake::{Acceptor, Connector};
use framewire::{CHUNK_SIZE_STREAMING, CloseCode, Config};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(listen), Some(upstream)) = (arguments.next(), arguments.next()) else {
        return Err("usage: relay LISTEN UPSTREAM".into());
    };
    run(&TcpListener::bind(listen)?, &upstream)
}

pub(crate) fn run(listener: &TcpListener, upstream: &str) -> Result<(), Box<dyn Error>> {
    loop {
        let Ok((stream, peer)) = listener.accept() else {
            // Too many files are open, or the peer is gone already.
            thread::sleep(PAUSE);
            continue;
        };
        let upstream = upstream.to_owned();
        thread::spawn(move || {
            if let Err(error) = relay(stream, &upstream) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn relay(stream: TcpStream, upstream: &str) -> Result<(), Box<dyn Error>> {
    let config = Config::default().chunk_size(CHUNK_SIZE_STREAMING);
    let uri = format!("ws://{upstream}/");
    let upstream = TcpStream::connect(upstream)?;
    let server = framewire::connect_stream_with(upstream, &uri, &Connector::new(), config)?;
    let client = framewire::accept_with(stream, &Acceptor::new(), config)?;
    let (mut from_client, mut to_client) = client.split()?;
    let (mut from_server, mut to_server) = server.split()?;
    thread::scope(|scope| {
        scope.spawn(|| pass_on(&mut from_client, &mut to_server));
        pass_on(&mut from_server, &mut to_client);
    });
    Ok(())
}

/// Passes on the messages of one end until it closes, and then closes the other.
fn pass_on(from: &mut ReadHalf<TcpStream>, to: &mut WriteHalf<TcpStream>) {
    let code = match pass_messages(from, to) {
        Ok(()) => from.closed().map(|closed| closed.code()),
        Err(error) => error.close_code(),
    };
    let code = code.filter(|code| code.is_sendable());
    // The other end may be gone already.
    let _ = to.close(code.unwrap_or(CloseCode::GOING_AWAY), "");
}

fn pass_messages(
    from: &mut ReadHalf<TcpStream>,
    to: &mut WriteHalf<TcpStream>,
) -> Result<(), framewire::Error> {
    // Holds one chunk: the message is never whole in memory.
    while let Some(message) = from.message_reader()? {
        to.stream_message(message.opcode(), CHUNK_SIZE_STREAMING, message)?;
    }
    Ok(())
}

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
