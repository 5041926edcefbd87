//! The tools for Cargo that chores run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::process;
use crate::project::Project;

/// Builds a tool below `target/tools` where it is missing there, and returns its program.
pub(crate) fn install(project: &Project, name: &str, version: &str) -> Result<PathBuf> {
    let root = project.target_dir("tools")?;
    let package = format!("{name}@{version}");
    if !root.join("bin").join(name).is_file() {
        println!("building {package}, once: minutes");
    }
    let mut install = project.cargo(&["install", "--quiet", "--locked", &package, "--root"]);
    install
        .arg(&root)
        .env("CARGO_TARGET_DIR", root.join("build"));
    process::run(&mut install, INSTALLATION)?;
    Ok(root.join("bin").join(name))
}

const INSTALLATION: Duration = Duration::from_secs(900);
