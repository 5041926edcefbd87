//! What the Rust compiler says of itself.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process;

/// Returns what it prints, called with these arguments.
pub(crate) fn rustc(arguments: &[&str]) -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    process::output(Command::new(rustc).args(arguments), Duration::from_secs(30))
}
