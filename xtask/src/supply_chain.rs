//! What the project depends on, and what it publishes.

mod dependencies;
mod feature_sets;
mod licences;
mod minimal_versions;
mod packages;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use crate::process;
use crate::project::Project;
use crate::tool;

/// Check what the project depends on, and what it publishes
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The parts, each of them unless given
    #[arg(value_name = "PART", value_enum)]
    parts: Vec<Part>,
}

impl Options {
    /// Selects what needs nothing to be built.
    pub(crate) fn of_ci() -> Self {
        Self {
            parts: vec![Part::Dependencies, Part::Packages],
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Licences, duplicates and sources by `deny.toml`, and the oldest Rust that each dependency supports
    Dependencies,
    /// `cargo deny` by the same file, but for advisories, whose database it would have to fetch
    Deny,
    /// Each feature and each two features of the three crates compile, without warnings
    Features,
    /// The packages have what belongs in them and could be published, by a dry run
    Packages,
    /// With nothing but the packages, each compiles with its default features, and with all features their programs,
    /// examples and documentation
    Builds,
    /// The libraries and the program compile with the oldest versions that their manifests allow
    MinimalVersions,
}

pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let parts = match &options.parts[..] {
        [] => Part::value_variants(),
        parts => parts,
    };
    let mut findings = Vec::new();
    for part in parts {
        let finding = match part {
            Part::Dependencies => dependencies::check(project).context("dependencies"),
            Part::Deny => deny(project).context("cargo deny"),
            Part::Features => feature_sets::check(project).context("features"),
            Part::Packages => packages::check(project).context("packages"),
            Part::Builds => packages::build(project).context("builds of the packages"),
            Part::MinimalVersions => minimal_versions::check(project).context("minimal versions"),
        };
        findings.push(finding?);
    }
    println!("supply-chain: {}", findings.join(", "));
    Ok(())
}

fn deny(project: &Project) -> Result<String> {
    let mut deny = Command::new(tool::install(project, "cargo-deny", "0.20.2")?);
    deny.current_dir(project.path(""))
        .args(["--offline", "--locked", "check"])
        .args(["licenses", "bans", "sources"]);
    process::run(&mut deny, Duration::from_secs(60))?;
    Ok("cargo deny agrees (advisories are not asked for)".to_owned())
}

/// What lists something without building it.
const LISTING: Duration = Duration::from_secs(60);
