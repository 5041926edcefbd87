//! A program that uses the library without `std` and `alloc`, linked and run on this machine.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process;
use crate::project::Project;

pub(crate) fn run(project: &Project) -> Result<()> {
    // Only a release build: without optimisation the compiled `core` requires unwinding support.
    let manifest = project.path("conformance/no-std/Cargo.toml");
    let mut cargo = project.cargo(&[
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--manifest-path",
    ]);
    process::run(
        cargo
            .arg(manifest)
            .env("CARGO_TARGET_DIR", project.target("no-std")),
        BUILD,
    )?;

    let program = project.target("no-std/release/framewire-no-std");
    process::run(&mut Command::new(&program), RUN)?;

    let symbols = process::output(
        Command::new("nm").arg("--undefined-only").arg(&program),
        RUN,
    )?;
    let foreign: Vec<&str> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|symbol| symbol.split('@').next().unwrap_or(symbol))
        .filter(|symbol| !FROM_C.contains(symbol))
        .collect();
    ensure!(
        foreign.is_empty(),
        "the program needs {foreign:?} of its surroundings"
    );
    println!("linked, run, and needs nothing of its surroundings but memcpy and its like");
    Ok(())
}

/// The symbols that any C program is linked with, and the four functions that `core` requires of every
/// platform.
const FROM_C: [&str; 10] = [
    "_ITM_deregisterTMCloneTable",
    "_ITM_registerTMCloneTable",
    "__cxa_finalize",
    "__gmon_start__",
    "__libc_start_main",
    "bcmp",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
];

const BUILD: Duration = Duration::from_secs(300);
const RUN: Duration = Duration::from_secs(30);
