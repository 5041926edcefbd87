//! Redirects: an error unless asked for, and then within bounds.
#![cfg(feature = "handshake")]
#![allow(clippy::unwrap_used)]

#[path = "cases/dial_redirect.rs"]
mod cases;
mod dial_support;
#[path = "shell/blocking.rs"]
mod shell;
