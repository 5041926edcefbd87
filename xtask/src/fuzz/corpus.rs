//! What stays of the inputs that were found.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::{FUZZER, cover};
use crate::process;
use crate::project::Project;

/// The inputs of a target: those in the repository, and those that runs have found, from which the next one goes on.
pub(super) struct Corpus {
    name: String,
    committed: PathBuf,
    found: PathBuf,
}

impl Corpus {
    /// Takes the fewest inputs that reach all that those of a target reach, and lets go of the others that were found.
    pub(super) fn minimise(project: &Project, program: &Path, name: &str) -> Result<Self> {
        let committed = project.path(&format!("fuzz/corpus/{name}"));
        let found = project.target_dir(&format!("fuzz/corpus/{name}"))?;
        let merged = project.target_dir(&format!("fuzz/merged/{name}"))?;
        remove(&merged)?;
        fs::create_dir(&merged).with_context(|| merged.display().to_string())?;
        let by_hand: Vec<_> = inputs(&committed)?
            .into_iter()
            .filter(Input::is_by_hand)
            .collect();
        for input in &by_hand {
            fs::copy(&input.path, merged.join(input.name()))?;
        }

        let log = project
            .target_dir("fuzz/logs")?
            .join(format!("{name}-merge.txt"));
        set_cover_merge(program, &[&merged, &committed, &found], &log, &[])?;

        for input in &by_hand {
            fs::remove_file(merged.join(input.name()))?;
        }
        remove(&found)?;
        fs::rename(&merged, &found).with_context(|| found.display().to_string())?;
        Ok(Self {
            name: name.to_owned(),
            committed,
            found,
        })
    }

    /// Puts some of the inputs that were found into the repository, in place of those that were there, unless these
    /// reach more. Inputs that were made by hand stay.
    pub(super) fn keep(&self, project: &Project, program: &Path) -> Result<()> {
        let control = self.reach(project, program)?;
        let all = cover::read(&control).context("what libFuzzer has recorded of a merge")?;
        let is_committed =
            |input: &cover::Input<'_>| Path::new(input.path).starts_with(&self.committed);
        let (by_hand, found): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|input| is_committed(input) && !name(input.path).starts_with(FOUND));
        let by_hand_bytes: u64 = by_hand.iter().map(|input| input.len).sum();
        let chosen = cover::choose(
            &found,
            &cover::reached(&by_hand),
            MOST_INPUTS.saturating_sub(by_hand.len()),
            MOST_BYTES.saturating_sub(by_hand_bytes),
        );

        let before = found.iter().filter(|input| is_committed(input));
        let before = cover::reached(by_hand.iter().chain(before));
        let after = cover::reached(by_hand.iter().chain(chosen.iter().copied()));
        let (edges, fewest) = (cover::edges(&after), cover::edges(&before));
        if edges < fewest || after.len() < before.len() {
            println!("{:<14} the inputs stay, which reach more", self.name);
            return Ok(());
        }
        self.replace(&chosen)?;
        let count = by_hand.len() + chosen.len();
        let bytes = by_hand_bytes + chosen.iter().map(|input| input.len).sum::<u64>();
        println!(
            "{:<14} {count:>9} inputs kept, {bytes} bytes, {edges} edges, {fewest} before",
            self.name
        );
        Ok(())
    }

    /// Returns what libFuzzer records of all inputs while it merges them.
    fn reach(&self, project: &Project, program: &Path) -> Result<String> {
        let folder = project.target_dir(&format!("fuzz/kept/{}", self.name))?;
        remove(&folder)?;
        let merged = project.target_dir(&format!("fuzz/kept/{}/merged", self.name))?;
        let control = folder.join("control.txt");
        let merge = [&merged, &self.committed, &self.found];
        let control_file = format!("-merge_control_file={}", control.display());
        set_cover_merge(program, &merge, &folder.join("log.txt"), &[&control_file])?;
        fs::read_to_string(&control).with_context(|| control.display().to_string())
    }

    /// Puts these inputs in place of those in the repository that were found before.
    fn replace(&self, chosen: &[&cover::Input<'_>]) -> Result<()> {
        let mut kept = Vec::new();
        for input in chosen {
            // libFuzzer names an input for its SHA-1.
            let hash = name(input.path);
            let hash = hash.strip_prefix(FOUND).unwrap_or(hash);
            let short = &hash[..hash.len().min(12)];
            let bytes = fs::read(input.path).with_context(|| input.path.to_owned())?;
            kept.push((format!("{FOUND}{short}"), bytes));
        }
        for input in inputs(&self.committed)? {
            if !input.is_by_hand() {
                fs::remove_file(&input.path)?;
            }
        }
        for (name, bytes) in kept {
            fs::write(self.committed.join(name), bytes)?;
        }
        Ok(())
    }
}

/// Has libFuzzer add to the first directory the fewest inputs that reach all that those of any reach.
fn set_cover_merge(
    program: &Path,
    directories: &[&PathBuf],
    log: &Path,
    options: &[&str],
) -> Result<()> {
    let mut merge = Command::new(program);
    merge
        .arg("-set_cover_merge=1")
        .args(FUZZER)
        .args(options)
        .args(directories)
        .stderr(File::create(log).with_context(|| log.display().to_string())?);
    process::output(&mut merge, MERGE).map(drop)
}

/// Returns the name of a file.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

struct Input {
    path: PathBuf,
    len: u64,
}

impl Input {
    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn is_by_hand(&self) -> bool {
        !self.name().starts_with(FOUND)
    }
}

/// Returns the files of a directory, the shortest first.
fn inputs(directory: &Path) -> Result<Vec<Input>> {
    let files = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let mut inputs = Vec::new();
    for file in files {
        let file = file?;
        inputs.push(Input {
            path: file.path(),
            len: file.metadata()?.len(),
        });
    }
    inputs.sort_unstable_by(|one, other| (one.len, &one.path).cmp(&(other.len, &other.path)));
    Ok(inputs)
}

fn remove(directory: &Path) -> Result<()> {
    fs::remove_dir_all(directory).with_context(|| directory.display().to_string())
}

/// What the names of inputs begin with that were not made by hand.
const FOUND: &str = "found-";
/// A corpus in the repository is read by every run and by `cargo test`, and stays in the history.
const MOST_INPUTS: usize = 80;
const MOST_BYTES: u64 = 24 << 10;
const MERGE: Duration = Duration::from_secs(300);
