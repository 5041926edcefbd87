//! The client's end over tokio.
#![cfg(feature = "tokio-net")]
#![allow(clippy::unwrap_used)]

#[path = "cases/upgrade_client.rs"]
mod cases;
#[path = "shell/tokio.rs"]
mod shell;
mod upgrade_support;
