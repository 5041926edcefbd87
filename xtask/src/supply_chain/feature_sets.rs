//! The features of the crates, in every pair.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process;
use crate::project::Project;
use crate::tool;

/// Compiles the three crates with no feature, with each alone, with each two, and with all.
///
/// All combinations are ten times as many: hours instead of minutes. Features only add, and no condition in the code
/// names more than two of them, so that what needs three to fail is a condition within another. `cargo xtask ci` lints
/// sets of more that belong together.
pub(super) fn check(project: &Project) -> Result<String> {
    let arguments = [
        "hack",
        "check",
        "--locked",
        "--quiet",
        "--package=framewire",
        "--package=framewire-upgrade",
        "--package=framewire-cli",
        "--feature-powerset",
        "--depth=2",
    ];
    let hack = || {
        let mut hack = Command::new(tool::install(project, "cargo-hack", "0.6.46")?);
        hack.args(arguments).current_dir(project.path(""));
        // Warnings of the project's own crates only: those of others are capped.
        hack.env("RUSTFLAGS", "-Dwarnings")
            .env("CARGO_TARGET_DIR", project.target("supply-chain/features"));
        anyhow::Ok(hack)
    };
    let commands = process::output(hack()?.arg("--print-command-list"), super::LISTING)?;
    process::run(&mut hack()?, TIME).context("of features, each two must compile")?;
    Ok(format!("{} feature sets", commands.lines().count()))
}

const TIME: Duration = Duration::from_secs(1800);
