//! Through proxies: CONNECT and SOCKS5, those that refuse, hang, or say nonsense.
#![cfg(feature = "handshake")]
#![allow(clippy::unwrap_used)]

#[path = "cases/dial_proxy.rs"]
mod cases;
mod dial_support;
#[path = "shell/blocking.rs"]
mod shell;
