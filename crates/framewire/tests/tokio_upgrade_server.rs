//! The server's end over tokio.
#![cfg(all(feature = "tokio-net", feature = "tokio-rustls"))]
#![allow(clippy::unwrap_used)]

#[path = "cases/upgrade_server.rs"]
mod cases;
#[path = "shell/tokio.rs"]
mod shell;
mod upgrade_support;
