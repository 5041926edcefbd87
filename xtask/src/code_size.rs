//! What the feature `deflate` adds to the code of a server that does not compress.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process;
use crate::project::Project;

/// Prints the size of the code of the example `echo_server` without and with the feature `deflate`, and the difference.
pub(crate) fn run(project: &Project) -> Result<()> {
    let without = text_size(project, "handshake")?;
    let with = text_size(project, "handshake,deflate")?;
    println!("without deflate {without:>9} bytes of code");
    println!("with deflate    {with:>9} bytes of code");
    println!("difference      {:>+9} bytes", with - without);
    Ok(())
}

/// Returns the size of the section `.text` of the example, built with these features alone.
fn text_size(project: &Project, features: &str) -> Result<i64> {
    let directory = project.target("code-size");
    let mut cargo = project.cargo(&["build", "--release", "--locked", "--quiet"]);
    cargo
        .args(["-p", "framewire", "--example", "echo_server"])
        .args(["--no-default-features", "--features", features])
        .env("CARGO_TARGET_DIR", &directory);
    process::run(&mut cargo, BUILD)?;

    let mut size = Command::new("size");
    let program = directory.join("release/examples/echo_server");
    let sections = process::output(size.args(["-A", "-d"]).arg(program), SIZE)?;
    let text = sections
        .lines()
        .find_map(|line| line.strip_prefix(".text "))
        .and_then(|columns| columns.split_whitespace().next());
    let text = text.context("the program has no section .text")?;
    text.parse().context("size of .text")
}

const BUILD: Duration = Duration::from_secs(600);
const SIZE: Duration = Duration::from_secs(30);
