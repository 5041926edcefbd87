//! The oldest versions of dependencies that the manifests allow.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::packages;
use crate::process;
use crate::project::Project;

/// Compiles the packages with all features, and with the oldest version of each direct dependency.
///
/// What those depend on is as new as it can be: whether the oldest versions that their manifests allow do compile is
/// for their authors to say, and cannot be mended here. What the packages' examples and tests depend on is left out:
/// nobody else builds these.
pub(super) fn check(project: &Project) -> Result<String> {
    let workspace = packages::unpacked(project, "supply-chain/minimal-versions")?;
    for entry in fs::read_dir(&workspace).context("the packages")? {
        let manifest = entry.context("the packages")?.path().join("Cargo.toml");
        if manifest.is_file() {
            without_dev_dependencies(&manifest).with_context(|| manifest.display().to_string())?;
        }
    }
    let mut update = packages::cargo(
        project,
        &workspace,
        &["update", "--quiet", "-Zdirect-minimal-versions"],
    );
    // The option is one of nightly's, and Cargo's stable release has it only with this.
    process::run(update.env("RUSTC_BOOTSTRAP", "1"), UPDATE)?;
    let mut check = packages::cargo(project, &workspace, &["check", "--quiet", "--locked"]);
    process::run(check.args(["--workspace", "--all-features"]), BUILD)?;
    Ok("oldest versions compile".to_owned())
}

fn without_dev_dependencies(manifest: &Path) -> Result<()> {
    let text = fs::read_to_string(manifest)?;
    let mut is_kept = true;
    let kept = text.split_inclusive('\n').filter(|line| {
        if line.starts_with('[') {
            is_kept = !line.contains("dev-dependencies");
        }
        is_kept
    });
    fs::write(manifest, kept.collect::<String>())?;
    Ok(())
}

const UPDATE: Duration = Duration::from_secs(300);
const BUILD: Duration = Duration::from_secs(900);
