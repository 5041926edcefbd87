//! Programs of Debian's packages: found, installed where they are missing, and asked for their versions.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process;

/// Returns where a program is. Where it is missing its package is installed, which takes root.
pub(crate) fn program(name: &str, package: &str) -> Result<PathBuf> {
    if let Some(found) = find(name) {
        return Ok(found);
    }
    install(package)?;
    find(name).with_context(|| format!("the package {package} has no program {name}"))
}

/// Checks that a shared library is there. Where it is missing its package is installed.
pub(crate) fn library(name: &str, package: &str) -> Result<()> {
    if !has_library(name)? {
        install(package)?;
    }
    ensure!(
        has_library(name)?,
        "the package {package} has no library {name}"
    );
    Ok(())
}

/// Returns whether a library is where Debian's packages put them: in a folder for the processor.
fn has_library(name: &str) -> Result<bool> {
    let mut folders = fs::read_dir("/usr/lib").context("cannot read /usr/lib")?;
    Ok(folders.any(|folder| folder.is_ok_and(|folder| folder.path().join(name).exists())))
}

/// Installs a package. A service that comes with it is not started.
fn install(package: &str) -> Result<()> {
    ensure!(
        id("-u")? == "0",
        "{package} is not installed; on Debian, as root: apt-get install {package}"
    );
    println!("installing {package}");
    let policy = Path::new(POLICY);
    // A run that was interrupted may have left it.
    let is_ours = !policy.exists() || fs::read_to_string(policy)? == REFUSAL;
    if is_ours {
        fs::write(policy, REFUSAL).context(POLICY)?;
        fs::set_permissions(policy, fs::Permissions::from_mode(0o755)).context(POLICY)?;
    }
    let installed = apt_get(&["update"])
        .and_then(|()| apt_get(&["install", "--yes", "--no-install-recommends", package]));
    if is_ours {
        fs::remove_file(policy).context(POLICY)?;
    }
    installed
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-qq", "-o", "DPkg::Lock::Timeout=120"])
        .args(arguments);
    process::output(&mut command, INSTALLATION).map(drop)
}

/// Returns the version that a program says it has: the first word that begins with a digit.
pub(crate) fn version(program: &Path, option: &str) -> Result<String> {
    let mut said = String::new();
    // Some say it on standard error, and some complain there first.
    for how in ["\"$@\" 2>/dev/null", "\"$@\" 2>&1"] {
        let mut command = Command::new("sh");
        command.args(["-c", how, "sh"]).arg(program).arg(option);
        said = process::output(&mut command, VERSION)?;
        if let Some(version) = version_in(&said) {
            return Ok(version.to_owned());
        }
    }
    bail!("no version in {said:?}")
}

fn version_in(text: &str) -> Option<&str> {
    text.split([' ', '/', '\n'])
        .map(|word| word.trim_start_matches('v').trim_end_matches('.'))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
}

/// Returns what `id` prints of the current user.
pub(crate) fn id(option: &str) -> Result<String> {
    let id = process::output(Command::new("id").arg(option), VERSION)?;
    Ok(id.trim_end().to_owned())
}

fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// What Debian's packages ask whether they may start a service; 101 is no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const REFUSAL: &str = "#!/bin/sh\n# While `cargo xtask` installs a package.\nexit 101\n";
const INSTALLATION: Duration = Duration::from_secs(300);
const VERSION: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_say_them() {
        for (said, version) in [
            ("nginx version: nginx/1.22.1\n", "1.22.1"),
            (
                "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/",
                "2.6.12-1+deb12u4",
            ),
            (
                "Server version: Apache/2.4.71 (Debian)\nServer built: 2026",
                "2.4.71",
            ),
            ("Squid Cache: Version 5.7\nService Name: squid\n", "5.7"),
            ("Dante v1.4.2.  Copyright (c) 1997 - 2014", "1.4.2"),
            ("1.4.5\n", "1.4.5"),
        ] {
            assert_eq!(version_in(said), Some(version));
        }
        assert_eq!(version_in("none"), None);
    }
}
