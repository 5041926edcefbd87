//! The page of `framewire serve` in headless Chromium.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process;
use crate::project::Project;
use crate::server::{Program, Server};

pub(crate) fn run(project: &Project) -> Result<()> {
    let chromium = chromium()?;
    let program = Program::build(project)?;
    let script = project
        .node("browser", "conformance/browser")?
        .join("echo.mjs");
    for (how, options, screenshot) in [
        ("without", &[][..], "browser/echo.png"),
        ("with", &["--deflate"], "browser/echo-deflate.png"),
    ] {
        println!("Chromium, {how} compression:");
        let screenshot = project.target(screenshot);
        let profile = project.target("browser/profile");
        if profile.exists() {
            fs::remove_dir_all(&profile).context("the profile of the last run")?;
        }
        let server = Server::start(&program, options)?;
        let mut command = Command::new("node");
        command
            .arg(&script)
            .arg(server.url("http"))
            .arg(&chromium)
            .arg(profile)
            .arg(&screenshot)
            .args(options);
        let result = process::run(&mut command, SUITE);
        println!("screenshot: {}", screenshot.display());
        result.and(server.stop())?;
    }
    Ok(())
}

fn chromium() -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .context("Chromium is not installed; on Debian: apt-get install chromium")
}

const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const SUITE: Duration = Duration::from_secs(300);
