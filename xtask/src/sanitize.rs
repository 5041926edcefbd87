//! The tests where each access to memory is checked.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use crate::compiler;
use crate::project::Project;
use crate::tally::{Tally, grouped};

/// Run tests where each access to memory is checked
///
/// `ThreadSanitizer` is left out: it reports the locks of a standard library that is not compiled with it, as Rust's
/// own is not, and `unsafe_code = "forbid"` rules data races out in what is ours. `cargo xtask model` checks the
/// locks.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The parts, both unless given
    #[arg(value_name = "PART", value_enum)]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// The tests of both libraries that need no TLS and no HTTP server, with `AddressSanitizer`, leaks too. What is
    /// written in C is not compiled with it
    Address,
    /// The tests of the examples in `valgrind`, what is written in C included, and leaks. It takes what the assembly
    /// beneath TLS writes for uninitialised, so that the example of TLS is left out, and that of a gibibyte for time
    Valgrind,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let parts = match &options.parts[..] {
        [] => Part::value_variants(),
        parts => parts,
    };
    let host = compiler::host()?;
    let mut findings = Vec::new();
    for part in parts {
        findings.push(match part {
            Part::Address => address(project, &host).context("AddressSanitizer")?,
            Part::Valgrind => valgrind(project, &host).context("valgrind")?,
        });
    }
    println!("sanitize: {}", findings.join(", "));
    Ok(())
}

fn address(project: &Project, host: &str) -> Result<String> {
    let mut cargo = project.cargo(&["test", "--locked", "--quiet", "--lib", "--tests"]);
    cargo.args(["-p", "framewire", "-p", "framewire-upgrade"]);
    cargo.args(["-p", "framewire-tests", "--no-default-features"]);
    cargo.args(["--features", "framewire/simd"]);
    // With a target, nothing that runs while compiling is instrumented.
    cargo.args(["--target", host]);
    // That test leaks on purpose.
    cargo.args(["--", "--skip", "of_a_forgotten_writer"]);
    // The option is one of nightly's. The stable compiler has the sanitizer's runtime, and the option only with this.
    cargo
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("CARGO_TARGET_DIR", project.target("sanitize"));
    let tests = grouped(Tally::of_tests(&mut cargo, TIME)?.into());
    Ok(format!(
        "AddressSanitizer finds nothing in {tests} tests of both libraries"
    ))
}

fn valgrind(project: &Project, host: &str) -> Result<String> {
    let mut cargo = project.cargo(&["test", "--locked", "--quiet"]);
    cargo.args(["-p", "framewire-tests", "--test", "examples"]);
    // One at a time, since valgrind runs one thread at a time, and the examples have deadlines.
    cargo.args(["--", "--test-threads=1"]);
    cargo.args(["--skip", "tls_client", "--skip", "gibibyte"]);
    let host = host.to_uppercase().replace('-', "_");
    // Servers of the tests still run when these end, so that only what nothing points to is a leak.
    let valgrind = "valgrind --quiet --error-exitcode=1 --leak-check=full --show-leak-kinds=definite \
                    --errors-for-leak-kinds=definite";
    cargo.env(format!("CARGO_TARGET_{host}_RUNNER"), valgrind);
    let tests = Tally::of_tests(&mut cargo, TIME)?;
    Ok(format!(
        "valgrind finds nothing in {tests} tests of examples"
    ))
}

const TIME: Duration = Duration::from_secs(3600);
