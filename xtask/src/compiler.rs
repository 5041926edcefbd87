//! What the Rust compiler says of itself.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process;

/// Returns what it prints, called with these arguments.
pub(crate) fn rustc(arguments: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    process::output(Command::new(rustc).args(arguments), Duration::from_secs(30))
}

/// Returns the target triple of this machine.
pub(crate) fn host() -> Result<String> {
    let version = rustc(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}
