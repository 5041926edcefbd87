//! Every kind of request that is refused, with the exact status, over a stream and cut anywhere, over tokio.
#![cfg(feature = "tokio-net")]
#![allow(clippy::unwrap_used)]

#[path = "cases/handshake_refusals.rs"]
mod cases;
#[path = "shell/tokio.rs"]
mod shell;
mod upgrade_support;
