//! The packages, as they would be published.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use crate::process;
use crate::project::Project;

/// Has `cargo publish` pack the three crates, and compares what is in them with what belongs there.
pub(super) fn check(project: &Project) -> Result<String> {
    publish_dry(project)?;
    let workspace = unpacked(project, "supply-chain/packages")?;
    for (package, folders) in PACKAGES {
        let entries = entries(&workspace.join(package))?;
        let expected: BTreeSet<String> = FILES
            .iter()
            .chain(folders)
            .map(|&name| name.to_owned())
            .collect();
        let missing: Vec<_> = expected.difference(&entries).collect();
        let superfluous: Vec<_> = entries.difference(&expected).collect();
        ensure!(
            missing.is_empty() && superfluous.is_empty(),
            "{package} lacks {missing:?} and has {superfluous:?} too much"
        );
    }
    Ok(format!("{} packages", PACKAGES.len()))
}

/// Builds from the packages alone. Each compiles with its default features; with all of them the libraries, the
/// program, the examples, and the programs in the documentation, which are run too.
pub(super) fn build(project: &Project) -> Result<String> {
    let workspace = unpacked(project, "supply-chain/packages")?;
    // The same versions as everywhere else.
    fs::copy(project.path("Cargo.lock"), workspace.join("Cargo.lock")).context("Cargo.lock")?;
    for (package, _) in PACKAGES {
        let mut cargo = cargo(project, &workspace, &["check", "--quiet"]);
        process::run(cargo.args(["--package", package]), BUILD)?;
    }
    for arguments in [&["build", "--bins", "--examples"][..], &["test", "--doc"]] {
        let mut cargo = cargo(project, &workspace, arguments);
        process::run(
            cargo.args(["--quiet", "--workspace", "--all-features"]),
            BUILD,
        )?;
    }
    Ok("each builds from its package alone".to_owned())
}

/// Publishes by a dry run, in the order of the dependencies, from the working tree as it is. Nothing is built.
fn publish_dry(project: &Project) -> Result<()> {
    let mut publish = project.cargo(&["publish", "--workspace", "--dry-run", "--no-verify"]);
    let log = project.target_dir("supply-chain")?.join("publish.log");
    let file = File::create(&log).context("what cargo says")?;
    let published = process::run(publish.arg("--allow-dirty").stderr(file), super::LISTING);
    let said = fs::read_to_string(log).context("what cargo says")?;
    published.with_context(|| said.clone())?;
    for (package, _) in PACKAGES {
        let uploads = format!("Uploading {package} v");
        ensure!(
            said.contains(&uploads),
            "{package} is not published:\n{said}"
        );
    }
    ensure!(
        !said.contains("manifest has no"),
        "a manifest lacks what crates.io asks for:\n{said}"
    );
    Ok(())
}

/// Packs the three crates, and unpacks them as a workspace at `target/NAME`.
pub(super) fn unpacked(project: &Project, name: &str) -> Result<PathBuf> {
    let mut package = project.cargo(&[
        "package",
        "--quiet",
        "--no-verify",
        "--exclude-lockfile",
        "--allow-dirty",
    ]);
    for (name, _) in PACKAGES {
        package.args(["--package", name]);
    }
    process::run(&mut package, super::LISTING)?;

    let workspace = project.target_dir(name)?;
    let mut manifest =
        "[workspace]\nresolver = \"3\"\nmembers = [\"framewire*\"]\n\n[patch.crates-io]\n"
            .to_owned();
    for (name, _) in PACKAGES {
        let folder = workspace.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let archive = project.target(&format!(
            "package/{name}-{}.crate",
            env!("CARGO_PKG_VERSION")
        ));
        let mut tar = Command::new("tar");
        tar.args(["--extract", "--gzip", "--strip-components=1", "--file"]);
        tar.arg(archive).arg("--directory").arg(&folder);
        process::run(&mut tar, super::LISTING)?;
        writeln!(manifest, "{name} = {{ path = \"{name}\" }}")?;
    }
    fs::write(workspace.join("Cargo.toml"), manifest).context("manifest of the packages")?;
    Ok(workspace)
}

/// Returns a `cargo` command in a workspace of packages.
pub(super) fn cargo(project: &Project, workspace: &Path, arguments: &[&str]) -> Command {
    let mut cargo = project.cargo(arguments);
    cargo.current_dir(workspace);
    cargo
        .env("CARGO_TARGET_DIR", project.target("supply-chain/build"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    cargo
}

fn entries(folder: &Path) -> Result<BTreeSet<String>> {
    let context = || folder.display().to_string();
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        names.insert(
            entry
                .with_context(context)?
                .file_name()
                .to_string_lossy()
                .into_owned(),
        );
    }
    // Cargo writes it where the crate comes from a repository.
    names.remove(".cargo_vcs_info.json");
    Ok(names)
}

/// Each package and its folders.
const PACKAGES: [(&str, &[&str]); 3] = [
    ("framewire-upgrade", &["src"]),
    ("framewire", &["docs", "examples", "src"]),
    ("framewire-cli", &["src"]),
];
/// The files beside the folders.
const FILES: [&str; 6] = [
    "CHANGELOG.md",
    "Cargo.toml",
    "Cargo.toml.orig",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
];
const BUILD: Duration = Duration::from_secs(900);
