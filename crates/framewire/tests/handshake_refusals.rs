//! Every kind of request that is refused, with the exact status, over a stream and cut anywhere.
#![cfg(feature = "handshake")]
#![allow(clippy::unwrap_used)]

#[path = "cases/handshake_refusals.rs"]
mod cases;
#[path = "shell/blocking.rs"]
mod shell;
mod upgrade_support;
