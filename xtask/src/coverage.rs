//! Which lines of the libraries their tests reach.

mod lines;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::Value;

use self::lines::{Lines, Module};
use crate::compiler;
use crate::process;
use crate::project::Project;

/// Measure which lines of the libraries their tests reach, and demand 95 of 100 of the core
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print the lines that no test reaches, of every module
    #[arg(long)]
    lines: bool,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let profdata = llvm_tool("llvm-profdata")?;
    let cov = llvm_tool("llvm-cov")?;
    let programs = build(project)?;
    let profiles = project.target("coverage/profiles");
    if profiles.exists() {
        fs::remove_dir_all(&profiles).with_context(|| profiles.display().to_string())?;
    }
    process::run(&mut tests(project), TESTS)?;

    let profile = project.target("coverage/merged.profdata");
    let mut merge = Command::new(profdata);
    merge
        .args(["merge", "-sparse", "-o"])
        .args([&profile, &profiles]);
    process::run(&mut merge, REPORT)?;
    let mut export = Command::new(cov);
    export
        .args(["export", "-format=lcov", "-instr-profile"])
        .arg(profile);
    for program in programs {
        export.arg("-object").arg(program);
    }
    export.args(["-sources"]).args([
        project.path("crates/framewire/src"),
        project.path("crates/upgrade/src"),
    ]);
    let export = process::output(&mut export, REPORT)?;
    let lines = Lines::parse(project, &export)?;
    ensure!(!lines.files.is_empty(), "no line was measured");
    if options.lines {
        print!("{}", lines.missed());
    }
    report(&lines.modules())
}

/// Prints a line for each module and one for all. Fails where a module of the core has too few lines.
fn report(modules: &[Module]) -> Result<()> {
    println!("{:<24} {:>6} {:>6}", "module", "lines", "%");
    for module in modules {
        println!(
            "{:<24} {:>6} {:>6.1}",
            module.name,
            module.lines,
            module.percent()
        );
    }
    let core: Vec<&Module> = modules
        .iter()
        .filter(|module| CORE.contains(&&*module.name))
        .collect();
    ensure!(core.len() == CORE.len(), "the core is {CORE:?}");
    let short: Vec<&str> = core
        .iter()
        .filter(|module| module.percent() < AT_LEAST)
        .map(|module| &*module.name)
        .collect();
    ensure!(
        short.is_empty(),
        "less than {AT_LEAST} % of the lines of {short:?}"
    );
    let core = Module::sum("core", core);
    let all = Module::sum("all", modules);
    let names: Vec<&str> = CORE
        .iter()
        .filter_map(|name| name.split('/').nth(1))
        .collect();
    println!(
        "coverage: {:.1} % of {} lines of the core ({}; at least {AT_LEAST} of each), {:.1} % of {} of both libraries",
        core.percent(),
        core.lines,
        names.join(", "),
        all.percent(),
        all.lines
    );
    Ok(())
}

/// Builds the tests of the libraries, and returns the programs that they are.
fn build(project: &Project) -> Result<Vec<PathBuf>> {
    let mut build = tests(project);
    build.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let messages = process::output(&mut build, BUILD)?;
    let mut programs = Vec::new();
    for message in messages.lines() {
        let message: Value = serde_json::from_str(message).context("messages of Cargo")?;
        programs.extend(message["executable"].as_str().map(PathBuf::from));
    }
    Ok(programs)
}

fn tests(project: &Project) -> Command {
    let mut cargo = project.cargo(&["test", "--locked", "--quiet", "--lib", "--tests"]);
    cargo
        .args([
            "-p",
            "framewire",
            "-p",
            "framewire-upgrade",
            "-p",
            "framewire-tests",
        ])
        .args(["--features", "framewire/simd"])
        .env("CARGO_TARGET_DIR", project.target("coverage"))
        .env("RUSTFLAGS", "-Cinstrument-coverage")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env(
            "LLVM_PROFILE_FILE",
            project.target("coverage/profiles/%m-%p.profraw"),
        );
    cargo
}

/// Returns the path of a tool of the LLVM that the compiler is made with: rustup's component `llvm-tools`, or a
/// package of the system.
fn llvm_tool(name: &str) -> Result<PathBuf> {
    let libraries = compiler::rustc(&["--print", "target-libdir"])?;
    let beside = Path::new(libraries.trim()).with_file_name("bin").join(name);
    if beside.exists() {
        return Ok(beside);
    }
    let version = compiler::rustc(&["-vV"])?;
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "));
    let version = version.and_then(|version| version.split('.').next());
    let version = version.context("rustc does not name the version of its LLVM")?;
    let packaged = format!("{name}-{version}");
    let mut probe = Command::new(&packaged);
    process::output(probe.arg("--version"), PROBE).with_context(|| {
        format!("no {name}: `rustup component add llvm-tools`, or Debian's package llvm-{version}")
    })?;
    Ok(packaged.into())
}

/// The modules that may not fall short: what every front end stands on.
const CORE: [&str; 7] = [
    "framewire/connection",
    "framewire/deflate",
    "framewire/drive",
    "framewire/frame",
    "framewire/halves",
    "framewire/handshake",
    "framewire/protocol",
];
const AT_LEAST: f64 = 95.0;
const PROBE: Duration = Duration::from_secs(30);
const BUILD: Duration = Duration::from_secs(1800);
const TESTS: Duration = Duration::from_secs(1800);
const REPORT: Duration = Duration::from_secs(120);
