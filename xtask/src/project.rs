//! Paths of the repository, and the foreign tools that are set up below `target/`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process;

/// The directories of this repository.
pub(crate) struct Project {
    root: PathBuf,
    target: PathBuf,
}

impl Project {
    pub(crate) fn find() -> Result<Self> {
        // Either of the programs that this file is part of is TARGET/PROFILE/PROGRAM, whatever Cargo's build
        // directory is.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .find(|folder| folder.join("xtask").is_dir())
            .context("the program's source lies in the repository")?;
        let program = std::env::current_exe().context("own path")?;
        let target = program
            .ancestors()
            .nth(2)
            .context("the program lies in a profile's directory")?;
        Ok(Self {
            root: root.to_owned(),
            target: target.to_owned(),
        })
    }

    /// Returns a path in the repository.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Returns a path below the build directory.
    pub(crate) fn target(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// Returns a directory below the build directory. Creates it if it is missing.
    pub(crate) fn target_dir(&self, relative: &str) -> Result<PathBuf> {
        let path = self.target(relative);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }

    /// Returns a `cargo` command, run at the root with this build directory.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// Returns Python in a virtual environment at `target/NAME`, with the packages of a requirements file.
    pub(crate) fn python(&self, name: &str, requirements: &str) -> Result<PathBuf> {
        let requirements = self.path(requirements);
        let venv = self.target(name);
        let python = venv.join("bin/python");
        let stamp = venv.join("installed.txt");
        let wanted = read(&requirements)?;
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(python);
        }
        process::run(
            Command::new("python3").args(["-m", "venv"]).arg(&venv),
            INSTALLATION,
        )?;
        let mut pip = Command::new(&python);
        pip.args([
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--quiet",
            "install",
            "--requirement",
        ]);
        process::run(pip.arg(&requirements), INSTALLATION)?;
        write(&stamp, &wanted)?;
        Ok(python)
    }

    /// Copies a folder of scripts to `target/NAME`, installs its npm packages there, and returns the copy.
    pub(crate) fn node(&self, name: &str, folder: &str) -> Result<PathBuf> {
        let folder = self.path(folder);
        let copy = self.target_dir(name)?;
        for file in scripts(&folder)? {
            write(&copy.join(&file), &read(&folder.join(&file))?)?;
        }
        let lock = copy.join("package-lock.json");
        let wanted = read(&folder.join("package-lock.json"))?;
        let installed = copy.join("node_modules").is_dir()
            && fs::read_to_string(&lock).is_ok_and(|installed| installed == wanted);
        if !installed {
            write(
                &copy.join("package.json"),
                &read(&folder.join("package.json"))?,
            )?;
            write(&lock, &wanted)?;
            let mut npm = Command::new("npm");
            npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
                .current_dir(&copy);
            if let Err(error) = process::run(&mut npm, INSTALLATION) {
                // Without the lock the next run installs again.
                let _ = fs::remove_file(&lock);
                return Err(error);
            }
        }
        Ok(copy)
    }
}

/// Returns the names of the JavaScript modules in a folder.
fn scripts(folder: &Path) -> Result<Vec<OsString>> {
    let listing = || format!("cannot list {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(listing)? {
        let name = entry.with_context(listing)?.file_name();
        let extension = Path::new(&name).extension();
        if extension.is_some_and(|extension| extension == "mjs" || extension == "js") {
            names.push(name);
        }
    }
    Ok(names)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

const INSTALLATION: Duration = Duration::from_secs(300);
