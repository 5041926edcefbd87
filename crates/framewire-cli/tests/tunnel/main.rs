//! `framewire tunnel` as a user has it: both ends as programs, over loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod bytes;
mod end;
mod ends;
mod hostile;
mod life;
mod options;
#[path = "../shared/process.rs"]
mod process;
mod refusals;
mod tls;
