//! `framewire connect` as a user has it: the program itself, against servers in the test.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod again;
mod client;
mod end;
mod formats;
mod handshake;
mod messages;
mod terminal;
mod way;
