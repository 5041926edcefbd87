//! Two ends of a real connection. Every socket has a time-out, so that nothing hangs for ever.

use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use framewire::{Config, Duplicate, WebSocket};

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    for stream in [&server, &client] {
        stream.set_nodelay(true).unwrap();
    }
    (patient(server), patient(client))
}

#[cfg(unix)]
pub fn unix() -> (UnixStream, UnixStream) {
    let (server, client) = UnixStream::pair().unwrap();
    (patient(server), patient(client))
}

fn patient<S: Duplicate>(stream: S) -> S {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A server and its client, past the handshake.
pub fn connected<S>((server, client): (S, S)) -> (WebSocket<S>, WebSocket<S>) {
    (
        WebSocket::server(server, Config::default()).unwrap(),
        WebSocket::client(client, Config::default()).unwrap(),
    )
}
