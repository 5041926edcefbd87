//! Through proxies: CONNECT and SOCKS5, those that refuse, hang, or say nonsense, over tokio.
#![cfg(feature = "tokio-net")]
#![allow(clippy::unwrap_used)]

#[path = "cases/dial_proxy.rs"]
mod cases;
mod dial_support;
#[path = "shell/tokio.rs"]
mod shell;
mod upgrade_support;
