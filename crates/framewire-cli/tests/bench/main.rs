//! `framewire bench` as a user has it: the program itself, over loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod figures;
mod hostile;
mod program;
mod report;
mod way;
