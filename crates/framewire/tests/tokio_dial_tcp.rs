//! From a URI to a connection over TCP: names, addresses, time, and what is said when it fails, over tokio.
#![cfg(feature = "tokio-net")]
#![allow(clippy::unwrap_used)]

#[path = "cases/dial_tcp.rs"]
mod cases;
mod dial_support;
#[path = "shell/tokio.rs"]
mod shell;
mod upgrade_support;
