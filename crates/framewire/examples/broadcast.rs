//! A chat room: each message goes to all members, framed once. Who says `/quit` is let go.
//!
//! `cargo run -p framewire --example broadcast -- 127.0.0.1:9001`

use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, io, thread};

use framewire::blocking::{PreparedMessage, WriteHalf};
use framewire::{Error, KeepAliveEnd};

type Members = Mutex<Vec<WriteHalf<TcpStream>>>;

fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    run(&TcpListener::bind(
        address.as_deref().unwrap_or("127.0.0.1:9001"),
    )?)
}

pub(crate) fn run(listener: &TcpListener) -> io::Result<()> {
    let members = Members::default();
    thread::scope(|scope| {
        loop {
            let Ok((stream, peer)) = listener.accept() else {
                // Too many files are open, or the peer is gone already.
                thread::sleep(PAUSE);
                continue;
            };
            let members = &members;
            scope.spawn(move || {
                if let Err(error) = join(stream, members) {
                    eprintln!("{peer}: {error}");
                }
            });
        }
    })
}

fn join(stream: TcpStream, members: &Members) -> Result<(), Error> {
    let websocket = framewire::accept(stream)?;
    // A member that does not read holds up the others for this long, and is then removed.
    websocket
        .stream()
        .set_write_timeout(Some(Duration::from_secs(1)))?;
    let (mut read, write) = websocket.split()?;
    // A member that vanished is found out within 40 seconds.
    let (beat, half) = (write.keep_alive(INTERVAL, PONG_WITHIN), write.clone());
    thread::spawn(move || match beat.run() {
        KeepAliveEnd::NoPong => half.abort(),
        _ => Ok(()),
    });
    members
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(write);
    while let Some(message) = read.next_message()? {
        if message.text() == Some("/quit") {
            // Both Close frames, or five seconds.
            read.shutdown(GOODBYE_WITHIN)?;
            break;
        }
        // A clone shares the bytes, and a server writes them without copying.
        let prepared = PreparedMessage::new(message)?;
        let mut members = members.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain_mut(|member| member.write_prepared(&prepared).is_ok());
    }
    Ok(())
}

const INTERVAL: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(10);
const GOODBYE_WITHIN: Duration = Duration::from_secs(5);

/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(100);
