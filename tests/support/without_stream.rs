//! A connection without a stream, whose bytes a test moves itself.

use framewire::Config;
use framewire::connection::{BufferPool, Connection};
use framewire::protocol::Role;

/// A server with the default configuration, which reads these bytes first.
pub fn server(leftover: &[u8]) -> Connection {
    open(Role::Server, leftover, &Config::default())
}

/// Either end.
pub fn open(role: Role, leftover: &[u8], config: &Config) -> Connection {
    Connection::new(role, leftover, config, &BufferPool::per_thread()).expect("no size is 0")
}

/// Reads all of `bytes`, whatever the room.
pub fn give(connection: &mut Connection, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        give_some(connection, &mut bytes, usize::MAX);
    }
}

/// Reads as many as there is room for, and so many at most.
pub fn give_some(connection: &mut Connection, bytes: &mut &[u8], most: usize) {
    let room = connection.room();
    let len = room.len().min(bytes.len()).min(most);
    let (given, rest) = bytes.split_at(len);
    room[..len].copy_from_slice(given);
    connection.filled(len);
    *bytes = rest;
}

/// Writes all that waits, and returns it.
pub fn written(connection: &mut Connection) -> Vec<u8> {
    let mut written = vec![];
    let outbound = connection.outbound();
    while let Some(bytes) = outbound.output().expect("it is open") {
        let len = bytes.len();
        written.extend_from_slice(bytes);
        outbound.written(Ok(len)).expect("it is open");
    }
    written
}
