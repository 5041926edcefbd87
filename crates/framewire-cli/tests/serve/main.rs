//! `framewire serve` as a user has it: the program itself, over loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod end;
mod full;
mod hostile;
mod http;
mod options;
mod server;
mod tls;
