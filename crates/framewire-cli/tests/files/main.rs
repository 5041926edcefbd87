//! `framewire send` and `framewire recv` as a user has them: the program itself, over loopback.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

mod hostile_files;
mod hostile_receiver;
mod hostile_words;
mod link;
mod memory;
mod options;
mod peer;
mod programs;
mod resume;
mod transfer;
