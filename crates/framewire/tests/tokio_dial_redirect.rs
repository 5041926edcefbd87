//! Redirects: an error unless asked for, and then within bounds, over tokio.
#![cfg(feature = "tokio-net")]
#![allow(clippy::unwrap_used)]

#[path = "cases/dial_redirect.rs"]
mod cases;
mod dial_support;
#[path = "shell/tokio.rs"]
mod shell;
mod upgrade_support;
