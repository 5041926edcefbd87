//! What the tests share: frames whose bytes can be checked by eye, scripted peers, an oracle written from
//! the text of RFC 6455, and every way to have a connection behind one trait.

pub mod arbitrary;
pub mod compression;
pub mod connection;
pub mod deflate;
pub mod event;
pub mod faults;
pub mod frames;
pub mod front_end;
pub mod http_text;
pub mod loopback;
pub mod operations;
pub mod oracle;
pub mod peer;
pub mod rfc3629;
#[cfg(feature = "tls")]
pub mod shell;
pub mod tasks;
pub mod view;
pub mod wait;
pub mod without_stream;

use std::fmt::Debug;

use crate::peer::ScriptedPeer;
use framewire::{Config, Error, WebSocket, protocol::Role};
use std::io;

/// What the peer of this role is.
pub fn peer(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

pub fn connect(role: Role, script: ScriptedPeer, config: Config) -> WebSocket<ScriptedPeer> {
    WebSocket::with_leftover(script, &[], role, config).expect("a configuration that works")
}

/// Bytes that show where a piece was lost, doubled or put elsewhere.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// JSON that is alike and not the same.
pub fn json(len: usize) -> Vec<u8> {
    let objects = (0_u64..).flat_map(|n| format!("{{\"id\":{n},\"ok\":true}},").into_bytes());
    objects.take(len).collect()
}

/// Gives each of these. The last one that is printed is the one at which a test failed.
pub fn each<T: Debug>(all: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    all.into_iter().inspect(|one| println!("{one:?}"))
}

/// Says, where the test fails before this is dropped, what it takes to come to that again.
pub struct Replay<F: Fn() -> String>(pub F);

impl<F: Fn() -> String> Drop for Replay<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("It failed at: {}", (self.0)());
        }
    }
}

/// Calls until it does not say that it would block: what the documentation asks of a caller.
pub fn again<T>(mut call: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 0..MOST_CALLS {
        match call() {
            Err(error) if error.is_would_block() => {}
            result => return result,
        }
    }
    panic!("would block for ever");
}

/// As [`again`], for `Read` and `Write`. Gives the connection's own error.
pub fn io_again<T>(mut call: impl FnMut() -> io::Result<T>) -> Result<T, Error> {
    again(|| call().map_err(into_error))
}

/// The connection's error in what `Read` or `Write` gave.
pub fn into_error(error: io::Error) -> Error {
    error.downcast().unwrap_or_else(Error::from)
}

const MOST_CALLS: usize = 1 << 20;
