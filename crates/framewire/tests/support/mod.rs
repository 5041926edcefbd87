//! A scripted stream with faults, and frames as bytes, for the tests of the blocking front end.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "part of tests"
)]

#[cfg(feature = "tokio")]
pub(crate) mod calls;
pub(crate) mod hooked;
pub(crate) mod loopback;
pub(crate) mod meter;
pub(crate) mod operations;
#[cfg(feature = "tokio")]
pub(crate) mod polled;
#[cfg(feature = "tokio")]
pub(crate) mod polled_operations;
pub(crate) mod script;
#[cfg(feature = "tokio")]
pub(crate) mod tasks;
pub(crate) mod view;
pub(crate) mod wire;

use framewire::{Config, Error, WebSocket, protocol::Role};
use script::Script;

/// What the peer of this role is.
pub(crate) fn peer(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

pub(crate) fn connect(role: Role, script: Script, config: Config) -> WebSocket<Script> {
    WebSocket::with_leftover(script, &[], role, config).expect("a configuration that works")
}

/// Calls until it does not say that it would block: what the documentation asks of a caller.
pub(crate) fn again<T>(mut call: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    for _ in 0..MOST_CALLS {
        match call() {
            Err(error) if error.is_would_block() => {}
            result => return result,
        }
    }
    panic!("would block for ever");
}

/// As [`again`], for `Read` and `Write`.
pub(crate) fn io_again<T>(mut call: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    for _ in 0..MOST_CALLS {
        match call() {
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => {}
            result => return result,
        }
    }
    panic!("would block for ever");
}

const MOST_CALLS: usize = 1 << 20;
