//! An echo server: a thread for each connection, one read and one write for each burst.
//!
//! `cargo run -p framewire --example echo_server -- 127.0.0.1:9001`

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use std::{env, io, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:9001"))?;
    println!("listening on ws://{}/", listener.local_addr()?);
    Ok(run(&listener)?)
}

pub(crate) fn run(listener: &TcpListener) -> io::Result<()> {
    loop {
        let Ok((stream, peer)) = listener.accept() else {
            // Too many files are open, or the peer is gone already.
            thread::sleep(PAUSE);
            continue;
        };
        thread::spawn(move || {
            if let Err(error) = echo(stream) {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

fn echo(stream: TcpStream) -> Result<(), framewire::Error> {
    let mut websocket = framewire::accept(stream)?;
    // A peer that vanished is found out within 40 seconds.
    websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    // The message is lent from the read buffer. What is fed goes out before the next read, so that messages
    // that arrived together are answered together.
    while let Some((message, writer)) = websocket.next_message_and_writer()? {
        writer.feed(message)?;
    }
    Ok(())
}

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
