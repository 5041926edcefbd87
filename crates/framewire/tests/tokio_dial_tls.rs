//! `wss` over tokio: what is agreed on, and servers that are refused.
#![cfg(feature = "tokio-rustls")]
#![allow(clippy::unwrap_used)]

#[path = "cases/dial_tls.rs"]
mod cases;
mod dial_support;
#[path = "shell/tokio.rs"]
mod shell;
mod upgrade_support;
