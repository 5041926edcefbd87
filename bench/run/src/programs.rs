//! The programs that are run, built.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::process;
use crate::project::Project;

/// Builds a program of the benchmarks and returns its path.
///
/// Each is built alone, so that its features, and with them its instructions, do not depend on what else is built.
pub(crate) fn build(project: &Project, package: &str) -> Result<PathBuf> {
    let mut cargo = project.cargo(&["build", "--release", "--locked", "--quiet"]);
    cargo.args(["--manifest-path", "bench/Cargo.toml", "--package", package]);
    process::run(&mut cargo, BUILD)?;
    Ok(project.target(&format!("release/{package}")))
}

/// Builds `framewire` with the profile of the benchmarks and returns its path.
pub(crate) fn build_framewire(project: &Project) -> Result<PathBuf> {
    let mut cargo = project.cargo(&["build", "--release", "--locked", "--quiet"]);
    cargo
        .args(["--package", "framewire-cli"])
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
    process::run(&mut cargo, BUILD)?;
    Ok(project.target("release/framewire"))
}

const BUILD: Duration = Duration::from_mins(30);
